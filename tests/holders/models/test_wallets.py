"""Each rule of what is known of wallets refuses the row that breaks it, whoever writes."""

from datetime import timedelta

import pytest

from holders.models import WalletAnalysis, WalletCluster, WalletQualityMetric
from tests import breaking
from tests.breaking import Build, Case
from tests.factories import NOON, address
from tests.holders.people import DAY, analysis, cluster, funding, quality

pytestmark = pytest.mark.django_db


def funded() -> WalletAnalysis:
    """Create a wallet that was funded by a rich one."""
    return analysis(**funding("w", by=address("rich"), at=NOON - DAY))


def funded_by_itself() -> dict[str, str]:
    return {"wallet_address": address("rich")}


BROKEN: list[Case] = [
    ("wallet_source_known", analysis, {"source": "rumour"}),
    ("wallet_type_known", analysis, {"wallet_type": "saint"}),
    ("wallet_classes_known", analysis, {"classes": ["bot", "saint"]}),
    ("wallet_funding_is_whole", funded, {"funded_at": None}),
    ("wallet_funding_is_whole", analysis, {"funder": address("rich")}),
    ("wallet_funded_by_another", funded, funded_by_itself()),
    ("wallet_valid_after_analysis", analysis, {"valid_until": NOON}),
    ("wallet_first_seen_before_last", analysis, {"first_seen_at": NOON - timedelta(hours=2)}),
    ("wallet_seen_before_analysis", analysis, {"last_seen_at": NOON + timedelta(seconds=1)}),
    ("wallet_scores_in_range", analysis, {"bot_score": 1.01}),
    ("wallet_scores_in_range", analysis, {"smart_score": -0.01}),
    *(
        ("wallet_counts_not_negative", analysis, {column: -1})
        for column in (
            "wallet_age_days",
            "total_transactions",
            "unique_tokens_traded",
            "graduated_tokens",
            "dumped_tokens",
            "rug_pull_participation",
        )
    ),
    ("wallet_quality_enriched_of_sampled", quality, {"wallets_enriched": 5}),
    ("wallet_quality_ratio_of_somebody", quality, {"bot_ratio": 0}),
    *(
        ("wallet_quality_ratios_in_range", quality, {column: value})
        for column in (
            "new_wallet_ratio",
            "diamond_hands_ratio",
            "organic_score",
            "velocity_score",
            "known_dumper_ratio",
        )
        for value in (-0.01, 1.01)
    ),
    ("wallet_cluster_kind_known", cluster, {"kind": "friends"}),
    ("wallet_cluster_of_at_least_two", cluster, {"size": 1, "members": [address("one")]}),
    ("wallet_cluster_size_counts_members", cluster, {"size": 3}),
    ("wallet_cluster_balance_not_negative", cluster, {"balance": -1}),
]
FIELDS: list[Case] = [
    *breaking.field_cases(funded, WalletAnalysis),
    *breaking.field_cases(quality, WalletQualityMetric),
    *breaking.field_cases(cluster, WalletCluster),
]
TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "wallet_analysis_once": (analysis, ("wallet_address",)),
    "wallet_quality_once_a_snapshot": (quality, ("token_mint", "snapshot_time")),
}


@pytest.mark.parametrize(("name", "build", "change"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize(("name", "build", "change"), FIELDS, ids=[name for name, _, _ in FIELDS])
def test_a_value_outside_its_type_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each field's own check refuses what its type rules out."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """A wallet is known once, a snapshot measured once."""
    assert breaking.refusal_of_second(*TWINS[name]) == name
