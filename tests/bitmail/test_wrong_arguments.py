"""Every handler, with everything that a client could send instead of what it takes."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any

import pytest
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


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:30])
def test_wrong_argument_when_sent_to_any_handler_then_nothing_breaks_and_nothing_is_written_down(
    service: Service, caplog: pytest.LogCaptureFixture, wrong: Any
) -> None:
    service.model.log_in("ada", PASSWORD)
    failed: list[BaseException] = []
    broken: list[str] = []
    processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=failed.append).configure(
        state_manager=app.state_manager
    )
    value = ROUTERS[WRONG.index(wrong) % len(ROUTERS)]

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
                    for payload in (dict.fromkeys(taken, wrong), {"no_such_argument": wrong}, {}):
                        event = Event(name=name, payload=payload, router_data=router)
                        try:
                            async for _ in processor.enqueue_stream_delta(f"token-{secret}", event):
                                pass
                        except Exception as error:
                            failed.append(error)
                        for one in failed:
                            broken.append(f"{name.rpartition('.')[2]}: {one!r:.200}")
                        failed.clear()

    with caplog.at_level(logging.DEBUG, logger="bitmail"):
        asyncio.run(calls())
    assert not broken, "\n".join(broken)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
