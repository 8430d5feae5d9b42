"""Decision T8: the USD values of a transaction, as the database computes them for rows that ingest did not write."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from tests import factories
from tests.factories import NOON, USDC, WSOL
from tokens.choices import PriceOrigin
from tokens.models import Transaction

pytestmark = [pytest.mark.django_db, pytest.mark.community]

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
PRICES = ("150", "151", "152", "153", "154")


def price(source: str, usd: str, before: timedelta) -> None:
    """Store a sample of ``source`` that is ``before`` older than NOON."""
    factories.sol_usd(NOON - before, source=source, price_usd=Decimal(usd))


def usd_at_noon(sql) -> Decimal | None:
    """Return the price that the database takes at NOON."""
    return sql("SELECT sol_usd_at(%s)", NOON)[0][0]


def test_t8_the_price_of_the_moment_itself_counts(sql):
    """A sample of exactly the block time is used."""
    price("pyth", "150.5", timedelta(0))
    assert usd_at_noon(sql) == Decimal("150.500000")


def test_t8_a_sample_of_120_seconds_is_the_oldest_that_counts(sql):
    """120 seconds old is fresh, a microsecond more is not."""
    price("hermes", "151", 120 * SECOND)
    assert usd_at_noon(sql) == 151
    assert sql("SELECT sol_usd_at(%s)", NOON + MICROSECOND) == [(None,)]


def test_t8_a_price_from_the_future_never_counts(sql):
    """A sample a microsecond after the block time is not used."""
    price("hermes", "151", -MICROSECOND)
    assert usd_at_noon(sql) is None


def test_t8_the_newest_sample_of_the_source_counts(sql):
    """Of several samples in the window the newest one counts, and newer ones after the block time do not."""
    price("hermes", "149", 90 * SECOND)
    price("hermes", "150", 30 * SECOND)
    price("hermes", "151", -1 * SECOND)
    assert usd_at_noon(sql) == 150


def test_t8_the_source_is_believed_before_the_age(sql):
    """An older sample of a better source beats a newer one of a lesser source, through all of them."""
    for age, (source, usd) in enumerate(zip(PriceOrigin.values, PRICES, strict=True)):
        price(source, usd, (100 - 20 * age) * SECOND)
    believed = []
    for source in PriceOrigin.values:
        believed.append((source, usd_at_noon(sql)))
        sql("DELETE FROM sol_usd_prices WHERE source = %s", source)
    assert believed == [("hermes", 150), ("jupiter", 151), ("pyth", 152), ("birdeye", 153), ("imported", 154)]
    assert usd_at_noon(sql) is None


def test_t9_the_trigger_multiplies_exactly(sql):
    """Both USD columns are the exact product with the price, rounded half away from zero to eighteen decimals."""
    price("hermes", "151.123456", SECOND)
    given = {"sol_amount": Decimal("1.234567891"), "price_per_token": Decimal("0.00000002857142857143")}
    stored = factories.transaction(**given)
    stored.refresh_from_db()
    assert stored.sol_amount_usd == Decimal("186.572166354551296000")
    assert stored.price_per_token_usd == Decimal("0.000004317813028572")  # of 0.00000431781302857164446208


def test_t9_rounding_is_half_away_from_zero(sql):
    """A product that ends in exactly half of the last decimal is rounded up."""
    price("hermes", "0.5", SECOND)
    stored = factories.transaction(price_per_token=Decimal("0.000000000000000001"))
    stored.refresh_from_db()
    assert stored.price_per_token_usd == Decimal("0.000000000000000001")


def test_t8_without_a_price_the_values_are_unknown(sql):
    """Without a fresh price both values are NULL, whatever the writer gave: no constant is ever kept."""
    stored = factories.transaction(sol_amount_usd=Decimal("150"), price_per_token_usd=Decimal("0.0000042"))
    stored.refresh_from_db()
    assert (stored.sol_amount_usd, stored.price_per_token_usd) == (None, None)


def test_t7_another_quote_gets_no_sol_price(sql):
    """A trade against another quote coin has no SOL amount, and SOL's price says nothing about its USD values."""
    price("hermes", "150", SECOND)
    stored = factories.transaction(factories.pool(quote_mint=USDC, quote_decimals=6), sol_amount=None)
    stored.refresh_from_db()
    assert (stored.sol_amount_usd, stored.price_per_token_usd) == (None, None)


def test_t7_a_quote_is_priced_by_its_own_samples(sql):
    """By the same rule: the most believed source with a sample that is at most 120 seconds old; SOL by its own table."""
    price("birdeye", "150", SECOND)
    factories.quote_usd(NOON - 120 * SECOND, source="jupiter", price_usd=Decimal("0.9997"))
    factories.quote_usd(NOON - SECOND, source="birdeye", price_usd=Decimal("0.9999"))
    factories.quote_usd(NOON - SECOND, quote_mint=factories.address("another"), price_usd=Decimal("7"))
    found = [
        sql("SELECT quote_usd_at(%s, %s)", mint, at)[0][0] for mint in (USDC, WSOL) for at in (NOON, NOON + SECOND)
    ]
    assert found == [Decimal("0.9997"), Decimal("0.9999"), 150, 150]
    assert sql("SELECT quote_usd_at(%s, %s)", USDC, NOON + 120 * SECOND) == [(None,)]


@pytest.mark.parametrize(
    ("kind", "decimals", "amount"),
    [("buy", 6, "1.5"), ("sell", 6, "0.000002"), ("add_liquidity", 0, "1500000"), ("remove_liquidity", 18, "2E-18")],
)
def test_t7_what_moved_of_a_quote_is_exact(sql, kind, decimals, amount):
    """What the trader gave when he gave the quote, else what he got; unknown while its decimals are."""
    assert sql("SELECT quote_amount(%s, 1500000, 2, %s)", kind, decimals) == [(Decimal(amount),)]
    assert sql("SELECT quote_amount(%s, 1500000, 2, NULL)", kind) == [(None,)]


def test_t9_a_writer_that_knows_the_price_is_left_alone(sql):
    """With megatron.usd_known set for the transaction the function is not called and the given values stay."""
    pool = factories.pool()
    with transaction.atomic():
        sql("SET LOCAL megatron.usd_known = 'on'")
        stored = factories.transaction(pool, sol_amount_usd=Decimal("150"), price_per_token_usd=Decimal("0.0000042"))
    stored.refresh_from_db()
    assert (stored.sol_amount_usd, stored.price_per_token_usd) == (Decimal(150), Decimal("0.0000042"))


def test_t9_the_mark_ends_with_its_transaction(sql):
    """SET LOCAL is undone with the transaction, so the next writer's rows are priced again."""
    pool = factories.pool()
    savepoint = transaction.savepoint()
    sql("SET LOCAL megatron.usd_known = 'on'")
    transaction.savepoint_rollback(savepoint)
    stored = factories.transaction(pool, sol_amount_usd=Decimal("150"))
    stored.refresh_from_db()
    assert stored.sol_amount_usd is None


def test_t9_the_function_prices_many_rows_at_once(sql):
    """sol_usd_at used set-based gives each row what the trigger gave it."""
    price("hermes", "150", 100 * SECOND)
    price("jupiter", "149", 0 * SECOND)
    pool = factories.pool()
    rows = [factories.unsaved_transaction(pool, block_time=NOON + place * 15 * SECOND) for place in range(10)]
    Transaction.objects.bulk_create(rows)
    priced = sql("SELECT sol_amount_usd, sol_amount * sol_usd_at(block_time) FROM transactions ORDER BY block_time")
    assert all(stored == again for stored, again in priced)
    assert [None if usd is None else int(usd) for usd, _ in priced] == [150, 150] + 7 * [149] + [None]


def test_an_old_transaction_is_priced_by_its_own_time(sql):
    """A trade of last month takes last month's price, not today's."""
    price("hermes", "150", timedelta(0))
    price("hermes", "99", timedelta(days=30))
    stored = factories.transaction(block_time=NOON - timedelta(days=30))
    stored.refresh_from_db()
    assert stored.sol_amount_usd == 99


def test_the_trigger_is_the_seeds(sql):
    """The trigger has the seed's name, fires for each inserted row and calls the seed's function."""
    assert connection.vendor == "postgresql"
    definition = sql(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger "
        "WHERE tgname = 'update_transaction_usd_values' AND tgrelid = 'transactions'::regclass"
    )[0][0]
    assert "AFTER INSERT ON public.transactions FOR EACH ROW" in definition
    assert definition.endswith("EXECUTE FUNCTION calculate_usd_values()")
