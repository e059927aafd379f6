"""An operator takes a provider out of service, and puts it back, in whichever process it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mta.desk import Desk
from mta.events import EventKind
from mta.outcomes import Outcome, Status
from mta.service import ServiceState
from store import Database
from store.version import version
from tests.mta.scripted import Clock, Scripted, Station, wait_until


def test_withdraw_then_only_the_others_send_until_it_is_restored(station: Callable[..., Station]) -> None:
    first, second = Scripted("first"), Scripted("second")
    one = station(first, second)
    assert one.container.withdraw("first")
    for number in range(3):
        one.wait_for(one.submit(f"p{number}@example.com"), Status.SENT)
    assert (len(first.called), len(second.called)) == (0, 3)
    one.wait_for_event(EventKind.WARNING, "first is out of service until an operator puts it back.")
    one.container.restore("first")
    one.wait_for(one.submit(), Status.SENT)
    assert len(first.called) == 1


def test_withdraw_when_it_is_the_last_then_it_stays_and_that_is_told(station: Callable[..., Station]) -> None:
    one = station(Scripted("only"))
    assert not one.container.withdraw("only")
    one.wait_for_event(EventKind.WARNING, "only is the last provider")
    one.wait_for(one.submit(), Status.SENT)
    assert one.lost.times == 0
    with pytest.raises(KeyError):
        one.container.withdraw("none")


def test_order_when_given_in_another_process_then_every_container_obeys(
    station: Callable[..., Station], database: Database, clock: Clock
) -> None:
    stations = [station(Scripted("first"), Scripted("second")) for _ in range(2)]
    desk = Desk(database, clock=clock)
    desk.start()
    desk.order("first", is_out=True)

    def states() -> set[ServiceState]:
        return {one.container.health()[0].state for one in stations}

    wait_until(lambda: states() == {ServiceState.OUT})
    desk.order("nobody", is_out=True)
    desk.order("first", is_out=False)
    wait_until(lambda: states() == {ServiceState.IN_SERVICE})
    desk.stop()


def test_containers_say_their_version_and_how_fast_their_providers_are(
    station: Callable[..., Station],
) -> None:
    one = station(
        Scripted("smtp", Outcome.UNAVAILABLE, Outcome.ACCEPTED, concurrency=3), Scripted("the other")
    )
    for number in range(4):
        one.wait_for(one.submit(f"p{number}@example.com"), Status.SENT)
    figures = one.container.health()[0].figures
    assert (figures.concurrency, figures.running) == (3, 0)
    assert figures.recent >= 2
    assert 0 < figures.success < 1
    assert 0 <= figures.p50 <= figures.p95 < 5
    one.container._board.report(one.container.health(), one.container._clock())
    (report,) = one.container.containers()
    assert report.version == version()
    assert report.providers[0].figures == figures
