"""The operator's page: what it shows and does, and that it does nothing for anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bitmail.controlroom import ControlRoom
from bitmail.current import serving
from bitmail.door import Client
from bitmail.errors import LogInRefused, Refused
from bitmail.operations import NotForYou, Operations
from bitmail.service import Service
from bitmail.state.arrival import ArrivalState
from bitmail.state.ops import KINDS, QUESTIONS, TROUBLE, OpsState
from bitmail.state.session import SessionState
from mta.desk import Desk
from mta.events import Event, EventKind
from mta.inquiry import By
from mta.outcomes import Status
from mta.service import ServiceState
from store import Database
from tests.bitmail.conftest import PASSWORD, make_service
from tests.bitmail.test_controller import browser, merged
from tests.mta.scripted import mail, wait_until


@pytest.fixture
def operated(tmp_path: Path) -> Iterator[Service]:
    """A service with two providers, an operator called ada, and eve, who is none."""
    service = make_service(
        tmp_path, operators="Ada, root", providers="loopback?name=first loopback?name=second", signup="invite"
    )
    for name in ("ada", "eve"):
        service.model.accounts.create(name, PASSWORD)
    service.start()
    with serving(service):
        yield service
    service.stop()


def test_every_operation_when_asked_by_anybody_else_then_refused_and_nothing_is_done(
    operated: Service,
) -> None:
    operations = operated.operations
    sent = operated.container.submit(mail("ada@localhost", not_before=4e9))
    calls = [
        lambda by: operations.overview(by),
        lambda by: operations.servers(by),
        lambda by: operations.events(by),
        lambda by: operations.find(by, "ada@localhost", By.ANYTHING),
        lambda by: operations.submission(by, sent.id),
        lambda by: operations.answers(by, sent.id),
        lambda by: operations.order(by, "first", is_out=True),
        lambda by: operations.schedule(by, "weighted"),
        lambda by: operations.weigh(by, "first", "3"),
        lambda by: operations.check(by, "first"),
        lambda by: operations.retry(by, sent.id),
        lambda by: operations.cancel(by, sent.id),
        lambda by: operations.lift(by, "ada", "x@example.com"),
        lambda by: operations.lock(by, "ada", is_locked=True),
        lambda by: operations.end_sessions(by, "ada"),
        lambda by: operations.invite(by),
    ]
    public = {name for name in vars(Operations) if not name.startswith("_")} - {"is_operator"}
    assert len(calls) == len(public), "one of them is not tried"
    before = operated.store.count({})
    for by in ("eve", "", "ADA", "ada "):
        for call in calls:
            with pytest.raises(NotForYou):
                call(by)
    assert operated.store.count({}) == before
    assert operated.container.submission(sent.id) == sent


def test_order_then_the_provider_is_out_and_it_is_written_down_who_did_it(operated: Service) -> None:
    assert operated.operations.order("ada", "first", is_out=True) == "ada took first out of service."
    wait_until(lambda: operated.container.health()[0].state is ServiceState.OUT)
    assert operated.operations.order("ada", "first", is_out=False)
    wait_until(lambda: operated.container.health()[0].state is ServiceState.IN_SERVICE)
    details = [one.detail for one in operated.model.audit.page("ada")]
    assert details[:2] == ["ada put first back into service.", "ada took first out of service."]
    with pytest.raises(Refused, match="no provider third"):
        operated.operations.order("ada", "third", is_out=True)


def test_scheduler_and_weight_when_set_then_the_page_says_by_whom_and_it_is_written_down(
    operated: Service,
) -> None:
    async def calls(secret: str) -> list[dict[str, Any]]:
        async with browser(secret, "/ops") as call:
            await call(ArrivalState, "at_ops")
            asked = merged(await call(OpsState, "ask_schedule", form={"scheduler": "weighted"}), OpsState)
            chosen = merged(await call(OpsState, "confirm"), OpsState)
            await call(OpsState, "ask_weight", form={"provider": "first", "weight": "3"})
            weighed = merged(await call(OpsState, "confirm"), OpsState)
            nothing = merged(
                await call(OpsState, "ask_weight", form={"provider": "first", "weight": " "}), OpsState
            )
            await call(OpsState, "ask_weight", form={"provider": "first", "weight": "0"})
            wrong = merged(await call(OpsState, "confirm"), OpsState)
            return [asked, chosen, weighed, nothing, wrong]

    wait_until(lambda: bool(operated.container.containers()))
    asked, chosen, weighed, nothing, wrong = asyncio.run(calls(_secret(operated, "ada")))
    assert asked["question"].startswith("Pick providers by weighted in every container")
    assert chosen["done"] == "ada set the scheduler to weighted."
    assert weighed["done"] == "ada set the weight of first to 3."
    assert [line.partition(", ")[0] for line in weighed["rulings"]] == [
        "The scheduler is weighted",
        "The weight of first is 3",
    ]
    assert "set by ada on " in weighed["rulings"][0]
    assert nothing["refusal"] == "Type the weight first."
    assert wrong["refusal"].startswith("“0” is no weight: take a whole number from 1 to 1000")
    details = [one.detail for one in operated.model.audit.page("ada")]
    assert details[:2] == ["ada set the weight of first to 3.", "ada set the scheduler to weighted."]
    wait_until(lambda: operated.container.containers()[0].scheduler == "weighted")
    assert any("ada set the scheduler" in one.event.text for one in operated.operations.events("ada"))


def test_cancel_and_retry_say_how_many_deliveries_they_changed(operated: Service) -> None:
    sent = operated.container.submit(mail("a@example.com", "b@example.com", not_before=4e9))
    assert "cancelled 2 deliveries" in operated.operations.cancel("ada", sent.id)
    assert "cancelled 0 deliveries" in operated.operations.cancel("ada", sent.id)
    assert "tried 0 deliveries" in operated.operations.retry("ada", sent.id)
    with pytest.raises(Refused, match="no such mail"):
        operated.operations.retry("ada", "nothing")


def test_what_is_done_to_an_account_is_done_and_written_down(operated: Service) -> None:
    operations, model = operated.operations, operated.model
    _, secret = model.log_in("eve", PASSWORD)
    assert "ended 1 session of eve" in operations.end_sessions("ada", "EVE@localhost")
    assert model.sessions.find(secret) is None
    operations.lock("ada", "eve", is_locked=True)
    with pytest.raises(LogInRefused):
        model.log_in("eve", PASSWORD)
    operations.lock("ada", "eve", is_locked=False)
    model.suppressions.add("eve", "x@example.com", Status.BOUNCED, "gone")
    operations.lift("ada", "eve", " x@example.com ")
    assert not model.suppressions.page("eve")
    for refused in (
        lambda: operations.lift("ada", "eve", "x@example.com"),
        lambda: operations.lock("ada", "ada", is_locked=True),
        lambda: operations.lock("ada", "nobody", is_locked=True),
        lambda: operations.end_sessions("ada", "no such name!"),
    ):
        with pytest.raises(Refused):
            refused()
    assert "no credentials to check" in operations.check("ada", "first")
    with pytest.raises(Refused, match="no provider"):
        operations.check("ada", "none")
    code = operations.invite("ada")
    assert model.door.enter("bob", PASSWORD, Client(invitation=code)).account.name == "bob"


def test_page_when_an_operator_opens_it_then_all_is_there(operated: Service) -> None:
    sent = operated.container.submit(mail("x@example.com", sender="ada@localhost", subject="Hello operators"))
    wait_until(lambda: _status(operated, sent.id) is Status.SENT)
    wait_until(lambda: bool(operated.container.containers()))

    async def calls(secret: str) -> dict[str, Any]:
        async with browser(secret, "/ops") as call:
            told = merged(await call(ArrivalState, "at_ops"), OpsState)
            told |= merged(
                await call(OpsState, "find", form={"words": "hello op", "by": "subject"}), OpsState
            )
            told |= merged(await call(OpsState, "show", id=told["found"][0].id), OpsState)
            told |= merged(await call(OpsState, "narrow", field="about", value="nobody"), OpsState)
            told |= merged(await call(OpsState, "narrow", field="kind", value="trouble"), OpsState)
            return told | merged(await call(OpsState, "narrow", field="words", value="x"), OpsState)

    told = asyncio.run(calls(_secret(operated, "ada")))
    assert [tile.name for tile in told["tiles"]] == ["first", "second"]
    assert dict(told["depth"])["queued"] == "0"
    assert sum(point["sent"] for point in told["hour"]) == 1
    assert len(told["hour"]) == 60
    assert len(told["day"]) == 48
    assert told["containers"][0].version
    assert told["shown_head"].startswith("Hello operators")
    assert [row.is_attempt for row in told["life"]] == [False, False, True]
    assert told["life"][-1].provider_id
    assert told["life"][-1].answer == ""
    assert told["is_loaded"] is True
    assert (told["about"], told["kind"], told["words"]) == ("nobody", "trouble", "x")


def test_page_when_anybody_else_opens_it_then_it_shows_and_does_nothing(operated: Service) -> None:
    operated.container.submit(mail("ada@localhost", subject="private"))

    async def calls(secret: str) -> list[Any]:
        async with browser(secret, "/ops") as call:
            deltas = await call(ArrivalState, "at_ops")
            deltas += await call(SessionState, "refresh")
            deltas += await call(OpsState, "find", form={"words": "private", "by": "subject"})
            deltas += await call(OpsState, "ask", verb="provider-out", about=["first"])
            deltas += await call(OpsState, "confirm")
            return deltas

    deltas = asyncio.run(calls(_secret(operated, "eve")))
    told = merged(deltas, OpsState)
    assert "operators" in told["problem"]
    assert not told.get("tiles")
    assert not told.get("found")
    assert not told.get("question")
    assert "private@" not in repr(deltas)
    assert operated.container.health()[0].state is ServiceState.IN_SERVICE


def test_an_action_is_done_only_once_it_is_confirmed(operated: Service) -> None:
    async def calls(secret: str) -> list[dict[str, Any]]:
        async with browser(secret, "/ops") as call:
            await call(ArrivalState, "at_ops")
            asked = merged(await call(OpsState, "ask", verb="lock", about=["eve"]), OpsState)
            left = merged(await call(OpsState, "leave"), OpsState)
            nothing = merged(await call(OpsState, "confirm"), OpsState)
            operated.model.log_in("eve", PASSWORD)
            form = {"verb": "lock", "name": "eve", "address": ""}
            await call(OpsState, "ask_person", form=form)
            done = merged(await call(OpsState, "confirm"), OpsState)
            again = merged(await call(OpsState, "confirm"), OpsState)
            return [asked, left, nothing, done, again]

    asked, left, nothing, done, again = asyncio.run(calls(_secret(operated, "ada")))
    assert asked["question"].startswith("Lock eve?")
    assert left["question"] == ""
    assert "done" not in nothing
    assert done["done"] == "ada locked eve."
    assert "done" not in again
    with pytest.raises(LogInRefused):
        operated.model.log_in("eve", PASSWORD)


def test_whatever_a_client_sends_breaks_nothing(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    values = (None, 7, {}, [], [[]], ["a", "b", "c"], "eve", [None, 1], {"words": 1, "verb": []})

    async def calls(secret: str) -> None:
        async with browser(secret, "/ops") as call:
            for value in values:
                for verb in (*QUESTIONS, "drop", None, []):
                    await call(OpsState, "ask", verb=verb, about=value)
                await call(OpsState, "ask_person", form=value)
                await call(OpsState, "ask_schedule", form=value)
                await call(OpsState, "ask_weight", form=value)
                await call(OpsState, "find", form=value)
                await call(OpsState, "show", id=value)
                await call(OpsState, "narrow", field=value, value=value)
                await call(OpsState, "confirm")

    service.operations.operators = ("ada",)
    asyncio.run(calls(_secret(service, "ada")))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_control_room_narrows_events_by_kind_provider_and_words(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    room = ControlRoom(Desk(database))
    room._heard(Event(EventKind.WARNING, 1.0, "It is slow.", "first"))
    room._heard(Event(EventKind.RESUBMIT, 1.0, "Next.", "second", submission_id="1a2b", delivery_id="1a2b-3"))
    room._heard(Event(EventKind.FATAL, 1.0, "It is OUT.", "second"))

    def found(**by: Any) -> list[str]:
        return [one.event.text for one in room.events(**by)]

    assert found(provider="second") == ["It is OUT.", "Next."]
    assert found(words="it is") == ["It is OUT.", "It is slow."]
    assert found(words="1A2B-3") == ["Next."]
    assert found(words="it is", provider="first") == ["It is slow."]
    assert found(kinds=KINDS[TROUBLE], words="is") == ["It is OUT.", "It is slow."]
    assert found(kinds=[EventKind.FATAL], provider="first") == []
    database.close()


def test_control_room_keeps_the_newest_events_and_none_of_each_mail(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    room = ControlRoom(Desk(database))
    assert room.has_news()
    assert not room.has_news()
    room._heard(Event(EventKind.OK, 1.0, "took a mail", submission_id="s"))
    for number in range(600):
        room._heard(Event(EventKind.WARNING, 1.0, str(number)))
    room._heard(Event(EventKind.FATAL, 1.0, "out"))
    assert room.has_news()
    assert [one.event.text for one in room.events(limit=2)] == ["out", "599"]
    assert [one.event.text for one in room.events([EventKind.FATAL])] == ["out"]
    assert len(room.events(limit=1000)) == 500
    database.close()


def _secret(service: Service, name: str) -> str:
    return service.model.log_in(name, PASSWORD)[1]


def _status(service: Service, id: str) -> Status:
    found = service.container.submission(id)
    assert found is not None
    return found.deliveries[0].status
