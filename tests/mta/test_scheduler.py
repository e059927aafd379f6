"""Which provider gets the next delivery."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bench.schedulers import race, unequal_providers
from mta.errors import UnknownScheduler
from mta.outcomes import Outcome
from mta.providers.base import Provider
from mta.scheduler import EXPLORATION, Adaptive, RoundRobin, Scheduler, Weighted, make_scheduler
from tests.mta.scripted import Scripted

ALL: list[Callable[[], Scheduler]] = [RoundRobin, Weighted, lambda: Adaptive(random.Random(7))]


class OwnScheduler(RoundRobin):
    """A user's own."""


class NoScheduler:
    """Something else."""


def providers(count: int) -> list[Provider]:
    return [Scripted(f"p{number}") for number in range(count)]


# A history: who is in service at each pick, as sets of indexes that are never empty.
histories = some.integers(1, 6).flatmap(
    lambda count: some.lists(
        some.sets(some.integers(0, count - 1), min_size=1).map(lambda chosen: (count, chosen)),
        min_size=1,
        max_size=120,
    )
)


@pytest.mark.parametrize("make", ALL)
@given(history=histories)
def test_pick_when_providers_come_and_go_then_never_one_out_of_service(
    make: Callable[[], Scheduler], history: list[tuple[int, set[int]]]
) -> None:
    scheduler = make()
    everyone = providers(6)
    for _count, serving in history:
        candidates = [everyone[index] for index in sorted(serving)]
        picked = scheduler.pick(candidates)
        assert picked in candidates
        scheduler.learn(picked, Outcome.ACCEPTED, 0.01)


@pytest.mark.parametrize("make", ALL)
@given(history=histories)
def test_pick_when_the_history_is_the_same_then_the_picks_are(
    make: Callable[[], Scheduler], history: list[tuple[int, set[int]]]
) -> None:
    everyone = providers(6)

    def picks() -> list[str]:
        scheduler = make()
        names = []
        for turn, (_count, serving) in enumerate(history):
            picked = scheduler.pick([everyone[index] for index in sorted(serving)])
            scheduler.learn(picked, Outcome.ACCEPTED, turn / 100)
            names.append(picked.name)
        return names

    assert picks() == picks()


@given(some.integers(1, 8), some.integers(0, 50), histories)
def test_round_robin_when_all_have_room_then_exact_whatever_was_before(
    count: int, rounds: int, history: list[tuple[int, set[int]]]
) -> None:
    scheduler = RoundRobin()
    everyone = providers(8)
    for _count, serving in history:
        scheduler.pick([everyone[index] for index in sorted(serving)])
    serving_now = everyone[:count]
    picks = [scheduler.pick(serving_now).name for _ in range(rounds * count)]
    assert Counter(picks) == Counter({one.name: rounds for one in serving_now if rounds})
    # Not only in sum: each n in a row are n different ones.
    assert all(len(set(picks[start : start + count])) == count for start in range(len(picks) - count + 1))


def test_round_robin_when_it_begins_then_in_the_order_given() -> None:
    scheduler, serving = RoundRobin(), providers(3)
    assert [scheduler.pick(serving).name for _ in range(6)] == ["p0", "p1", "p2", "p0", "p1", "p2"]


def test_round_robin_when_one_returns_then_one_turn_at_once_and_no_more_than_its_share() -> None:
    scheduler, everyone = RoundRobin(), providers(3)
    for _ in range(100):
        scheduler.pick(everyone[:2])
    picks = [scheduler.pick(everyone).name for _ in range(9)]
    assert picks[0] == "p2"
    assert Counter(picks) == {"p0": 3, "p1": 3, "p2": 3}


@given(histories)
def test_round_robin_when_one_is_always_in_service_then_it_never_starves(
    history: list[tuple[int, set[int]]],
) -> None:
    scheduler, everyone = RoundRobin(), providers(6)
    waited = 0
    for _count, serving in history:
        picked = scheduler.pick([everyone[index] for index in sorted(serving | {0})])
        waited = 0 if picked is everyone[0] else waited + 1
        assert waited < 6


@given(some.lists(some.integers(1, 9), min_size=1, max_size=5), some.integers(1, 5))
def test_weighted_when_all_have_room_then_exact_by_weight(weights: list[int], rounds: int) -> None:
    serving = [Scripted(f"p{number}", weight=weight) for number, weight in enumerate(weights)]
    scheduler = Weighted()
    picks = Counter(scheduler.pick(serving).name for _ in range(rounds * sum(weights)))
    for one, weight in zip(serving, weights, strict=True):
        assert abs(picks[one.name] - rounds * weight) <= 1


@given(some.lists(some.integers(1, 9), min_size=6, max_size=6), some.integers(1, 6), histories)
def test_weighted_when_all_have_room_then_by_weight_whatever_was_before(
    weights: list[int], count: int, history: list[tuple[int, set[int]]]
) -> None:
    everyone = [Scripted(f"p{number}", weight=weight) for number, weight in enumerate(weights)]
    scheduler = Weighted()
    for _count, serving in history:
        scheduler.pick([everyone[index] for index in sorted(serving)])
    picks = Counter(scheduler.pick(everyone[:count]).name for _ in range(10 * sum(weights[:count])))
    for one, weight in zip(everyone[:count], weights, strict=False):
        assert abs(picks[one.name] - 10 * weight) <= 2


@given(some.lists(some.integers(1, 9), min_size=6, max_size=6), histories)
def test_weighted_when_one_is_always_in_service_then_it_never_starves(
    weights: list[int], history: list[tuple[int, set[int]]]
) -> None:
    everyone = [Scripted(f"p{number}", weight=weight) for number, weight in enumerate(weights)]
    scheduler = Weighted()
    waited = 0
    for _count, serving in history:
        picked = scheduler.pick([everyone[index] for index in sorted(serving | {0})])
        waited = 0 if picked is everyone[0] else waited + 1
        assert waited <= sum(weights[1:]) / weights[0] + len(weights)


def test_weighted_when_weights_are_three_and_one_then_evenly_mixed() -> None:
    serving = [Scripted("heavy", weight=3), Scripted("light", weight=1)]
    scheduler = Weighted()
    picks = [scheduler.pick(serving).name for _ in range(40)]
    assert all(picks[start : start + 4].count("light") == 1 for start in range(0, 40, 4))


def test_weighted_when_one_returns_then_it_does_not_catch_up() -> None:
    serving = [Scripted("a"), Scripted("b")]
    scheduler = Weighted()
    for _ in range(100):
        scheduler.pick(serving[:1])
    picks = Counter(scheduler.pick(serving).name for _ in range(20))
    assert abs(picks["a"] - picks["b"]) <= 2


def served(scheduler: Scheduler, speeds: dict[Provider, float], rounds: int) -> Counter[str]:
    picks: Counter[str] = Counter()
    for _ in range(rounds):
        picked = scheduler.pick(list(speeds))
        scheduler.learn(picked, Outcome.ACCEPTED, speeds[picked])
        picks[picked.name] += 1
    return picks


def test_adaptive_when_one_is_slow_then_less_of_it_but_its_share_of_exploration() -> None:
    fast, medium, slow = providers(3)
    picks = served(Adaptive(random.Random(3)), {fast: 0.02, medium: 0.04, slow: 0.2}, 2000)
    assert picks[fast.name] > picks[medium.name] > picks[slow.name]
    assert picks[fast.name] > 1400
    assert picks[slow.name] >= 2000 // EXPLORATION


@settings(max_examples=30)
@given(some.lists(some.sets(some.integers(0, 2)), min_size=100, max_size=200), some.integers())
def test_adaptive_when_one_is_always_in_service_then_it_never_starves_however_bad_it_is(
    history: list[set[int]], seed: int
) -> None:
    scheduler, everyone = Adaptive(random.Random(seed)), providers(3)
    waited = 0
    for serving in history:
        picked = scheduler.pick([everyone[index] for index in sorted(serving | {0})])
        is_bad = picked is everyone[0]
        scheduler.learn(picked, Outcome.UNAVAILABLE if is_bad else Outcome.ACCEPTED, 5.0 if is_bad else 0.01)
        waited = 0 if is_bad else waited + 1
        assert waited <= EXPLORATION * len(everyone) + len(everyone)


def test_adaptive_when_speeds_differ_then_sooner_done_than_round_robin_and_the_slow_one_is_heard_of() -> None:
    mails = 240
    with unequal_providers() as esps:
        fair = race(RoundRobin(), mails, esps)
        adaptive = race(Adaptive(random.Random(1)), mails, esps)
    assert sum(fair.taken.values()) == sum(adaptive.taken.values()) == mails
    assert set(fair.taken.values()) == {mails // 3}
    assert adaptive.seconds < fair.seconds
    assert adaptive.taken["slow"] >= mails / EXPLORATION


def test_adaptive_when_one_fails_fast_then_it_is_not_taken_for_fast() -> None:
    good, bad = providers(2)
    scheduler = Adaptive(random.Random(3))
    picks: Counter[str] = Counter()
    for _ in range(1000):
        picked = scheduler.pick([good, bad])
        failing = picked is bad
        scheduler.learn(
            picked, Outcome.UNAVAILABLE if failing else Outcome.ACCEPTED, 0.0005 if failing else 0.05
        )
        picks[picked.name] += 1
    assert picks[bad.name] < 120


def test_adaptive_when_the_slow_one_becomes_fast_then_it_is_found_out() -> None:
    a, b = providers(2)
    scheduler = Adaptive(random.Random(3))
    served(scheduler, {a: 0.02, b: 0.2}, 500)
    picks = served(scheduler, {a: 0.2, b: 0.02}, 1000)
    assert picks[b.name] > 800


@pytest.mark.parametrize("outcome", [Outcome.REJECTED_RECIPIENT, Outcome.THROTTLED, Outcome.OVER_QUOTA])
def test_adaptive_when_the_provider_is_not_at_fault_then_it_is_not_sent_less(outcome: Outcome) -> None:
    a, b = providers(2)
    scheduler = Adaptive(random.Random(3))
    picks: Counter[str] = Counter()
    for _ in range(1000):
        picked = scheduler.pick([a, b])
        scheduler.learn(picked, Outcome.ACCEPTED, 0.02)
        if picked is b:
            scheduler.learn(picked, outcome, 0.02)
        picks[picked.name] += 1
    assert picks[b.name] > 400


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("round-robin", RoundRobin),
        ("weighted", Weighted),
        ("adaptive", Adaptive),
        ("tests.mta.test_scheduler:OwnScheduler", None),
    ],
)
def test_make_scheduler_when_it_is_known_then_made(name: str, made: type[Scheduler] | None) -> None:
    scheduler = make_scheduler(name)
    assert isinstance(scheduler, Scheduler)
    assert type(scheduler).__name__ == "OwnScheduler" if made is None else type(scheduler) is made


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fastest", "round-robin, weighted, adaptive or package.module:Class"),
        ("no.such:Thing", "No module named 'no'"),
        ("mta.scheduler:Nothing", "Nothing"),
        ("mta.scheduler:Scheduler", "abstract"),
        ("tests.mta.test_scheduler:NoScheduler", "derive it"),
    ],
)
def test_make_scheduler_when_it_cannot_be_then_said_why(name: str, said: str) -> None:
    with pytest.raises(UnknownScheduler, match=said):
        make_scheduler(name)
