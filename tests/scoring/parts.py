"""The parts of a total as rows, each made from facts by the rules that hold; name only what the test is about."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from megatron.core import ids
from scoring.domain import holder as holders
from scoring.domain import risk as risks
from scoring.domain import social as socials
from scoring.domain import stored
from scoring.domain.rescoring import Rules
from scoring.domain.signs import Signs
from scoring.domain.technical import facts as market
from scoring.domain.technical import scored
from scoring.models import HolderScore, RiskMetric, SocialScore, TechnicalScore
from scoring.services import policies
from tests.factories import NOON
from tokens.models import Token

CALM = market.Facts(
    market_cap_usd=Decimal(30_000),
    price=Decimal("0.0000001"),
    before=Decimal("0.000000099"),
    before_minutes=Decimal(1),
    progress=tuple(Decimal(value) for value in ("49", "49.1", "49.2", "49.3", "49.4", "49.5", "49.6")),
    buys=(Decimal(10), Decimal(5), Decimal(2), Decimal(1)),
    sells=(Decimal(2), Decimal(1), Decimal(1), Decimal(1)),
    trades_1h=40,
    largest=Decimal(2),
    first_5m=Decimal("0.000000098"),
    first_15m=Decimal("0.000000095"),
    first_30m=Decimal("0.00000009"),
    first_60m=Decimal("0.00000008"),
)
"""A token that rises calmly."""

WIDE = holders.Facts(
    total_holders=320,
    gini=Decimal("0.45"),
    top_1_pct=Decimal("4.2"),
    bot_ratio=Decimal("0.05"),
    smart_money_ratio=Decimal("0.06"),
    avg_wallet_age_days=Decimal(120),
    active_holders=200,
    organic=Decimal("0.8"),
    velocity=Decimal("0.5"),
    holders_fetched=320,
    wallets_sampled=150,
    wallets_enriched=150,
    has_trades=True,
)
"""Many holders, none of them large."""

SAFE = risks.Facts(
    total_holders=320,
    gini=Decimal("0.45"),
    top_1_pct=Decimal("4.2"),
    top_10_pct=Decimal(25),
    bot_ratio=Decimal("0.05"),
    new_wallet_ratio=Decimal("0.1"),
)

LOUD = socials.Figures(engagement_rate=Decimal(5), influencer_mentions=Decimal(10), sentiment=Decimal("0.7"))


def technical(token: Token, *, at: datetime = NOON, facts: market.Facts = CALM, **fields: Any) -> TechnicalScore:
    """Create the technical score of ``facts``."""
    policy = policies.active()
    found = scored.score(scored.Terms.of(policy.technical), facts)
    cap, curve, health, selloff = (part.points for part in found.parts)
    defaults = {
        "market_cap_score": cap,
        "bonding_curve_score": curve,
        "trading_health_score": health,
        "selloff_response_score": selloff,
        "market_cap_usd": facts.market_cap_usd,
        "progress_quote_pct": facts.progress[-1],
        "available_max": found.available,
        "unique_traders_1h": 20,
        "transactions_1h": facts.trades_1h,
        "policy_version": policy.version,
        "inputs": facts.as_json(),
    }
    return TechnicalScore.objects.create(
        id=ids.event_id(at, token.mint_address), token_mint=token.mint_address, timestamp=at, **{**defaults, **fields}
    )


def holder(token: Token, *, at: datetime = NOON, facts: holders.Facts = WIDE, **fields: Any) -> HolderScore:
    """Create the holder score of ``facts``."""
    policy = policies.active()
    found = holders.score(facts, holders.Rules.of(policy.holder))
    defaults = {
        "distribution_score": found.distribution.points,
        "quality_score": found.quality.points,
        "activity_score": found.activity.points,
        "available_max": found.available,
        "total_holders": facts.total_holders,
        "progress_quote_pct": Decimal(50),
        "confidence_level": found.level,
        "data_completeness": found.completeness,
        "policy_version": policy.version,
        "breakdown": [part.as_json() for part in found.parts],
        "inputs": stored.as_json(facts),
    }
    return HolderScore.objects.create(
        id=ids.event_id(at, token.mint_address), token_mint=token.mint_address, timestamp=at, **{**defaults, **fields}
    )


def social(token: Token, *, at: datetime = NOON, figures: socials.Figures = LOUD, **fields: Any) -> SocialScore:
    """Create the social score of ``figures``."""
    policy = policies.active()
    found = socials.score(figures, policy.social)
    defaults = {
        "twitter_score": found.twitter.points,
        "community_score": found.community.points,
        "virality_score": found.virality.points,
        "available_max": found.available,
        "policy_version": policy.version,
        "breakdown": [part.as_json() for part in found.parts],
        "inputs": figures.as_json(),
    }
    return SocialScore.objects.create(
        id=ids.event_id(at, token.pk), token=token, calculated_at=at, **{**defaults, **fields}
    )


def risk(
    token: Token, *, at: datetime = NOON, facts: risks.Facts = SAFE, signs: Signs | None = None, **fields: Any
) -> RiskMetric:
    """Create what speaks against a token by ``facts`` and ``signs``."""
    policy = policies.active()
    figures = signs or Signs()
    found = risks.assess(facts, figures, Rules.of(policy).risk)
    defaults = {
        "wash_trading_score": found.score("wash_trading"),
        "risk_completeness": found.completeness,
        "risk_level": found.level,
        "alerts": [],
        "red_flags": [],
        "yellow_flags": [],
        "evidence": {},
        "breakdown": [],
        "policy_version": policy.version,
        "inputs": {"holders": stored.as_json(facts), "signs": stored.as_json(figures)},
        **{name: sign.seen for name, sign in found.signs.items()},
    }
    return RiskMetric.objects.create(
        id=ids.event_id(at, token.mint_address), token_mint=token.mint_address, timestamp=at, **{**defaults, **fields}
    )


def later(minutes: int) -> datetime:
    """Return so many minutes after :data:`NOON`."""
    return NOON + timedelta(minutes=minutes)
