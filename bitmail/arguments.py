"""What clients send along with events: made harmless in general, before a handler looks at what it is worth."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from bitmail.drafts import storable

DEPTH = 8
"""Lists and maps within each other; no page of ours sends more than three."""
ITEMS = 20_000
"""Values in one event."""


class Unfit(Exception):
    """No page of ours sends such arguments."""


def clean(handler: Callable[..., object], payload: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an event, without what no store keeps.

    Args:
        handler: what takes them, after its state.
        payload: as a client sent it.

    Raises:
        Unfit: the handler takes other arguments, or they are nested too deeply, or there are too many.
    """
    try:
        _signature(handler).bind(None, **payload)
    except TypeError:
        raise Unfit from None
    return {name: _Cleaner().clean(value, DEPTH) for name, value in payload.items()}


class _Cleaner:
    def __init__(self) -> None:
        self._left = ITEMS

    def clean(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if depth < 0 or self._left < 0:
            raise Unfit
        if isinstance(value, str):
            return storable(value)
        if isinstance(value, list):
            return [self.clean(item, depth - 1) for item in value]
        if isinstance(value, dict):
            return {storable(str(key)): self.clean(item, depth - 1) for key, item in value.items()}
        return value


@lru_cache(maxsize=1000)
def _signature(handler: Callable[..., object]) -> inspect.Signature:
    return inspect.signature(handler)
