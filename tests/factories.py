"""Rows for tests: plain functions with defaults; name only what the test is about."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from megatron.core import ids
from tokens.choices import (
    AlertKind,
    AlertSeverity,
    Platform,
    PriceOrigin,
    PriceSourceStatus,
    Program,
    RecipientOrigin,
    RejectionReason,
    TransactionType,
    Venue,
)
from tokens.models import (
    CandleDue,
    DriftCount,
    FeeRecipient,
    OperatorAlert,
    Pool,
    PoolChain,
    PoolMilestone,
    PriceCandle,
    PriceCandle1m,
    PriceSourceState,
    ProgramSnapshot,
    QuoteUsdPrice,
    RejectedMessage,
    SolUsdPrice,
    StreamCursor,
    Token,
    TokenMetadata,
    Transaction,
)

WSOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
NOON = datetime(2026, 7, 3, 12, 0, tzinfo=UTC)
"""The time at which things happen when a test does not say otherwise."""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_serial: Iterator[int] = count(1)


def _base58(name: str, length: int) -> str:
    digest = hashlib.sha512(name.encode()).digest() + hashlib.sha512(f"{name}/2".encode()).digest()
    return "".join(_ALPHABET[byte % 58] for byte in digest)[:length]


def address(name: str) -> str:
    """Return the 44 base58 characters that stand for ``name`` (not a real key)."""
    return _base58(name, 44)


def signature(name: str) -> str:
    """Return the 88 base58 characters of 64 bytes that stand for ``name`` (nobody signed anything with it)."""
    text = _base58(name, 88)
    return "2345"[ord(text[0]) % 4] + text[1:]  # more, and it were 65 bytes


def token(**fields: Any) -> Token:
    """Create a Pump.fun token that was made at :data:`NOON`."""
    number = next(_serial)
    mint = fields.pop("mint_address", address(f"mint {number}"))
    defaults = {
        "id": ids.derived_id("token", mint),
        "symbol": f"TOK{number}",
        "name": f"Token {number}",
        "platform": Platform.PUMPFUN,
        "creation_timestamp": NOON,
        "creation_signature": signature(f"creation of {mint}"),
        "creator_address": address(f"creator of {mint}"),
        "initial_supply": 10**15,
    }
    return Token.objects.create(mint_address=mint, **{**defaults, **fields})


def pool(of: Token | None = None, **fields: Any) -> Pool:
    """Create the launch curve of ``of`` (or of a new token), exactly a quarter of its tokens sold."""
    of = of or token()
    pool_address = fields.pop("pool_address", address(f"pool {next(_serial)} of {of.mint_address}"))
    defaults = {
        "id": ids.derived_id("pool", pool_address),
        "token": of,
        "base_mint": of.mint_address,
        "quote_mint": WSOL,
        "quote_decimals": 9,
        "platform": Venue.PUMPFUN,
        "virtual_sol_reserves": 37_000_000_000,
        "virtual_token_reserves": 870_000_000_000_000,
        "real_sol_reserves": 7_000_000_000,
        "real_token_reserves": 594_825_000_000_000,
        "initial_real_token_reserves": 793_100_000_000_000,
        "quote_target": 85_005_359_057,
        "base_supply": 10**15,
        "latest_price": Decimal("0.00000004252873563218"),
        "latest_price_usd": Decimal("0.000006379310344827"),
        "market_cap": Decimal("42.52873563218"),
        "market_cap_usd": Decimal("6379.310344827"),
        "last_trade_at": NOON,
        "last_slot": 420_000_000,
        "last_event_index": 0,
        "last_signature": signature(f"newest of {pool_address}"),
    }
    return Pool.objects.create(pool_address=pool_address, **{**defaults, **fields})


def milestone(of: Pool, *, threshold_pct: int = 25, **fields: Any) -> PoolMilestone:
    """Create the moment at which the curve ``of`` reached ``threshold_pct``."""
    defaults = {
        "reached_at": NOON,
        "slot": 420_000_000,
        "invariant": 32_190_000_000_000_000_000_000_000,
        "event_index": 0,
        "signature": signature(f"{threshold_pct} of {of.pool_address}"),
    }
    return PoolMilestone.objects.create(pool=of, threshold_pct=threshold_pct, **{**defaults, **fields})


def pool_chain(of: Pool | None = None, **fields: Any) -> PoolChain:
    """Create what is kept of a curve's trades before noon."""
    facts: dict[str, Any] = {"judged_until": NOON, "first_at": NOON - timedelta(hours=1), "start": "", "breaks": []}
    facts |= {"first_slot": 400_000_000, "last_slot": 400_000_001}
    return PoolChain.objects.create(pool=of or pool(), **(facts | fields))


def unsaved_transaction(of: Pool, **fields: Any) -> Transaction:
    """Return a buy of 35 million tokens for 1 SOL on ``of``, for a test's own ``bulk_create``."""
    block_time = fields.pop("block_time", NOON)
    at_signature = fields.pop("signature", signature(f"transaction {next(_serial)}"))
    event_index = fields.pop("event_index", 0)
    defaults = {
        "id": ids.event_id(block_time, at_signature, event_index),
        "pool": of,
        "token_id": of.token_id,
        "slot": 420_000_000,
        "type": TransactionType.BUY,
        "user_address": address("trader"),
        "amount_in": 1_000_000_000,
        "amount_in_decimals": 9,
        "amount_out": 35_000_000_000_000,
        "amount_out_decimals": 6,
        "sol_amount": Decimal("1.000000000"),
        "token_amount": Decimal("35000000"),
        "price_per_token": Decimal("0.00000002857142857143"),
        "price_per_token_usd": Decimal("0.000004285714285714"),
        "sol_amount_usd": Decimal("150"),
    }
    return Transaction(signature=at_signature, event_index=event_index, block_time=block_time, **{**defaults, **fields})


def transaction(of: Pool | None = None, **fields: Any) -> Transaction:
    """Create a buy of 35 million tokens for 1 SOL on ``of`` (or on a new curve)."""
    made = unsaved_transaction(of or pool(), **fields)
    made.save(force_insert=True)
    return made


def candle(
    of: Token, *, model: type[PriceCandle] = PriceCandle1m, bucket: datetime = NOON, **fields: Any
) -> PriceCandle:
    """Create a rising candle of ``of`` that starts at ``bucket``."""
    defaults = {
        "id": ids.event_id(bucket, of.pk),
        "open": Decimal("0.000000028"),
        "high": Decimal("0.000000031"),
        "low": Decimal("0.000000027"),
        "close": Decimal("0.00000003"),
        "open_usd": Decimal("0.0000042"),
        "high_usd": Decimal("0.00000465"),
        "low_usd": Decimal("0.00000405"),
        "close_usd": Decimal("0.0000045"),
        "volume_token": Decimal("35000000"),
        "volume_sol": Decimal("1"),
        "volume_usd": Decimal("150"),
        "trade_count": 2,
        "buyer_count": 1,
        "seller_count": 1,
    }
    made = model(token=of, bucket=bucket, **{**defaults, **fields})  # type: ignore[misc] # each table has its bucket
    made.save(force_insert=True)
    return made


def candle_due(of: Token, **fields: Any) -> CandleDue:
    """Create the wish for the minute of ``of`` that starts at :data:`NOON`."""
    return CandleDue.objects.create(token=of, **{"interval": 60, "bucket": NOON, "marked_at": NOON, **fields})


def metadata(of: Token | None = None, **fields: Any) -> TokenMetadata:
    """Create the document of ``of`` (or of a new token), due at :data:`NOON`."""
    of = of or token()
    defaults = {"uri": f"https://coin.example/{of.mint_address}.json", "due_at": NOON}
    return TokenMetadata.objects.create(token=of, **{**defaults, **fields})


def fetched_metadata(of: Token | None = None, **fields: Any) -> TokenMetadata:
    """Create the document of ``of`` as it was fetched at :data:`NOON`."""
    defaults = {
        "finished_at": NOON,
        "fetched_at": NOON,
        "found_at": "https://coin.example/1.json",
        "content_type": "application/json",
        "digest": "0" * 64,
        "description": "A coin.",
        "image_url": "https://coin.example/1.png",
        "twitter": "https://x.com/coin",
        "raw": {"description": "A coin."},
    }
    return metadata(of, **{**defaults, **fields})


def sol_usd(price_time: datetime = NOON, **fields: Any) -> SolUsdPrice:
    """Create a price of 150 USD for one SOL."""
    return SolUsdPrice.objects.create(
        price_time=price_time, **{"price_usd": Decimal("150"), "source": PriceOrigin.HERMES, **fields}
    )


def quote_usd(price_time: datetime = NOON, **fields: Any) -> QuoteUsdPrice:
    """Create a price of 0.9998 USD for one USDC."""
    defaults = {"quote_mint": USDC, "price_usd": Decimal("0.9998"), "source": PriceOrigin.HERMES}
    return QuoteUsdPrice.objects.create(price_time=price_time, **{**defaults, **fields})


def price_source(**fields: Any) -> PriceSourceState:
    """Create Hermes as it was at :data:`NOON`: its price of SOL was used."""
    defaults = {
        "source": PriceOrigin.HERMES,
        "mint": WSOL,
        "status": PriceSourceStatus.OK,
        "since": NOON,
        "last_price": "150",
        "last_price_at": NOON,
        "unmoved_since": NOON,
        "repeats": 1,
        "last_asked_at": NOON,
        "last_ok_at": NOON,
        "ask_after": NOON + timedelta(seconds=5),
    }
    return PriceSourceState.objects.create(**{**defaults, **fields})


def cursor(**fields: Any) -> StreamCursor:
    """Create how far the feed ``solana-logs`` was read for Pump.fun: 100 slots, up to :data:`NOON`."""
    defaults = {
        "source": "solana-logs",
        "venue": Venue.PUMPFUN,
        "first_slot": 419_999_900,
        "last_slot": 420_000_000,
        "last_block_time": NOON,
        "last_signature": signature("newest"),
        "messages": 40,
        "events": 55,
        "observed_at": NOON + timedelta(seconds=2),
    }
    return StreamCursor.objects.create(**{**defaults, **fields})


def rejected(payload: bytes = b'{"garbage": true}', **fields: Any) -> RejectedMessage:
    """Create a message that could not be decoded."""
    defaults = {
        "digest": hashlib.sha256(payload).hexdigest(),
        "source": "capture.jsonl:17",
        "reason": RejectionReason.UNDECODABLE,
        "detail": "No known layout has this discriminator",
        "observed_at": NOON,
    }
    return RejectedMessage.objects.create(payload=payload, **{**defaults, **fields})


def alert(**fields: Any) -> OperatorAlert:
    """Create an open warning about drift on Pump.fun, seen once at :data:`NOON`."""
    defaults = {
        "kind": AlertKind.DRIFT,
        "subject": f"subject {next(_serial)}",
        "severity": AlertSeverity.WARNING,
        "message": "Pump.fun TradeEvent grew by 8 bytes",
        "first_seen_at": NOON,
        "last_seen_at": NOON,
    }
    return OperatorAlert.objects.create(**{**defaults, **fields})


def drift_count(**fields: Any) -> DriftCount:
    """Create five trade events of the hour from :data:`NOON` that grew by 8 bytes."""
    defaults = {
        "hour": NOON,
        "venue": Program.PUMPFUN,
        "what": f"TradeEvent.unknown_bytes.{next(_serial)}",
        "count": 5,
        "sample_signature": signature("grown"),
        "sample_slot": 420_000_000,
        "first_seen_at": NOON,
        "last_seen_at": NOON,
    }
    return DriftCount.objects.create(**{**defaults, **fields})


def fee_recipient(**fields: Any) -> FeeRecipient:
    """Create a fee recipient that an event of :data:`NOON` named."""
    defaults = {
        "venue": Program.PUMPFUN,
        "address": address(f"recipient {next(_serial)}"),
        "origin": RecipientOrigin.EVENT,
        "first_seen_at": NOON,
        "sample_signature": signature("first fee"),
    }
    return FeeRecipient.objects.create(**{**defaults, **fields})


def program_snapshot(**fields: Any) -> ProgramSnapshot:
    """Create what Pump.fun's program looked like at :data:`NOON`."""
    defaults = {
        "venue": Program.PUMPFUN,
        "role": "program",
        "address": address(f"program data {next(_serial)}"),
        "observed_at": NOON,
        "slot": 420_000_000,
        "length": 45,
        "digest": "0" * 64,
        "details": {"deployed_slot": 419_000_000},
    }
    return ProgramSnapshot.objects.create(**{**defaults, **fields})
