"""Turns: one at a time, and none is lost when whoever had it was killed."""

from __future__ import annotations

from bitmail.turns import LASTS, Turn
from store import MemoryStore


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_turn_when_one_has_it_then_no_other_until_it_is_passed_on() -> None:
    store, clock = MemoryStore(), Clock()
    one, other = (Turn(store, "library", clock=clock) for _ in range(2))
    assert one.take()
    assert not other.take()
    assert one.take()
    assert Turn(store, "other work", clock=clock).take()
    one.pass_on()
    assert other.take()
    assert not one.take()


def test_a_turn_when_its_time_is_over_then_anybodys_and_not_passed_on_by_who_had_it() -> None:
    store, clock = MemoryStore(), Clock()
    killed, other, third = (Turn(store, "library", clock=clock) for _ in range(3))
    assert killed.take()
    clock.now += LASTS - 0.1
    assert not other.take()
    clock.now += 0.2
    assert other.take()
    assert not killed.take()
    killed.pass_on()
    assert not third.take()


def test_a_turn_when_the_work_goes_on_then_it_lasts() -> None:
    store, clock = MemoryStore(), Clock()
    one, other = (Turn(store, "library", clock=clock) for _ in range(2))
    for _ in range(10):
        assert one.take()
        assert not other.take()
        clock.now += LASTS * 0.6
