"""Every handler, with everything that a client could send instead of what it takes."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reflex_base.event import Event
from reflex_base.event.processor.base_state_processor import BaseStateEventProcessor

from bitmail.bitmail import app
from bitmail.current import SESSION_COOKIE
from bitmail.service import Service
from tests.bitmail.conftest import PASSWORD
from tests.bitmail.test_two_people import FIELDS, handlers


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


WRONG: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        10**30,
        1.5,
        float("inf"),
        "",
        "\0",
        "\ud800",
        "\u202e",
        "x" * 100_000,
        "../../x",
        "%00",
    ),
    *([], [None], {}, {"name": {}}, {"draft": []}, nested(500), {"__class__": "x", "__proto__": {"x": 1}}),
    *(dict.fromkeys(FIELDS, None), {key: ["x"] for key in FIELDS}, {key: {"x": 1} for key in FIELDS}),
    *(dict.fromkeys(FIELDS, "\0\ud800"), dict.fromkeys(FIELDS, "1" * 5000), dict.fromkeys(FIELDS, -1)),
)
ROUTERS = ("", "\0", "1" * 400, "-1", "1e9", "[]", "\ud800", "%00", "javascript:alert(1)")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | st.sampled_from(FIELDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=9) | st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)
"""What a packet can carry; with the names of fields that handlers look for."""


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:30])
def test_wrong_argument_when_sent_to_any_handler_then_nothing_breaks_and_nothing_is_written_down(
    service: Service, caplog: pytest.LogCaptureFixture, wrong: Any
) -> None:
    value = ROUTERS[WRONG.index(wrong) % len(ROUTERS)]
    with caplog.at_level(logging.DEBUG, logger="bitmail"):
        broken = broken_by(service, lambda: wrong, value)
    assert not broken, "\n".join(broken)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), value=st.text(max_size=30))
def test_any_arguments_when_sent_to_every_handler_then_nothing_breaks(
    service: Service, data: st.DataObject, value: str
) -> None:
    drawn = itertools.cycle(data.draw(st.lists(JSON, min_size=5, max_size=20)))
    broken = broken_by(service, lambda: next(drawn), value)
    assert not broken, "\n".join(broken)


def broken_by(service: Service, argument: Callable[[], Any], value: str) -> list[str]:
    """Which handlers raise something when each of their arguments is such a one.

    Args:
        service: what they work on; ada is logged in.
        argument: gives the next argument.
        value: stands in each part of the page's address.
    """
    service.model.log_in("ada", PASSWORD)
    failed: list[BaseException] = []
    broken: list[str] = []
    processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=failed.append).configure(
        state_manager=app.state_manager
    )

    async def calls() -> None:
        secret = service.model.sessions.open("ada")
        query = dict.fromkeys(("mail", "id", "draft", "thread", "before", "mailto", "only", "q"), value)
        router = {
            "headers": {"cookie": f"{SESSION_COOKIE}={secret}"},
            "pathname": "/inbox",
            "asPath": f"/inbox?mail={value}",
            "query": query,
        }
        async with processor:
            with app.set_contexts():
                for name, handler in handlers():
                    taken = list(inspect.signature(handler.fn).parameters)[1:]
                    for payload in ({one: argument() for one in taken}, {"no_such_argument": argument()}, {}):
                        event = Event(name=name, payload=payload, router_data=router)
                        try:
                            async for _ in processor.enqueue_stream_delta(f"token-{secret}", event):
                                pass
                        except Exception as error:
                            failed.append(error)
                        for one in failed:
                            broken.append(f"{name.rpartition('.')[2]}: {one!r:.200}")
                        failed.clear()

    asyncio.run(calls())
    return broken
