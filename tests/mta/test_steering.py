"""An operator changes what picks the providers, in every container on the spool, for good."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mta.desk import Desk
from mta.errors import CannotSteer
from mta.events import Event, EventKind
from mta.outcomes import Status
from mta.scheduler import RoundRobin, Weighted, name_of
from mta.steering import CONFIGURED, Plan, Ruling
from store import Database
from tests.mta.scripted import Clock, Scripted, Station, wait_until


def test_weights_when_set_elsewhere_then_every_container_sends_by_them(
    station: Callable[..., Station], database: Database, clock: Clock
) -> None:
    stations = [station(Scripted("first"), Scripted("second")) for _ in range(2)]
    desk = Desk(database, clock=clock)
    wait_until(lambda: len(desk.containers()) == 2)
    desk.choose_scheduler("weighted", "ada")
    desk.weigh("first", "3", "ada")

    def plans() -> set[tuple[str, int]]:
        return {
            (report.scheduler, one.figures.weight)
            for report in desk.containers()
            for one in report.providers
            if one.name == "first"
        }

    wait_until(lambda: plans() == {("weighted", 3)}, plans)
    for number in range(40):  # one by one, since a provider that is full leaves its turn to the other
        stations[0].wait_for(stations[0].submit(f"p{number}@example.com"), Status.SENT)
    first, second = (sum(len(one.providers()[place].called) for one in stations) for place in (0, 1))
    assert first + second == 40
    assert 28 <= first <= 32
    desk.choose_scheduler(CONFIGURED, "ada")
    desk.weigh("first", CONFIGURED, "ada")
    wait_until(lambda: plans() == {("round-robin", 1)}, plans)
    assert desk.steering.plan() == Plan()
    event = stations[1].wait_for_event(EventKind.WARNING, "ada set the weight of first to 3.")
    assert event.at == clock()


def test_plan_when_a_container_is_started_later_then_it_goes_by_it(
    station: Callable[..., Station], database: Database, clock: Clock
) -> None:
    desk = Desk(database, clock=clock)
    running = station(Scripted("first"), Scripted("second"))
    wait_until(lambda: bool(desk.containers()))
    desk.choose_scheduler("adaptive", "ada")
    desk.weigh("second", "12", "grace")
    running.container.stop()
    later = station(Scripted("first"), Scripted("second"))
    assert later.container._work.scheduler() == "adaptive"
    assert [one.figures.weight for one in later.container.health()] == [1, 12]
    assert desk.steering.plan() == Plan(
        Ruling("adaptive", "ada", clock()), {"second": Ruling("12", "grace", clock())}
    )


def test_plan_when_its_news_were_missed_then_the_next_beat_brings_it(
    station: Callable[..., Station], database: Database, clock: Clock
) -> None:
    one = station(Scripted("first"), Scripted("second"))
    wait_until(lambda: bool(one.container.containers()))
    one.container.steering.choose(
        "weighted", "ada", clock()
    )  # the news name its own holder, who passes over them
    assert one.container._work.scheduler() == "round-robin"
    one.container._bulletin.tell(Event(EventKind.BEAT, clock(), "beat"))
    assert one.container._work.scheduler() == "weighted"


def test_scheduler_when_the_configured_one_is_chosen_then_its_experience_is_kept(
    station: Callable[..., Station], database: Database, clock: Clock
) -> None:
    one = station(Scripted("first"))
    schedule = one.container._work._schedule
    before = schedule._scheduler
    one.container.choose_scheduler("weighted", "ada")
    assert isinstance(schedule._scheduler, Weighted)
    one.container.choose_scheduler("round-robin", "ada")
    assert schedule._scheduler is before
    schedule.steer(Plan(Ruling("of-a-later-release", "ada", 1.0)))
    assert schedule.scheduler == "round-robin"


def test_name_of_a_scheduler_is_that_of_the_configuration() -> None:
    class Own(RoundRobin):
        pass

    assert name_of(Weighted()) == "weighted"
    assert name_of(Own()).startswith("tests.mta.test_steering:")


@pytest.mark.parametrize("weight", ["", "0", "1001", "-1", "1.5", "3 ", "9" * 50, "configured "])
def test_weight_when_it_is_none_then_refused_by_name(database: Database, weight: str) -> None:
    with pytest.raises(CannotSteer, match="is no weight: take a whole number from 1 to 1000"):
        Desk(database).steering.weigh("first", weight, {"first"}, "ada", 1.0)
