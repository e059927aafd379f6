"""When a provider's patience has run out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mta.strategy import ThresholdFailureStrategy


def test_threshold_when_failures_are_consecutive_then_the_nth_is_too_many() -> None:
    strategy = ThresholdFailureStrategy(3)
    assert [strategy.failed() for _ in range(3)] == [False, False, True]


def test_threshold_when_a_success_comes_between_then_it_counts_anew() -> None:
    strategy = ThresholdFailureStrategy(2)
    assert not strategy.failed()
    strategy.succeeded()
    assert not strategy.failed()
    assert strategy.failed()


@given(some.integers(1, 6), some.lists(some.booleans(), max_size=40))
def test_threshold_when_anything_happens_then_out_exactly_after_n_failures_in_a_row(
    threshold: int, history: list[bool]
) -> None:
    strategy = ThresholdFailureStrategy(threshold)
    in_a_row = 0
    for success in history:
        if success:
            strategy.succeeded()
            in_a_row = 0
        else:
            in_a_row += 1
            assert strategy.failed() == (in_a_row >= threshold)


@pytest.mark.parametrize("threshold", [0, -1])
def test_threshold_when_it_makes_no_sense_then_refused(threshold: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        ThresholdFailureStrategy(threshold)
