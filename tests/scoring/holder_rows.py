"""Holder scores, risks and measured snapshots as rows; name only what the test is about."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from holders.models import HolderSnapshot
from megatron.core import ids
from scoring.choices import Confidence, RiskLevel
from scoring.models import HolderScore, HolderScoreFreeze, RiskMetric
from tests import factories
from tests.factories import NOON

_serial: Iterator[int] = count(1)


def _keyed(fields: dict[str, Any]) -> dict[str, Any]:
    mint = fields.pop("token_mint", None) or factories.address(f"scored mint {next(_serial)}")
    at = fields.pop("timestamp", NOON)
    return {"id": ids.event_id(at, mint), "token_mint": mint, "timestamp": at, **fields}


def holder_score(**fields: Any) -> HolderScore:
    """Create a score of 200 of 333 points at half of the quote target."""
    defaults = {
        "distribution_score": 75,
        "quality_score": 65,
        "activity_score": 60,
        "available_max": 333,
        "total_holders": 120,
        "confidence_score": 85,
        "confidence_level": Confidence.HIGH,
        "data_completeness": 90,
        "bonding_curve_progress": 70,
        "progress_quote_pct": 50,
        "policy_version": 1,
        "breakdown": [],
        "inputs": {},
    }
    return HolderScore.objects.create(**_keyed({**defaults, **fields}))


def risk_metric(**fields: Any) -> RiskMetric:
    """Create moderate risks of which everything is known."""
    defaults = {
        "concentration_risk": 24,
        "bot_activity_score": 20,
        "rug_risk_score": 45,
        "wash_trading_score": 0,
        "overall_risk_weighted": 30,
        "risk_completeness": 100,
        "risk_level": RiskLevel.MODERATE,
        "alerts": [],
        "red_flags": [],
        "yellow_flags": [],
        "evidence": {},
        "policy_version": 1,
        "breakdown": [],
        "inputs": {},
    }
    return RiskMetric.objects.create(**_keyed({**defaults, **fields}))


def freeze(**fields: Any) -> HolderScoreFreeze:
    """Create the frozen score of a token that graduated at :data:`NOON`."""
    score = fields.pop("score", {"total_score": "200.00"})
    defaults = {
        "token_mint": factories.address(f"frozen mint {next(_serial)}"),
        "graduated_at": NOON,
        "frozen_at": NOON + timedelta(minutes=2),
        "score_time": NOON - timedelta(minutes=5),
    }
    return HolderScoreFreeze.objects.create(score=score, **{**defaults, **fields})


def snapshot(mint: str, at: datetime = NOON, **fields: Any) -> HolderSnapshot:
    """Create a snapshot of 120 holders that was measured, at half of the quote target."""
    defaults = {
        "data_source": "transactions",
        "is_complete": True,
        "total_holders": 120,
        "unique_holders": 121,
        "holders_fetched": 120,
        "active_holders": 60,
        "has_trades": True,
        "gini_coefficient": "0.45",
        "top_1_percentage": 9,
        "top_10_percentage": 40,
        "bonding_curve_progress": 70,
        "progress_quote_pct": 50,
        "measured_at": at,
    }
    return HolderSnapshot.objects.create(token_mint=mint, snapshot_time=at, **{**defaults, **fields})
