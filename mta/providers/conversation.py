"""Conversations: attempts that say what they wait for instead of waiting, so that one thread carries on many."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

Value = TypeVar("Value")


class Wait(NamedTuple):
    """Go on once a socket can be read, or written; at `until`, by `time.monotonic`, with a TimeoutError."""

    socket: socket.socket
    writes: bool
    until: float


class Call(NamedTuple):
    """Go on with what a function gives, or raises, that may block; at `until` with a TimeoutError."""

    function: Callable[[], Any]
    until: float


Steps = Generator[Wait | Call, Any, Value]
"""The steps of a conversation: it never blocks, says what it waits for, and ends with a value."""


def carry_on(steps: Steps[Value]) -> Value:
    """Carry on one conversation in this thread, to its end.

    Raises:
        Exception: whatever the conversation raises.
    """
    try:
        wish = next(steps)
        while True:
            wish = _fulfil(steps, wish)
    except StopIteration as end:
        value: Value = end.value
        return value


def _fulfil(steps: Steps[Any], wish: Wait | Call) -> Wait | Call:
    if isinstance(wish, Wait):
        return next(steps) if _is_ready(wish) else steps.throw(TimeoutError())
    try:
        value = wish.function()
    except Exception as error:  # noqa: BLE001 - the conversation is to know
        return steps.throw(error)
    return steps.send(value)


def _is_ready(wait: Wait) -> bool:
    poll = select.poll()
    poll.register(wait.socket, select.POLLOUT if wait.writes else select.POLLIN)
    return bool(poll.poll(max(0.0, wait.until - time.monotonic()) * 1000))
