"""How fast tokens get their full score of 999: market from candles and trades, holders with their risks from measured
snapshots, social from readings, and the total with its multipliers and flags, all written."""

import time
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.db import connection

from benchmarks import rescoring
from benchmarks.results import Result
from benchmarks.sizes import size
from holders.choices import HolderOrigin
from holders.models import HolderSnapshot, WalletQualityMetric
from megatron.core import ids
from scoring.choices import SocialOrigin
from scoring.models import SocialMetric, TokenScore
from scoring.services import holder, social, technical
from tokens.models import Token

TOKENS = size(1_000, 40)
SAMPLE = size(50, 5)
"""Tokens that are scored one at a time, for comparison."""
NOW = rescoring.NOW + timedelta(minutes=1)


def run() -> list[Result]:
    """Return fully scored tokens a second, a thousand together against one at a time."""
    named = Token.objects.filter(name__startswith="Rescored ").order_by("mint_address")
    if not named.exists():
        rescoring._fill()
    tokens = list(named[: TOKENS + SAMPLE])
    together, alone = tokens[:TOKENS], tokens[TOKENS:]
    ours = TOKENS / _seconds([together])
    slow = SAMPLE / _seconds([[token] for token in alone])
    whole = TokenScore.objects.filter(technical_score__gt=0, holder_score__gt=0, social_score__gt=0)
    assert whole.values("token").distinct().count() == TOKENS + SAMPLE, "Every token must have all three parts."
    return [Result("score_999_per_s", ours, "tokens/s", slow, ours / slow)]


def _seconds(groups: Sequence[Sequence[Token]]) -> float:
    """Return how long it takes to score the tokens of each group together, group after group."""
    taken = 0.0
    for group in groups:
        _look(group)
        start = time.perf_counter()
        technical.score(mints=[token.mint_address for token in group], now=NOW)
        while holder.score_measured(now=NOW):
            pass
        social.score(token_ids=[token.pk for token in group], now=NOW)
        taken += time.perf_counter() - start
    return taken


def _look(tokens: Sequence[Token]) -> None:
    """Write what was measured of the holders and what a source said, each token a little different."""
    HolderSnapshot.objects.bulk_create([_snapshot(token, place) for place, token in enumerate(tokens)])
    WalletQualityMetric.objects.bulk_create([_quality(token, place) for place, token in enumerate(tokens)])
    SocialMetric.objects.bulk_create([_reading(token, place) for place, token in enumerate(tokens)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE holder_snapshots, wallet_quality_metrics, social_metrics")


def _snapshot(token: Token, place: int) -> HolderSnapshot:
    return HolderSnapshot(
        token_mint=token.mint_address,
        snapshot_time=NOW,
        data_source=HolderOrigin.TRADES,
        is_complete=True,
        total_holders=50 + place % 300,
        unique_holders=51 + place % 300,
        holders_fetched=51 + place % 300,
        active_holders=30 + place % 20,
        has_trades=True,
        gini_coefficient=Decimal(30 + place % 60) / 100,
        top_1_percentage=3 + place % 20,
        top_5_percentage=12 + place % 40,
        top_10_percentage=20 + place % 50,
        progress_quote_pct=10 + place % 80,
        measured_at=NOW,
    )


def _quality(token: Token, place: int) -> WalletQualityMetric:
    return WalletQualityMetric(
        token_mint=token.mint_address,
        snapshot_time=NOW,
        wallets_sampled=100,
        wallets_enriched=100,
        avg_wallet_age_days=5 + place % 200,
        new_wallet_ratio=Decimal(place % 50) / 100,
        bot_ratio=Decimal(place % 40) / 100,
        smart_money_ratio=Decimal(place % 12) / 100,
        organic_score=Decimal(place % 100) / 100,
        velocity_score=Decimal(place % 90) / 100,
        data_completeness=100,
    )


def _reading(token: Token, place: int) -> SocialMetric:
    return SocialMetric(
        id=ids.event_id(NOW, token.pk, SocialOrigin.TELEGRAM),
        token=token,
        timestamp=NOW,
        source=SocialOrigin.TELEGRAM,
        telegram_members=10 + place,
        telegram_messages_1h=place % 200,
    )
