"""Holder scores and risks of what was measured, and the score with which a token graduates, frozen once.

Both write under one lock, so that no score is added to a token while it is frozen. What the lock saves is work: that a
token is frozen once is a rule of ``holder_score_freezes``, and that nothing is added afterwards one of a trigger.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction

from holders.selectors import measures
from holders.selectors.measures import Measures
from holders.services import snapshots
from megatron.core import ids, locks
from megatron.core.timescale import chunks
from scoring.domain import holder, risk, stored
from scoring.domain.policy import Policy
from scoring.domain.signs import Signs
from scoring.models import HolderScore, HolderScoreFreeze, RiskMetric
from scoring.selectors import signs
from scoring.services import policies, totals
from tokens.models import Token
from tokens.services import marks

BATCH = 100
"""Snapshots that one transaction scores."""
FINAL_AFTER = timedelta(minutes=1)
"""A graduation that is younger may still be dropped with a fork; the chain is final after some 13 seconds."""
KEPT = timedelta(days=61)
"""Tokens that graduated earlier have no scores any more that could be frozen."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What decides whether the holders of one token are scored."""

    graduated_at: datetime | None
    is_graduated: bool
    is_frozen: bool

    def had_graduated(self, at: datetime) -> bool:
        """Return whether the curve was complete at ``at``; a graduation of an unknown time was long ago."""
        return self.is_frozen or (self.is_graduated and (self.graduated_at is None or self.graduated_at <= at))


_UNKNOWN = _Known(None, is_graduated=False, is_frozen=False)


@transaction.atomic
def score_measured(*, now: datetime, limit: int = BATCH) -> int:
    """Score up to ``limit`` holder snapshots that were measured and not scored yet; return how many were read.

    Each gets its risks, and a holder score when the token is in the window (G4); both hold at the snapshot's time and
    rest on nothing later. Of holders that could not be measured the score is unknown, line by line (G14). The totals of
    these tokens are refreshed in the same transaction. Raises ``policies.NoPolicy``.
    """
    locks.hold_until_commit("scoring.holder")
    read = measures.since(cursor=None, limit=limit)
    if not read:
        return 0
    policy = policies.active()
    known = _known({one.token_mint for one in read})
    scores, risks = _judge(read, known, policy)
    HolderScore.objects.bulk_create(scores, ignore_conflicts=True)
    RiskMetric.objects.bulk_create(risks, ignore_conflicts=True)
    snapshots.scored(keys=[(one.token_mint, one.snapshot_time) for one in read], now=now)
    totals.refresh(mints={one.token_mint for one in read}, now=now)
    reached = {one.token_mint: one.bonding_curve_progress for one in scores if one.bonding_curve_progress is not None}
    transaction.on_commit(partial(marks.holders_scored, progress=reached), robust=True)
    return len(read)


def _judge(
    read: Sequence[Measures], known: Mapping[str, _Known], policy: Policy
) -> tuple[list[HolderScore], list[RiskMetric]]:
    holder_rules, risk_rules = holder.Rules.of(policy.holder), risk.Rules.of(policy.risk)
    figures = signs.read(asked=[(one.token_mint, one.snapshot_time) for one in read], rules=risk_rules)
    scores, risks = [], []
    for one, found_signs in zip(read, figures, strict=True):
        seen = _without_guesses(found_signs, one)
        facts = _holder_facts(one)
        score = holder.score(facts, holder_rules)
        is_scored = _why_not(one, known.get(one.token_mint, _UNKNOWN), policy) is None
        if is_scored:
            scores.append(_score_row(one, facts, score, policy.version))
        risk_facts = _risk_facts(one, score if is_scored else None, score.confidence)
        found = risk.assess(risk_facts, seen, risk_rules)
        risks.append(_risk_row(one, risk_facts, seen, found, policy.version))
    return scores, risks


def _without_guesses(seen: Signs, measured: Measures) -> Signs:
    """Return the signs with insiders unknown where none was found and no wallet was looked up: trades do not tell who funded
    a wallet, so nobody has looked."""
    return replace(seen, insiders=None) if seen.insiders == 0 and not measured.wallets_enriched else seen


def _known(mints: Iterable[str]) -> dict[str, _Known]:
    frozen = set(HolderScoreFreeze.objects.filter(token_mint__in=mints).values_list("token_mint", flat=True))
    rows = Token.objects.filter(mint_address__in=mints)
    return {
        mint: _Known(graduated_at, is_graduated=is_graduated, is_frozen=mint in frozen)
        for mint, is_graduated, graduated_at in rows.values_list("mint_address", "is_graduated", "graduation_timestamp")
    }


def _why_not(measured: Measures, known: _Known, policy: Policy) -> str | None:
    return holder.why_not_active(
        progress_quote_pct=measured.progress_quote_pct,
        total_holders=measured.total_holders,
        is_graduated=known.had_graduated(measured.snapshot_time),
        terms=policy.holder,
        is_measured=not measured.why_not_measured,
    )


def _holder_facts(one: Measures) -> holder.Facts:
    return holder.Facts(
        total_holders=one.total_holders,
        gini=one.gini,
        top_1_pct=one.top_1_pct,
        bot_ratio=one.bot_ratio,
        smart_money_ratio=one.smart_money_ratio,
        avg_wallet_age_days=one.avg_wallet_age_days,
        active_holders=one.active_holders,
        organic=one.organic,
        velocity=one.velocity,
        holders_fetched=one.holders_fetched,
        wallets_sampled=one.wallets_sampled,
        wallets_enriched=one.wallets_enriched,
        has_trades=one.has_trades,
        why_unknown=one.why_not_measured or None,
    )


def _risk_facts(one: Measures, score: holder.Score | None, confidence: Any) -> risk.Facts:
    return risk.Facts(
        total_holders=one.total_holders,
        gini=one.gini,
        top_1_pct=one.top_1_pct,
        top_10_pct=one.top_10_pct,
        bot_ratio=one.bot_ratio,
        mev_ratio=one.mev_ratio,
        new_wallet_ratio=one.new_wallet_ratio,
        smart_money_ratio=one.smart_money_ratio,
        avg_wallet_age_days=one.avg_wallet_age_days,
        holder_score=None if score is None else score.total,
        confidence_pct=confidence,
        why_unknown=one.why_not_measured or None,
    )


def _score_row(one: Measures, facts: holder.Facts, score: holder.Score, version: int) -> HolderScore:
    return HolderScore(
        id=ids.event_id(one.snapshot_time, one.token_mint),
        token_mint=one.token_mint,
        timestamp=one.snapshot_time,
        distribution_score=score.distribution.points,
        gini_coefficient=one.gini,
        theil_index=one.theil,
        shannon_entropy=one.shannon,
        top_10_concentration=one.top_10_pct,
        quality_score=score.quality.points,
        avg_wallet_age_days=one.avg_wallet_age_days,
        smart_money_ratio=one.smart_money_ratio,
        bot_wallet_ratio=one.bot_ratio,
        known_dumper_ratio=one.known_dumper_ratio,
        activity_score=score.activity.points,
        holder_growth_rate=one.holder_growth_rate,
        unique_buyers_1h=one.unique_buyers_1h,
        unique_sellers_1h=one.unique_sellers_1h,
        diamond_hands_ratio=one.diamond_hands_ratio,
        avg_hold_time_hours=one.avg_hold_time_hours,
        available_max=score.available,
        total_holders=one.total_holders,
        active_holders_24h=one.active_holders,
        new_holders_1h=one.new_holders_1h,
        confidence_score=score.confidence,
        confidence_level=score.level,
        data_completeness=score.completeness,
        bonding_curve_progress=one.bonding_curve_progress,
        progress_quote_pct=one.progress_quote_pct,
        policy_version=version,
        breakdown=[part.as_json() for part in score.parts],
        inputs=stored.as_json(facts),
    )


def _risk_row(one: Measures, facts: risk.Facts, seen: Signs, found: risk.Assessment, version: int) -> RiskMetric:
    cautions = [caution.as_json() for caution in found.cautions if not caution.is_flag]
    flags = {level: [it.as_json() for it in found.cautions if it.level == level] for level in ("red", "yellow")}
    return RiskMetric(
        id=ids.event_id(one.snapshot_time, one.token_mint),
        token_mint=one.token_mint,
        timestamp=one.snapshot_time,
        concentration_risk=found.score("concentration"),
        bot_activity_score=found.score("bots"),
        mev_bot_percentage=None if one.mev_ratio is None else one.mev_ratio * 100,
        rug_risk_score=found.score("rug"),
        liquidity_removal_risk=found.score("liquidity_removal"),
        wash_trading_score=found.score("wash_trading"),
        liquidity_risk=found.score("liquidity"),
        volatility_risk=found.score("volatility"),
        pump_dump_risk=found.score("pump_dump"),
        overall_risk_weighted=found.weighted,
        risk_completeness=found.completeness,
        risk_level=found.level,
        confidence_level=found.confidence,
        alerts=cautions,
        red_flags=flags["red"],
        yellow_flags=flags["yellow"],
        evidence={name: {"seen": sign.seen, "words": sign.words} for name, sign in found.signs.items()},
        policy_version=version,
        breakdown=[one_risk.part.as_json() for one_risk in found.risks.values()],
        inputs={"holders": stored.as_json(facts), "signs": stored.as_json(seen)},
        **{name: sign.seen for name, sign in found.signs.items()},
    )


# The newest score before graduation, of each token that has one and is not frozen yet. Whoever comes second finds the key
# taken and nothing to freeze.
_FREEZE = """
WITH graduated AS (
    SELECT mint_address AS mint, graduation_timestamp AS at FROM tokens
    WHERE is_graduated AND (graduation_timestamp IS NULL
                            OR graduation_timestamp <= %(final)s AND graduation_timestamp > %(since)s)
        AND NOT EXISTS (SELECT FROM holder_score_freezes f WHERE f.token_mint = mint_address)
), last AS (
    SELECT g.mint, g.at, score.timestamp, to_jsonb(score) || '{"is_frozen": true}' AS score, to_jsonb(risk) AS risk
    FROM graduated g
    CROSS JOIN LATERAL (
        SELECT * FROM holder_scores h WHERE h.token_mint = g.mint AND (g.at IS NULL OR h.timestamp <= g.at)
        ORDER BY h.timestamp DESC LIMIT 1
    ) AS score
    LEFT JOIN LATERAL (
        SELECT * FROM risk_metrics r WHERE r.token_mint = g.mint AND r.timestamp <= score.timestamp
        ORDER BY r.timestamp DESC LIMIT 1
    ) AS risk ON true
    ORDER BY g.mint LIMIT %(limit)s
)
INSERT INTO holder_score_freezes (id, token_mint, graduated_at, frozen_at, score_time, score, risk)
SELECT event_id(timestamp, mint::text), mint, at, %(now)s, timestamp, score, risk FROM last ORDER BY mint
ON CONFLICT (token_mint) DO NOTHING
RETURNING token_mint, score_time
"""

_MARK_FROZEN = f"""
UPDATE holder_scores h SET is_frozen = true
FROM unnest(%(mints)s::text[], %(ats)s::timestamptz[]) AS frozen(mint, at)
WHERE h.token_mint = frozen.mint AND h.timestamp = frozen.at AND {chunks.within("h.token_mint", "h.timestamp", "text")}
"""


@transaction.atomic
def freeze_graduated(*, now: datetime, limit: int = 500) -> int:
    """Freeze the last score of up to ``limit`` tokens that graduated, each exactly once; return how many.

    A graduation counts when it is :data:`FINAL_AFTER` old. A token without a score has nothing to freeze.
    """
    locks.hold_until_commit("scoring.holder")
    with connection.cursor() as cursor:
        cursor.execute(_FREEZE, {"now": now, "final": now - FINAL_AFTER, "since": now - KEPT, "limit": limit})
        frozen = dict(cursor.fetchall())
        if not frozen:
            return 0
        # A token's last score may be old and compressed: then its batch alone is opened.
        for stretch in chunks.stretches(connection, "holder_scores", list(frozen.items())):
            mints, ats = [mint for mint, _ in stretch.rows], [at for _, at in stretch.rows]
            cursor.execute(_MARK_FROZEN, stretch.bounds | {"mints": mints, "ats": ats})
    totals.refresh(mints=list(frozen), now=now)
    return len(frozen)
