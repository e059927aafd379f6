"""What comes by a page's websocket: Engine.IO and Socket.IO packets, of which our pages send few kinds.

Everything else is let fall here, before the libraries behind read it: they write a traceback for each packet that
they cannot read, and keep what follows a packet that announces more.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from reflex_base.registry import RegistrationContext

PLAIN = re.compile(r"[123]|2probe|5|40/_event,?|41/_event,?")
"""Ping, pong, close, upgrade; joining and leaving the namespace of the pages."""
JOIN = re.compile(r"40/_event,(?=\{)")
"""A page that joins brings its first event along."""
EVENT = re.compile(r"42/_event,[0-9]{0,9}(?=\[)")


def is_fit(packet: str) -> bool:
    """Whether one of our pages could have sent this."""
    if PLAIN.fullmatch(packet):
        return True
    kind = JOIN.match(packet) or EVENT.match(packet)
    if kind is None:
        return False
    try:
        said: Any = json.loads(packet[kind.end() :])
    except (ValueError, RecursionError):
        return False
    match said:
        case {"event": event} | ["event", event]:
            return _is_event(event)
        case {} | ["ping"] | ["ping", _]:
            return True
    return False


def _is_event(event: Any) -> bool:
    match event:
        case {"name": str(name), **rest}:
            return name in _known() and all(
                isinstance(rest.get(part, {}), dict) for part in ("payload", "router_data")
            )
    return False


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(RegistrationContext.get().event_handlers)
