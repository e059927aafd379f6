"""What comes by a page's websocket, and the arguments of its events."""

from __future__ import annotations

import json
from typing import Any

import bitmail.bitmail  # noqa: F401 - its events are the ones that packets may name
from bitmail.arguments import Unfit, clean, is_clean
from bitmail.packets import is_fit


def handler(state: Any, draft: str, fields: dict[str, Any], number: int = 0) -> None:
    """Takes arguments of the kinds that ours take."""


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    is_fit(text)
    is_fit("42/_event," + text)
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(said, dict):
        said = {"draft": "x", "fields": {"x": said}}
    is_clean(said)
    try:
        cleaned = clean(handler, said)
    except Unfit:
        return
    kept = json.dumps(cleaned)
    assert "\\u0000" not in kept, "no store keeps NUL"
    json.dumps(cleaned, ensure_ascii=False).encode()
