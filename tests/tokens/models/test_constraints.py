"""Each rule of this room's tables refuses the row that breaks it, whoever writes: rows are broken with plain SQL."""

from datetime import timedelta
from decimal import Decimal

import pytest

from megatron.core import ids
from tests import breaking, factories
from tests.breaking import NOBODY, Build, Case
from tests.factories import NOON
from tokens.models import (
    AggregateDue,
    CandleDue,
    Pool,
    PoolChain,
    PoolMilestone,
    PriceCandle1d,
    PriceCandle1h,
    PriceCandle1m,
    PriceCandle5m,
    PriceSourceState,
    QuoteUsdPrice,
    RejectedMessage,
    SolUsdPrice,
    StreamCursor,
    SystemMetric,
    Token,
    TokenMetadata,
    Transaction,
)

pytestmark = pytest.mark.django_db

CANDLES = {"1m": PriceCandle1m, "5m": PriceCandle5m, "1h": PriceCandle1h, "1d": PriceCandle1d}


def _candle(label: str) -> Build:
    return lambda: factories.candle(factories.token(), model=CANDLES[label])


def _milestone() -> PoolMilestone:
    return factories.milestone(factories.pool())


def _due() -> CandleDue:
    return factories.candle_due(factories.token())


def _aggregate_due() -> AggregateDue:
    hour = NOON + timedelta(hours=AggregateDue.objects.count())
    return AggregateDue.objects.create(aggregate="sol_usd_candles_1m", bucket=hour, marked_at=NOON)


def _price() -> SolUsdPrice:
    return factories.sol_usd(NOON + timedelta(seconds=SolUsdPrice.objects.count()))


def _quote_price() -> QuoteUsdPrice:
    return factories.quote_usd(NOON + timedelta(seconds=QuoteUsdPrice.objects.count()))


def _price_source() -> PriceSourceState:
    return factories.price_source(mint=factories.address(f"coin {PriceSourceState.objects.count()}"))


def _cursor() -> StreamCursor:
    return factories.cursor(source=f"feed {StreamCursor.objects.count()}")


def _rejected() -> RejectedMessage:
    return factories.rejected(f"message {RejectedMessage.objects.count()}".encode())


def _metric() -> SystemMetric:
    number = SystemMetric.objects.count()
    return SystemMetric.objects.create(id=ids.event_id(NOON, number), metric_time=NOON, metric_type="worker")


ROWS: dict[type, Build] = {
    Token: factories.token,
    Pool: factories.pool,
    PoolMilestone: _milestone,
    PoolChain: factories.pool_chain,
    Transaction: factories.transaction,
    **{model: _candle(label) for label, model in CANDLES.items()},
    CandleDue: _due,
    AggregateDue: _aggregate_due,
    SolUsdPrice: _price,
    QuoteUsdPrice: _quote_price,
    PriceSourceState: _price_source,
    StreamCursor: _cursor,
    RejectedMessage: _rejected,
    TokenMetadata: factories.fetched_metadata,
}

BROKEN: list[Case] = [
    ("aggregate_due_known", _aggregate_due, {"aggregate": "hours"}),
    ("token_platform_known", factories.token, {"platform": "elsewhere"}),
    ("token_decimals_0_to_18", factories.token, {"decimals": 19}),
    ("token_graduation_facts_only_when_graduated", factories.token, {"graduation_timestamp": NOON}),
    ("token_graduation_facts_only_when_graduated", factories.token, {"graduation_platform": "pumpswap"}),
    (
        "token_graduation_facts_only_when_graduated",
        factories.token,
        {"graduation_signature": factories.signature("graduation")},
    ),
    ("pool_platform_known", factories.pool, {"platform": "elsewhere"}),
    ("pool_type_known", factories.pool, {"pool_type": "second"}),
    ("pool_status_known", factories.pool, {"status": "paused"}),
    ("pool_two_different_mints", factories.pool, {"base_mint": factories.WSOL}),
    ("pool_newest_event_is_whole", factories.pool, {"last_slot": None}),
    ("pool_newest_event_is_whole", factories.pool, {"last_event_index": None}),
    ("pool_newest_event_is_whole", factories.pool, {"last_signature": None}),
    ("pool_newest_event_is_whole", factories.pool, {"last_trade_at": None}),
    ("pool_successor_of_a_curve", factories.pool, {"pool_type": "graduated", "successor_id": NOBODY}),
    ("pool_migration_signature_with_slot", factories.pool, {"migration_signature": factories.signature("migration")}),
    ("metadata_uri_not_empty", factories.metadata, {"uri": ""}),
    *(
        ("metadata_fetched_whole", factories.fetched_metadata, {column: None})
        for column in ("fetched_at", "found_at", "content_type", "digest")
    ),
    ("metadata_digest_is_sha256", factories.fetched_metadata, {"digest": "0" * 63 + "G"}),
    ("metadata_raw_at_most_64_kib", factories.fetched_metadata, {"raw": '{"a": "' + "x" * 65_528 + '"}'}),
    ("tokenmetadata_finished_or_quarantined", factories.fetched_metadata, {"quarantined_at": NOON, "last_error": "x"}),
    ("tokenmetadata_leased_only_while_open", factories.fetched_metadata, {"leased_until": NOON}),
    ("tokenmetadata_quarantined_with_reason", factories.metadata, {"quarantined_at": NOON}),
    ("milestone_1_to_100", _milestone, {"threshold_pct": 0}),
    ("milestone_1_to_100", _milestone, {"threshold_pct": 101}),
    ("transaction_type_known", factories.transaction, {"type": "swap"}),
    ("transaction_succeeded", factories.transaction, {"success": False}),
    ("transaction_amounts_not_negative", factories.transaction, {"amount_in": -1}),
    ("transaction_amounts_not_negative", factories.transaction, {"amount_out": -1}),
    ("transaction_id_is_derived", factories.transaction, {"id": NOBODY}),
    ("transaction_id_is_derived", factories.transaction, {"event_index": 1}),
    ("transaction_id_is_derived", factories.transaction, {"signature": factories.signature("another")}),
    ("transaction_id_is_derived", factories.transaction, {"block_time": NOON + timedelta(seconds=1)}),
    ("transaction_parents_exist", factories.transaction, {"pool_id": NOBODY}),
    ("transaction_parents_exist", factories.transaction, {"token_id": NOBODY}),
    ("candle_due_interval_known", _due, {"interval": 61}),
    ("metric_type_known", _metric, {"metric_type": "toaster"}),
    ("sol_usd_price_positive", _price, {"price_usd": 0}),
    ("sol_usd_source_known", _price, {"source": "rumour"}),
    ("quote_usd_price_positive", _quote_price, {"price_usd": 0}),
    ("quote_usd_source_known", _quote_price, {"source": "rumour"}),
    ("quote_usd_not_sol", _quote_price, {"quote_mint": factories.WSOL}),
    ("price_source_known", _price_source, {"source": "rumour"}),
    ("price_source_status_known", _price_source, {"status": "asleep"}),
    ("price_source_reason_only_when_dropped", _price_source, {"reason": "stale"}),
    ("price_source_reason_only_when_dropped", _price_source, {"status": "dropped"}),
    ("price_source_failures_only_when_unreachable", _price_source, {"failures": 1}),
    ("price_source_failures_only_when_unreachable", _price_source, {"status": "unreachable"}),
    ("cursor_runs_forward", _cursor, {"last_slot": 419_999_899}),
    ("rejected_reason_known", _rejected, {"reason": "bored"}),
    ("rejected_status_known", _rejected, {"status": "gone", "resolved_at": NOON}),
    ("rejected_resolved_at_only_when_done", _rejected, {"resolved_at": NOON}),
    ("rejected_resolved_at_only_when_done", _rejected, {"status": "resolved"}),
    *(
        (f"candle_{label}_low_and_high_bracket", _candle(label), {column: Decimal(value)})
        for label in CANDLES
        for column, value in (
            ("open", "0.0000000269"),  # below the low
            ("close", "0.0000000269"),
            ("open", "0.0000000311"),  # above the high
            ("close", "0.0000000311"),
        )
    ),
    *(("candle_parents_exist", _candle(label), {"token_id": NOBODY}) for label in CANDLES),
    *((f"candle_{label}_has_trades", _candle(label), {"trade_count": 0}) for label in CANDLES),
    *((f"candle_{label}_prices_whole", _candle(label), {"close": None}) for label in CANDLES),
]
"""Every named rule of one row."""

FIELDS: list[Case] = [case for model, build in ROWS.items() for case in breaking.field_cases(build, model)]
"""What the types of the fields refuse, and the foreign keys."""

TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "token_mint_once": (factories.token, ("mint_address",)),
    "pool_address_once": (factories.pool, ("pool_address",)),
    "pool_one_initial_a_token": (factories.pool, ("token_id",)),
    "milestone_once_a_pool": (_milestone, ("pool_id", "threshold_pct")),
    "transactions_pkey": (factories.transaction, ("id", "signature", "event_index", "block_time")),
    **{f"price_candles_{label}_pkey": (_candle(label), ("token_id", "bucket")) for label in CANDLES},
    "system_metrics_pkey": (_metric, ("id", "metric_time")),
    "candle_due_once": (_due, ("interval", "token_id", "bucket")),
    "aggregate_due_once": (_aggregate_due, ("aggregate", "bucket")),
    "sol_usd_prices_pkey": (_price, ("source", "price_time")),
    "quote_usd_prices_pkey": (_quote_price, ("quote_mint", "source", "price_time")),
    "price_source_once_a_coin": (_price_source, ("source", "mint")),
    "cursor_once_a_source_and_venue": (_cursor, ("source", "venue")),
    "rejected_digest_once": (_rejected, ("digest",)),
    "token_metadata_token_id_key": (factories.metadata, ("token_id",)),
}
"""What no two rows may share."""

ALSO: dict[str, breaking.Change] = {
    "tokens_graduation_signature_check": {"is_graduated": True},
    "pools_migration_signature_check": {"migration_slot": 1},
    "transactions_signature_check": {"id": ids.event_id(NOON, "1" * 63, 0)},
}
"""What has to change with the field so that only its own rule is broken."""

IMPLIED = {
    "pool_milestones_threshold_pct_check": "milestone_1_to_100",
    "price_source_states_failures_check": "price_source_failures_only_when_unreachable",
    **{
        f"price_candles_{label}_{column}_check": f"candle_{label}_low_and_high_bracket"  # and the low is not negative
        for label in CANDLES
        for column in ("open", "high", "close")
    },
}
"""Rules of a field's type that a named rule, which PostgreSQL checks first, makes narrower."""


@pytest.mark.parametrize(
    ("name", "build", "change"), BROKEN, ids=[f"{name}-{next(iter(change))}" for name, _, change in BROKEN]
)
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize(("name", "build", "change"), FIELDS, ids=[name for name, _, _ in FIELDS])
def test_a_value_out_of_its_range_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Amounts, prices, addresses, signatures, counts and foreign keys refuse what their type rules out."""
    assert breaking.refusal(build, {**change, **ALSO.get(name, {})}) == IMPLIED.get(name, name)


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """No two rows say the same thing."""
    assert breaking.refusal_of_second(*TWINS[name]) == name
