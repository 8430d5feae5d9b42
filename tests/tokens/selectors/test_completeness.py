from datetime import timedelta

import pytest

from tests import factories
from tests.factories import NOON
from tokens.choices import PoolType, TransactionType
from tokens.models import Pool, Transaction
from tokens.selectors import chains

pytestmark = pytest.mark.django_db
WINDOW = {"start": NOON - timedelta(hours=1), "end": NOON + timedelta(hours=1)}

# Real trades of one Pump.fun curve from its start, four of them in one slot: lamports, tokens, reserves after.
CHAIN = (
    (366586929, "buy", 380000069, 13421332211323, 30380000069, 1059578667788677),
    (366586929, "buy", 1444000276, 48077924588073, 31824000345, 1011500743200604),
    (366586929, "buy", 1222000253, 37404047134090, 33046000598, 974096696066514),
    (366586929, "buy", 1000000221, 28611199173662, 34046000819, 945485496892852),
)


def _store(pool: Pool, place: int) -> Transaction:
    slot, kind, lamports, tokens, quote_reserves, token_reserves = CHAIN[place]
    return factories.transaction(
        pool,
        signature=factories.signature(f"trade {place}"),
        # Places inside a transaction say nothing about the order of transactions: here they run backwards.
        event_index=100_000 - place,
        slot=slot,
        type=kind,
        amount_in=lamports,
        amount_out=tokens,
        quote_reserves=quote_reserves,
        token_reserves=token_reserves,
    )


def test_an_unbroken_chain_has_no_gap() -> None:
    """Real trades of one slot, stored in any order, follow from each other."""
    pool = factories.pool(factories.token(creation_timestamp=None))
    for place in (2, 0, 3, 1):
        _store(pool, place)
    assert chains.gaps(**WINDOW) == []


def test_a_missing_trade_is_found_with_what_it_moved() -> None:
    """Leaving out the middle trades names the slots around them and the sums they moved, into the pool positive."""
    pool = factories.pool(factories.token(creation_timestamp=None))
    before, after = _store(pool, 0), _store(pool, 3)
    assert chains.gaps(**WINDOW) == [
        chains.Gap(
            pool_address=pool.pool_address,
            mint=pool.token.mint_address,
            slot_from=366586929,
            slot_to=366586929,
            signature_from=before.signature,
            signature_to=after.signature,
            seen_at=NOON,
            quote_sum_raw=1444000276 + 1222000253,
            quote_decimals=9,
            token_sum_raw=-(48077924588073 + 37404047134090),
            token_decimals=6,
        )
    ]


def test_a_sell_gives_tokens_and_takes_quote() -> None:
    """The reserves before a sell are its reserves after plus the quote paid and minus the tokens given."""
    pool = factories.pool(factories.token(creation_timestamp=None))
    _store(pool, 0)
    _, _, _, _, quote_reserves, token_reserves = CHAIN[0]
    sell = {"type": TransactionType.SELL, "slot": 366586930, "amount_in": 1000, "amount_out": 7}
    after = {"quote_reserves": quote_reserves - 7, "token_reserves": token_reserves + 1000}
    factories.transaction(pool, **sell, **after)
    assert chains.gaps(**WINDOW) == []
    Transaction.objects.filter(type=TransactionType.SELL).update(amount_out=8)
    assert [(gap.quote_sum_raw, gap.token_sum_raw) for gap in chains.gaps(**WINDOW)] == [(1, 0)]


def test_what_is_not_judged() -> None:
    """Trades outside the window or without reserves, AMM pools, and each curve's first trade give no gap."""
    pool = factories.pool(factories.token(creation_timestamp=None))
    _store(pool, 0)
    _store(pool, 3)
    assert chains.gaps(start=NOON - timedelta(hours=2), end=NOON) == []
    factories.transaction(pool, slot=366586931, quote_reserves=None, token_reserves=None)
    assert len(chains.gaps(**WINDOW)) == 1
    Pool.objects.update(pool_type=PoolType.GRADUATED)
    assert chains.gaps(**WINDOW) == []
    lone = factories.pool(factories.token(creation_timestamp=None))
    factories.transaction(lone, quote_reserves=1, token_reserves=1)
    assert chains.gaps(**WINDOW) == []
