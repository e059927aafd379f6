"""What clients send along with events: made harmless in general, before a handler looks at what it is worth."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import reflex as rx

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
    signature = _signature(handler)
    try:
        signature.bind(None, **payload)
    except TypeError:
        raise Unfit from None
    for name, value in payload.items():
        _check(str(signature.parameters[name].annotation), value)
    return {name: _Cleaner().clean(value, DEPTH) for name, value in payload.items()}


def is_clean(router: Mapping[str, Any]) -> bool:
    """Whether what a client says of its page, such as its address, is what a browser could say."""
    try:
        return bool(_Cleaner().clean(dict(router), DEPTH) == router)
    except Unfit:
        return False


def _check(annotation: str, value: Any) -> None:
    """Refuse what could not be meant: a list or map for a single value, and files that were not uploaded."""
    if annotation in ("str", "int", "bool") and isinstance(value, list | dict):
        raise Unfit
    if "UploadFile" in annotation and not (
        isinstance(value, list) and all(isinstance(file, rx.UploadFile) for file in value)
    ):
        raise Unfit


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
