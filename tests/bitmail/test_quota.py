"""How much one account may send and keep, with a sentence that says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from bitmail import frontend
from bitmail.api import api
from bitmail.current import serving
from bitmail.drafts import Draft, Hold, new_key
from bitmail.errors import Unsendable
from bitmail.quota import Limits, Quota
from bitmail.service import Service
from bitmail.shield import Shield
from store import MemoryStore
from tests.bitmail.conftest import PASSWORD, logged_in, make_service

RAW = b"From: ada@localhost\r\nTo: grace@example.com\r\nSubject: S\r\n\r\nx"


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Service]:
    service = make_service(tmp_path, mails_an_hour="3", bytes_a_day="5000", most_drafts="2")
    service.start()
    with serving(service):
        yield service
    service.stop()


def test_mail_beyond_the_hours_when_sent_then_refused_with_the_time_and_repeating_costs_nothing(
    limited: Service,
) -> None:
    author, _ = limited.model.log_in("ada", PASSWORD)
    draft = Draft("one", to="grace@example.com", subject="S")
    for _ in range(5):
        limited.model.outbox.send(author, draft)
    limited.model.outbox.send_raw(author, "two", RAW)
    limited.model.outbox.send(author, Draft("three", to="grace@example.com"))
    with pytest.raises(Unsendable, match=r"3 mails within an hour.*Try again in"):
        limited.model.outbox.send_raw(author, "four", RAW)
    limited.model.outbox.send(author, draft)
    other, _ = limited.model.log_in("bob", PASSWORD)
    limited.model.outbox.send(other, Draft("one", to="grace@example.com"))


def test_mail_beyond_the_days_bytes_when_handed_in_by_a_script_then_422_and_a_smaller_one_goes(
    limited: Service,
) -> None:
    async def calls() -> None:
        app = Shield(api(), frontend.CLIENT, (), limited.secret)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mail.test")
        async with logged_in(client):
            answer = await client.post("/api/sendmail", json={"to": "a@example.com", "text": "x" * 6000})
            assert answer.status_code == 422
            (error,) = answer.json()["errors"]
            assert error["field"] == "limit"
            assert "5,000 bytes within a day" in error["reason"]
            for _ in range(3):  # what was refused was not counted
                answer = await client.post("/api/sendmail", json={"to": "a@example.com", "text": "x"})
                assert answer.status_code == 202

    asyncio.run(calls())


def test_draft_beyond_the_most_when_saved_then_refused_and_those_there_are_can_be_written_on(
    limited: Service,
) -> None:
    drafts = limited.model.drafts
    hold = Hold("window", 0)
    keys = [new_key(), new_key()]
    for key in keys:
        assert drafts.save("ada", Draft(key, text="x"), hold)
    with pytest.raises(Unsendable, match="2 drafts"):
        drafts.save("ada", Draft(new_key(), text="x"), hold)
    assert drafts.save("ada", Draft(keys[0], text="y"), Hold("window", 1))
    assert drafts.save("bob", Draft(new_key(), text="x"), hold)


def test_quota_when_the_hour_is_over_then_begins_anew_and_many_at_once_do_not_slip_through() -> None:
    now = [1_800_000_000.0]
    quota = Quota(MemoryStore(), Limits(mails_an_hour=10), clock=lambda: now[0])

    def tried(_: int) -> bool:
        try:
            quota.take("ada", 1)
        except Unsendable:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tried, range(40))) == 10
    now[0] += 3600
    assert tried(0)
