"""Wallets, holdings and snapshots for tests: plain functions with defaults; name only what the test is about."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from holders.choices import ClusterKind, HolderOrigin, WalletClass, WalletOrigin
from holders.models import HolderSnapshot, TokenHolder, WalletAnalysis, WalletCluster, WalletQualityMetric
from megatron.clients.errors import ClientError
from megatron.clients.ports import FirstFunding, Landed, WalletHistory
from megatron.core import ids
from tests import factories
from tests.factories import NOON, address, signature
from tokens.choices import TransactionType
from tokens.models import Pool, Transaction

DAY = timedelta(days=1)


def snapshot(of: Pool, **fields: Any) -> HolderSnapshot:
    """Create the snapshot of ``of``'s token at :data:`NOON`: 1,000 whole tokens circulate, all holders are listed."""
    defaults: dict[str, Any] = {
        "token_mint": of.token.mint_address,
        "snapshot_time": NOON,
        "data_source": HolderOrigin.TRADES,
        "is_complete": True,
        "total_holders": 4,
        "unique_holders": 5,
        "holders_fetched": 5,
        "has_trades": True,
        "circulating_supply": Decimal(1_000),
        "judged_percentage": Decimal(100),
        "raw_distribution": {"excluded": [{"wallet": of.pool_address, "reason": "curve", "balance": "9"}]},
    }
    return HolderSnapshot.objects.create(**{**defaults, **fields})


def holding(of: Pool, wallet: str, balance: int | str = 100, **fields: Any) -> TokenHolder:
    """Create the holding of ``balance`` whole tokens by ``wallet``, whose last trade was at :data:`NOON`."""
    defaults: dict[str, Any] = {
        "token_mint": of.token.mint_address,
        "wallet_address": wallet,
        "current_balance": Decimal(balance),
        "traded_balance": Decimal(balance),
        "last_transaction_time": NOON,
        "last_updated": NOON,
    }
    return TokenHolder.objects.create(**{**defaults, **fields})


def trade(
    of: Pool, wallet: str, tokens: int | str, *, at: datetime, buy: bool = True, sol: str = "1", **fields: Any
) -> Transaction:
    """Create a trade of whole ``tokens`` by ``wallet``; its slot is the second after :data:`NOON` above 420,000,000."""
    raw, lamports = int(Decimal(tokens) * 10**6), int(Decimal(sol) * 10**9)
    moved = {"amount_in": lamports, "amount_out": raw} if buy else {"amount_in": raw, "amount_out": lamports}
    defaults: dict[str, Any] = {
        "type": TransactionType.BUY if buy else TransactionType.SELL,
        "user_address": wallet,
        "slot": 420_000_000 + int((at - NOON).total_seconds()),
        "token_amount": Decimal(tokens),
        "sol_amount": Decimal(sol),
        "sol_amount_usd": 150 * Decimal(sol),
        "protocol_fee": 0,
        "block_time": at,
    }
    return factories.transaction(of, **{**defaults, **moved, **fields})


def analysis(wallet: str | None = None, **fields: Any) -> WalletAnalysis:
    """Create what is known of an unremarkable wallet of 60 days, looked up at :data:`NOON`."""
    wallet = wallet or address(f"wallet {WalletAnalysis.objects.count()}")
    defaults: dict[str, Any] = {
        "wallet_address": wallet,
        "wallet_age_days": 60,
        "first_seen_at": NOON - 60 * DAY,
        "from_start": True,
        "last_seen_at": NOON - timedelta(hours=3),
        "total_transactions": 50,
        "is_whole": True,
        "sol_lamports": 2_340_000_000,
        "unique_tokens_traded": 3,
        "graduated_tokens": 0,
        "dumped_tokens": 0,
        "bot_score": Decimal(0),
        "smart_score": Decimal(0),
        "wallet_type": WalletClass.RETAIL,
        "source": WalletOrigin.CHAIN,
        "last_analyzed": NOON,
        "valid_until": NOON + DAY,
    }
    return WalletAnalysis.objects.create(**{**defaults, **fields})


def judged(wallet: str, *kinds: str, **fields: Any) -> WalletAnalysis:
    """Create an analysis by which ``wallet`` belongs to ``kinds``, the first its type."""
    told = [
        {
            "class": kind,
            "score": None,
            "evidence": [{"signal": "s", "weight": None, "numbers": {}, "words": f"is {kind}"}],
        }
        for kind in kinds
    ]
    return analysis(wallet, wallet_type=kinds[0], classes=list(kinds), evidence=told, **fields)


def funding(of: str, *, by: str, at: datetime, lamports: int = 500_000_000) -> dict[str, Any]:
    """Return the columns of an analysis that say who funded ``of``."""
    return {
        "funder": by,
        "funded_lamports": lamports,
        "funded_at": at,
        "funding_signature": signature(f"{by} funds {of}"),
    }


def quality(**fields: Any) -> WalletQualityMetric:
    """Create the measurement of a new token's snapshot in which nobody was looked up."""
    defaults: dict[str, Any] = {
        "token_mint": address(f"measured {WalletQualityMetric.objects.count()}"),
        "snapshot_time": NOON,
        "wallets_sampled": 4,
        "wallets_enriched": 0,
        "data_completeness": Decimal(60),
    }
    return WalletQualityMetric.objects.create(**{**defaults, **fields})


def cluster(**fields: Any) -> WalletCluster:
    """Create a group of two wallets that one wallet funded."""
    mint = fields.pop("token_mint", address(f"grouped {WalletCluster.objects.count()}"))
    members = fields.pop("members", [address("one"), address("two")])
    defaults: dict[str, Any] = {
        "id": ids.derived_id("cluster", mint, *members),
        "snapshot_time": NOON,
        "kind": ClusterKind.FUNDING,
        "funders": [address("rich")],
        "size": len(members),
        "balance": Decimal(40),
        "share_pct": Decimal(4),
    }
    return WalletCluster.objects.create(token_mint=mint, members=members, **{**defaults, **fields})


class Chain:
    """A ``WalletSource`` that knows ``histories`` (a list of times, or an error) and remembers what it was asked. Each
    wallet costs 20, or 10 without its origin, and a hundred balances 1."""

    credits_each = 30
    credits_a_batch = 1

    def __init__(
        self,
        histories: dict[str, Sequence[datetime] | ClientError] | None = None,
        *,
        lamports: int | None = 2_340_000_000,
        funding: dict[str, FirstFunding] | None = None,
        is_whole: bool = True,
        away: ClientError | None = None,
    ) -> None:
        self.histories, self.lamports, self.fundings = histories or {}, lamports, funding or {}
        self.is_whole, self.away = is_whole, away
        self.asked: list[tuple[str, bool]] = []

    def get_balances(self, wallets: Sequence[str]) -> Sequence[int | None]:
        if self.away:
            raise self.away
        return [self.lamports for _ in wallets]

    def get_history(self, wallet: str, *, with_origin: bool) -> WalletHistory:
        self.asked.append((wallet, with_origin))
        told = self.histories.get(wallet, [NOON - 60 * DAY, NOON - DAY])
        if isinstance(told, ClientError):
            raise told
        return WalletHistory(
            landed=[
                Landed(signature(f"{wallet} {number}"), 400_000_000 - number, False, at)
                for number, at in enumerate(sorted(told, reverse=True))
            ],
            is_whole=self.is_whole,
            funding=self.fundings.get(wallet) if with_origin else None,
            credits=20 if with_origin else 10,
        )
