from datetime import timedelta

import pytest

from megatron.clients.budget import RateBudget
from megatron.clients.errors import TryLater


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 100.0, []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


def test_calls_beyond_the_burst_wait_for_their_turn() -> None:
    """At 4 a second four calls pass at once, each further one waits a quarter of a second."""
    time = Time()
    budget = RateBudget(4, now=lambda: time.now, sleep=time.sleep)
    for _ in range(6):
        budget.take()
    assert time.slept == [0.25, 0.25]


def test_a_rest_fills_the_budget_up_and_no_further() -> None:
    """After an hour of silence one second's worth passes at once, not an hour's."""
    time = Time()
    budget = RateBudget(2, now=lambda: time.now, sleep=time.sleep)
    budget.take()
    time.now += 3600
    for _ in range(3):
        budget.take()
    assert time.slept == [0.5]


def test_a_slow_budget_lets_one_call_through_at_a_time() -> None:
    """At one call in ten seconds the second waits ten."""
    time = Time()
    budget = RateBudget(0.1, now=lambda: time.now, sleep=time.sleep)
    budget.take()
    budget.take()
    assert time.slept == [10]


def test_too_long_a_wait_is_left_to_the_row() -> None:
    """Beyond our patience the call is told to come later, with the time, and nothing of the budget is spent on it."""
    time = Time()
    budget = RateBudget(0.5, patience=timedelta(seconds=1), now=lambda: time.now, sleep=time.sleep)
    budget.take()
    for _ in range(2):
        with pytest.raises(TryLater) as caught:
            budget.take()
        assert caught.value.retry_after == timedelta(seconds=2)
    assert time.slept == []
