"""Holders that pages show, as rows; name only what the test is about."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from holders.models import HolderSnapshot, TokenHolder, WalletCluster, WalletQualityMetric
from megatron.core import ids
from tests.factories import NOON, address
from tokens.models import Token

LORENZ = [["0", "0"], ["0.5", "0.1"], ["0.9", "0.4"], ["1", "1"]]
"""The poorer half has a tenth, the richest tenth six."""


def snapshot(token: Token, **fields: Any) -> HolderSnapshot:
    """Create a complete list of 200 holders at :data:`NOON`."""
    distribution = {
        "lorenz": LORENZ,
        "excluded": [{"wallet": address(f"curve of {token}"), "reason": "curve", "balance": "500000000"}],
    }
    defaults = {
        "snapshot_time": NOON,
        "slot": 420_000_000,
        "data_source": "helius_rpc",
        "is_complete": True,
        "total_holders": 200,
        "unique_holders": 201,
        "holders_fetched": 201,
        "active_holders": 80,
        "new_holders_1h": 12,
        "holder_growth_rate": Decimal("6.4"),
        "has_trades": True,
        "gini_coefficient": Decimal("0.71"),
        "hhi": Decimal(310),
        "circulating_supply": Decimal(500_000_000),
        "excluded_balance": Decimal(500_000_000),
        "top_1_percentage": Decimal(12),
        "top_10_percentage": Decimal(45),
        "top_50_percentage": Decimal(88),
        "top_100_percentage": Decimal(97),
        "creator_percentage": Decimal("3.5"),
        "holders_1_100": 20,
        "holders_100k_plus": 180,
        "median_holding_size": Decimal(900_000),
        "raw_distribution": distribution,
    }
    return HolderSnapshot.objects.create(token_mint=token.mint_address, **{**defaults, **fields})


def quality(token: Token, **fields: Any) -> WalletQualityMetric:
    """Create what 60 analysed wallets of that list are."""
    defaults = {
        "snapshot_time": NOON,
        "wallets_sampled": 70,
        "wallets_enriched": 60,
        "data_completeness": Decimal("94.5"),
        "classes": {"bot": 9, "retail": 40, "whale": 2},
    }
    return WalletQualityMetric.objects.create(token_mint=token.mint_address, **{**defaults, **fields})


def holding(token: Token, wallet: str, **fields: Any) -> TokenHolder:
    """Create a holding of 60 million tokens with a profit, judged to be nothing special."""
    defaults = {
        "current_balance": Decimal(60_000_000),
        "avg_buy_price": Decimal("0.000000031"),
        "realized_pnl_sol": Decimal("1.25"),
        "unrealized_pnl_sol": Decimal("-0.5"),
        "first_transaction_time": NOON - timedelta(hours=30),
        "hold_hours": Decimal(30),
        "flags": [],
        "flagged_at": NOON,
        "last_updated": NOON,
    }
    return TokenHolder.objects.create(
        token_mint=token.mint_address, wallet_address=address(wallet), **{**defaults, **fields}
    )


def cluster(token: Token, *wallets: str, **fields: Any) -> WalletCluster:
    """Create a group of ``wallets`` that one wallet funded."""
    members = sorted(map(address, wallets))
    defaults = {
        "id": ids.derived_id("wallet cluster", token.mint_address, *members),
        "snapshot_time": NOON,
        "kind": "funding",
        "members": members,
        "funders": [address("funder")],
        "size": len(members),
        "balance": Decimal(90_000_000),
        "share_pct": Decimal(18),
    }
    return WalletCluster.objects.create(token_mint=token.mint_address, **{**defaults, **fields})
