"""The rules of technical scores, activity, sell-offs and of what waits to be scored."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from megatron.core import ids
from scoring.models import ActivityMetric, SelloffEvent, TechnicalDue, TechnicalScore
from tests import breaking, factories
from tests.breaking import Build, Case
from tests.factories import NOON
from tokens.models import TokenTraded

pytestmark = pytest.mark.django_db

MINT = factories.address("measured")
_numbers = count()


def _mint(fields: dict[str, Any]) -> str:
    """Return the mint that the test names, or a new one."""
    mint: str = fields.get("token_mint", factories.address(f"measured {next(_numbers)}"))
    return mint


def technical_score(**fields: Any) -> TechnicalScore:
    """Create a score of 200 points of a new mint at noon."""
    mint = _mint(fields)
    defaults = {
        "id": ids.event_id(NOON, mint),
        "token_mint": mint,
        "timestamp": NOON,
        "market_cap_score": 50,
        "bonding_curve_score": 40,
        "trading_health_score": 50,
        "selloff_response_score": 60,
        "progress_consistency": 1,
        "whale_concentration": 1,
        "unique_traders_1h": 1,
        "available_max": 333,
        "transactions_1h": 1,
        "policy_version": 1,
        "inputs": {},
    }
    return TechnicalScore.objects.create(**{**defaults, **fields})


def activity(**fields: Any) -> ActivityMetric:
    """Create the activity of a new mint at noon: two buys and two sells, one of each in the last minute."""
    counts = {
        f"{side}_{window}": count for side in ("buys", "sells") for window, count in (("1m", 1), ("5m", 1), ("1h", 2))
    }
    mint = _mint(fields)
    defaults = {"id": ids.event_id(NOON, mint), "token_mint": mint, "timestamp": NOON, **counts}
    return ActivityMetric.objects.create(**{**defaults, **fields})


def selloff(**fields: Any) -> SelloffEvent:
    """Create an open sell-off of a new mint, from 100 to 80."""
    defaults = {"token_mint": _mint(fields), "detection_time": NOON, "initial_price": 100, "lowest_price": 80}
    return SelloffEvent.objects.create(**{**defaults, **fields})


def due(**fields: Any) -> TechnicalDue:
    """Create the turn of a new token."""
    return TechnicalDue.objects.create(**{"token": factories.token(), "due_at": NOON, "traded_at": NOON, **fields})


def traded(**fields: Any) -> TokenTraded:
    """Create what a new token's candles left."""
    return TokenTraded.objects.create(**{"token": factories.token(), "traded_at": NOON, **fields})


BROKEN: list[Case] = [
    ("technical_market_cap_0_to_100", technical_score, {"market_cap_score": "100.000001"}),
    ("technical_market_cap_0_to_100", technical_score, {"market_cap_score": "-0.000001"}),
    ("technical_curve_0_to_83", technical_score, {"bonding_curve_score": "83.000001"}),
    ("technical_health_0_to_75", technical_score, {"trading_health_score": "75.000001"}),
    ("technical_selloff_minus_60_to_75", technical_score, {"selloff_response_score": "-60.000001"}),
    ("technical_selloff_minus_60_to_75", technical_score, {"selloff_response_score": "75.000001"}),
    ("technical_available_0_to_333", technical_score, {"available_max": "333.01"}),
    ("technical_consistency_is_a_ratio", technical_score, {"progress_consistency": "1.000001"}),
    ("technical_concentration_is_a_ratio", technical_score, {"whale_concentration": "1.000001"}),
    ("activity_buys_of_longer_windows_are_more", activity, {"buys_5m": 0}),
    ("activity_sells_of_longer_windows_are_more", activity, {"sells_1h": 0}),
    ("selloff_status_known", selloff, {"status": "over", "ended_at": NOON, "duration_minutes": 1}),
    ("selloff_falls", selloff, {"lowest_price": 101}),
    ("selloff_falls", selloff, {"initial_price": 0, "lowest_price": 0}),
    ("selloff_ended_unless_open", selloff, {"ended_at": NOON}),
    ("selloff_ended_unless_open", selloff, {"status": "expired"}),
    ("selloff_recovery_only_when_recovered", selloff, {"recovery_price": 95, "recovery_time": NOON}),
]
FIELDS: list[Case] = [
    *breaking.field_cases(technical_score, TechnicalScore),
    *breaking.field_cases(activity, ActivityMetric),
    *breaking.field_cases(selloff, SelloffEvent),
    *breaking.field_cases(due, TechnicalDue),
    *breaking.field_cases(traded, TokenTraded),
]
TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "technical_scores_pkey": (technical_score, ("token_mint", "timestamp")),
    "activity_metrics_pkey": (activity, ("token_mint", "timestamp")),
    "selloff_one_open_a_token": (selloff, ("token_mint",)),
}


@pytest.mark.parametrize(("name", "build", "change"), [*BROKEN, *FIELDS])
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """No token has two scores or activities of one moment, nor two open sell-offs."""
    assert breaking.refusal_of_second(*TWINS[name]) == name


def test_parts_sum_to_the_total_in_the_database() -> None:
    """The total is generated from the known parts, signed (G1)."""
    row = technical_score(
        market_cap_score=0, trading_health_score=0, bonding_curve_score=None, selloff_response_score="-47.5"
    )
    row.refresh_from_db()
    assert row.total_score == -47.5
    assert technical_score(timestamp=NOON + timedelta(minutes=1), id=ids.new_id()).total_score == 200


def test_a_fall_of_exactly_ten_percent_is_no_event() -> None:
    """The trigger opens an event above ten percent, from the facts of the score or else from the fall itself."""
    technical_score(token_mint=MINT, price_drop_15m=10, price=90, inputs={"first_15m": "100"})
    assert not SelloffEvent.objects.exists()
    later = NOON + timedelta(minutes=1)
    technical_score(token_mint=MINT, id=ids.event_id(later, MINT), timestamp=later, price_drop_15m=20, price=80)
    event = SelloffEvent.objects.get()
    assert [event.initial_price, event.lowest_price, event.detection_time] == [100, 80, later]
