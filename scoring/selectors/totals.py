"""What totals are made from, for many tokens at once: the newest row of each part, and the total that stands."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from megatron.core.timescale.bounds import bounded, has_chunks
from scoring.domain.terms import Section
from scoring.domain.total import Inputs, PartPoints
from scoring.domain.verdicts import Facts

BLOCKS = (
    "market_cap_score",
    "bonding_curve_score",
    "trading_health_score",
    "selloff_response_score",
    "distribution_score",
    "quality_score",
    "activity_score",
    "twitter_score",
    "community_score",
    "virality_score",
)
"""Columns of ``token_scores`` that are a part's own."""

STANDING = (
    "technical_score",
    "holder_score",
    "social_score",
    *BLOCKS,
    "available_max",
    "completeness",
    "score_multiplier",
    "is_disqualified",
    "red_flags",
    "policy_version",
)
"""Columns that say whether a total is still what it was."""
CARRIED = ("ml_graduation_probability", "ml_confidence_score", "ml_model_version")
"""Columns that a prediction brings; the next total keeps them."""

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All that one token's total is made from, and what its standing total was made of (``None``: it has none)."""

    token_id: UUID
    mint: str
    inputs: Inputs
    sources: dict[str, dict[str, Any] | None]
    """Part → when its row was made and by which policy version; None without a row."""
    blocks: dict[str, Decimal | None]
    standing: dict[str, Any] | None
    """The columns of the newest total; ``calculated_at`` among them."""


# A graduated token has no newer holder score than its frozen one, whose own row goes with its chunk.
_NEWEST = """
SELECT t.id AS token_id, t.mint_address AS mint,
       tech.timestamp AS technical_at, tech.policy_version AS technical_policy, tech.available_max AS technical_available,
       tech.total_score AS technical_points, tech.market_cap_score, tech.bonding_curve_score, tech.trading_health_score,
       tech.selloff_response_score,
       hold.timestamp AS holder_at, hold.policy_version AS holder_policy, hold.available_max AS holder_available,
       hold.total_score AS holder_points, hold.distribution_score, hold.quality_score, hold.activity_score,
       hold.data_completeness AS holder_completeness,
       soc.calculated_at AS social_at, soc.policy_version AS social_policy, soc.available_max AS social_available,
       soc.total_score AS social_points, soc.twitter_score, soc.community_score, soc.virality_score,
       risk.timestamp AS risk_at, risk.policy_version AS risk_policy,
       hold.total_holders AS holders, earlier.total_holders AS holders_before,
       round(extract(epoch FROM hold.timestamp - earlier.timestamp) / 3600, 4) AS holders_hours,
       CASE WHEN t.is_graduated THEN 100 ELSE tech.progress_quote_pct END AS progress_pct,
       round(extract(epoch FROM coalesce(reached.timestamp, t.graduation_timestamp, late.timestamp)
                              - t.creation_timestamp) / 3600, 4) AS reached_after_hours,
       (risk.inputs #>> '{holders,new_wallet_ratio}')::numeric AS new_ratio,
       (risk.inputs #>> '{holders,bot_ratio}')::numeric AS bot_ratio,
       coalesce(snap.top_1_percentage, (risk.inputs #>> '{holders,top_1_pct}')::numeric) AS top_1_pct,
       snap.top_5_percentage AS top_5_pct,
       (soc.inputs ->> 'sentiment')::numeric AS sentiment, (soc.inputs ->> 'mentions_24h')::numeric AS mentions_24h,
       (soc.inputs ->> 'engagement_rate')::numeric AS engagement_pct,
       risk.wash_trading_score, risk.bot_swarm_detected AS bot_swarm,
       risk.whale_coordination_detected AS whale_coordination, risk.creator_dumping, risk.insider_selling,
       risk.pump_dump_pattern AS pump_dump, risk.coordinated_buying,
       {standing}
  FROM tokens t
  LEFT JOIN holder_score_freezes frozen ON frozen.token_mint = t.mint_address
  LEFT JOIN LATERAL (
    SELECT * FROM technical_scores s WHERE s.token_mint = t.mint_address AND {technical}
     ORDER BY s.timestamp DESC LIMIT 1
  ) tech ON true
  LEFT JOIN LATERAL (
    SELECT kept.* FROM jsonb_populate_record(NULL::holder_scores, frozen.score) kept WHERE frozen.token_mint IS NOT NULL
     UNION ALL
    (SELECT * FROM holder_scores s WHERE s.token_mint = t.mint_address AND frozen.token_mint IS NULL AND {holder}
      ORDER BY s.timestamp DESC LIMIT 1)
  ) hold ON true
  LEFT JOIN LATERAL (
    SELECT kept.* FROM jsonb_populate_record(NULL::risk_metrics, frozen.risk) kept WHERE frozen.token_mint IS NOT NULL
     UNION ALL
    (SELECT * FROM risk_metrics s WHERE s.token_mint = t.mint_address AND frozen.token_mint IS NULL AND {risk}
      ORDER BY s.timestamp DESC LIMIT 1)
  ) risk ON true
  LEFT JOIN LATERAL (
    SELECT * FROM social_scores s WHERE s.token_id = t.id AND {social} ORDER BY s.calculated_at DESC LIMIT 1
  ) soc ON true
  LEFT JOIN LATERAL (
    SELECT s.top_1_percentage, s.top_5_percentage FROM holder_snapshots s
     WHERE s.token_mint = t.mint_address AND s.snapshot_time = coalesce(risk.timestamp, hold.timestamp) AND {snapshot}
     LIMIT 1
  ) snap ON true
  LEFT JOIN LATERAL (
    SELECT s.timestamp, s.total_holders FROM holder_scores s
     WHERE s.token_mint = t.mint_address AND s.timestamp < hold.timestamp
       AND s.timestamp >= hold.timestamp - %(growth_hours)s * INTERVAL '1 hour' AND {earlier}
     ORDER BY s.timestamp LIMIT 1
  ) earlier ON true
  LEFT JOIN LATERAL (
    SELECT s.timestamp FROM technical_scores s
     WHERE s.token_mint = t.mint_address AND s.timestamp >= t.creation_timestamp
       AND s.timestamp < t.creation_timestamp + %(strong_hours)s * INTERVAL '1 hour' AND {reached}
       AND s.progress_quote_pct >= %(strong_pct)s
     ORDER BY s.timestamp LIMIT 1
  ) reached ON t.is_graduated OR tech.progress_quote_pct >= %(strong_pct)s
  -- Not seen in time: as late as it is seen now.
  LEFT JOIN LATERAL (SELECT tech.timestamp WHERE tech.progress_quote_pct >= %(strong_pct)s) late ON true
  LEFT JOIN latest_token_scores latest ON latest.token_id = t.id
  LEFT JOIN token_scores standing ON standing.id = latest.score_id
 WHERE t.id = ANY(%(tokens)s)
 ORDER BY t.id
"""
_STANDING = ", ".join(f"standing.{name} AS standing_{name}" for name in ("calculated_at", *STANDING, *CARRIED))

# No part's newest row is older than the one that the standing total was made of, and none is older than its token.
_KNOWN = """
SELECT min(coalesce((standing.inputs #>> '{sources,technical,at}')::timestamptz, t.creation_timestamp, 'epoch')),
       min(coalesce((standing.inputs #>> '{sources,holder,at}')::timestamptz, t.creation_timestamp, 'epoch')),
       min(coalesce((standing.inputs #>> '{sources,risk,at}')::timestamptz, t.creation_timestamp, 'epoch')),
       min(coalesce((standing.inputs #>> '{sources,social,at}')::timestamptz, t.creation_timestamp, 'epoch')),
       min(t.creation_timestamp), max(t.creation_timestamp)
  FROM tokens t
  LEFT JOIN latest_token_scores latest ON latest.token_id = t.id
  LEFT JOIN token_scores standing ON standing.id = latest.score_id
 WHERE t.id = ANY(%(tokens)s)
"""
_SLACK = timedelta(days=1)
_BOUNDS = {
    "technical": "s.timestamp >= %(technical)s",
    "holder": "s.timestamp >= %(holder)s",
    "risk": "s.timestamp >= %(risk)s",
    "social": "s.calculated_at >= %(social)s",
    "snapshot": "s.snapshot_time >= %(snapshot)s",
    "earlier": "s.timestamp >= %(holder)s::timestamptz - %(growth_hours)s * INTERVAL '1 hour'",
    "reached": "s.timestamp >= %(first)s AND s.timestamp < %(last)s::timestamptz + %(strong_hours)s * INTERVAL '1 hour'",
}


def gathered(*, tokens: Collection[UUID], terms: Section) -> Iterator[Gathered]:
    """Yield what the totals of ``tokens`` are made from, in the order of their ids; one query for any number, and one more
    where there are chunks, of which all would be planned.

    ``terms`` is a policy's section ``total``: it says how far back growth is measured and what a strong curve is.
    """
    growth, strong = (terms.section("multipliers").section(name) for name in ("organic_growth", "strong_curve"))
    reached = strong.number("progress_pct")
    asked: dict[str, Any] = {
        "tokens": list(tokens),
        "growth_hours": growth.number("hours"),
        "strong_hours": strong.number("hours"),
        "strong_pct": reached,
    }
    with connection.cursor() as cursor:
        if has_chunks():
            asked |= _known(cursor, asked)
        bounds = {part: bounded(condition) for part, condition in _BOUNDS.items()}
        # Not str.format: the statement has braces of its own.
        statement = _NEWEST.replace("{standing}", _STANDING)
        for part, condition in bounds.items():
            statement = statement.replace(f"{{{part}}}", condition)
        cursor.execute(statement, asked)
        names = [column.name for column in cursor.description or ()]
        for row in cursor.fetchall():
            yield _gathered(dict(zip(names, row, strict=True)), reached_pct=reached)


def _known(cursor: Any, asked: dict[str, Any]) -> dict[str, datetime | None]:
    """Return from when on the newest rows of each part are, for all tokens together, and when these were created."""
    cursor.execute(_KNOWN, asked)
    technical, holder, risk, social, first, last = cursor.fetchone()
    if technical is None:  # no such token
        technical = holder = risk = social = datetime.fromtimestamp(0, UTC)
    since = {"technical": technical, "holder": holder, "risk": risk, "social": social, "snapshot": min(holder, risk)}
    return {**{part: at - _SLACK for part, at in since.items()}, "first": first, "last": last}


def _gathered(row: dict[str, Any], *, reached_pct: Decimal) -> Gathered:
    standing = {name: row[f"standing_{name}"] for name in ("calculated_at", *STANDING, *CARRIED)}
    return Gathered(
        token_id=row["token_id"],
        mint=row["mint"],
        inputs=Inputs(
            technical=_part(row, "technical", BLOCKS[:4]),
            holder=_part(row, "holder", BLOCKS[4:7], completeness=row["holder_completeness"]),
            social=_part(row, "social", BLOCKS[7:]),
            facts=_facts(row, reached_pct=reached_pct),
        ),
        sources={name: _source(row, name) for name in ("technical", "holder", "social", "risk")},
        blocks={name: None if row[name] is None else row[name].quantize(_CENT) for name in BLOCKS},
        standing=None if standing["calculated_at"] is None else standing,
    )


def _part(
    row: dict[str, Any], name: str, blocks: Sequence[str], *, completeness: Decimal | None = Decimal(100)
) -> PartPoints:
    """Return what a part brings; a row of which no block is known brings nothing."""
    if all(row[block] is None for block in blocks):
        return PartPoints(None, Decimal(0), Decimal(0))
    return PartPoints(row[f"{name}_points"], row[f"{name}_available"], (completeness or Decimal(0)) / 100)


def _source(row: dict[str, Any], name: str) -> dict[str, Any] | None:
    at: datetime | None = row[f"{name}_at"]
    return None if at is None else {"at": at.isoformat(), "policy_version": row[f"{name}_policy"]}


def _facts(row: dict[str, Any], *, reached_pct: Decimal) -> Facts:
    fresh, bots = row["new_ratio"], row["bot_ratio"]
    known = None if fresh is None or bots is None else max(Decimal(0), 1 - fresh - bots)
    same = (
        "holders_before",
        "holders_hours",
        "progress_pct",
        "reached_after_hours",
        "top_1_pct",
        "top_5_pct",
        "sentiment",
        "mentions_24h",
        "engagement_pct",
        "wash_trading_score",
        "bot_swarm",
        "whale_coordination",
        "creator_dumping",
        "insider_selling",
        "pump_dump",
        "coordinated_buying",
    )
    hours = row["reached_after_hours"]
    return Facts(
        holders=row["holders"],
        known_ratio=known,
        reached_pct=None if hours is None else reached_pct,
        **{name: _number(row[name]) for name in same},
    )


def _number(value: Any) -> Any:
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
