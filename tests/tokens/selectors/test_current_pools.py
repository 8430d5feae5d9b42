"""Which pool prices a token: one definition, and every reader gives its answer (decision T14)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from holders.models import TokenHolder
from holders.services import balances, snapshots
from megatron.core import clock
from scoring.selectors import technical
from tests import factories
from tests.factories import NOON
from tokens.choices import PoolType, Venue
from tokens.models import CurrentPool, Pool, Token
from tokens.selectors import desk, market, tokens
from tokens.services import rankings

pytestmark = [pytest.mark.django_db, pytest.mark.community]

SECOND = timedelta(seconds=1)
INITIAL, GRADUATED, SIDE = PoolType.INITIAL, PoolType.GRADUATED, PoolType.PERMISSIONLESS
NEVER = {"last_trade_at": None, "last_slot": None, "last_event_index": None, "last_signature": None}

Pools = tuple[tuple[PoolType, int | None], ...]
"""The type of each pool and the second of its newest event."""
CASES: dict[str, tuple[Pools, int | None]] = {
    "no pool": ((), None),
    "a side pool alone": (((SIDE, 9),), None),
    "the curve": (((INITIAL, 0),), 0),
    "the curve, whatever a side pool does": (((INITIAL, 0), (SIDE, 99)), 0),
    "a curve without an event": (((INITIAL, None),), 0),
    "the graduated pool, though the curve has the newer event": (((INITIAL, 50), (GRADUATED, 1)), 1),
    "a graduated pool that nobody traded in yet": (((INITIAL, 50), (GRADUATED, None)), 1),
    "a graduated pool without its curve": (((SIDE, 99), (GRADUATED, 1)), 1),
    "of two graduated the one with the newer event": (((INITIAL, 0), (GRADUATED, 1), (GRADUATED, 2)), 2),
    "the same the other way round": (((INITIAL, 0), (GRADUATED, 2), (GRADUATED, 1)), 1),
    "one with an event before one without": (((GRADUATED, None), (GRADUATED, 1), (INITIAL, 0)), 1),
    "of equal ones the lowest id": (((INITIAL, 0), (GRADUATED, 5), (GRADUATED, 5), (GRADUATED, 4)), 1),
    "of three without an event the lowest id": (((GRADUATED, None), (GRADUATED, None), (GRADUATED, None)), 0),
    "newer than all is a side pool": (((SIDE, 99), (INITIAL, 0), (GRADUATED, 3), (GRADUATED, 4), (SIDE, 98)), 3),
}


def build(pools: Pools, *, backwards: bool = False) -> tuple[Token, list[Pool]]:
    """Create a token with such pools, whose ids are in their order; written ``backwards`` the last one first."""
    graduated = any(kind == GRADUATED for kind, _ in pools)
    token = factories.token(  # young by the real clock, by which the ranking is made
        is_graduated=graduated, graduation_timestamp=None, creation_timestamp=clock.utc_now()
    )
    made: dict[int, Pool] = {}
    for place in sorted(range(len(pools)), reverse=backwards):
        kind, second = pools[place]
        fields: dict[str, Any] = NEVER if second is None else {"last_trade_at": NOON + second * SECOND}
        price = Decimal(place + 1) / 10**6
        made[place] = factories.pool(
            token,
            id=UUID(int=token.pk.int - (token.pk.int & 0xFF) + place),
            pool_type=kind,
            platform=Venue.PUMPFUN if kind == INITIAL else Venue.PUMPSWAP,
            latest_price=price,
            latest_price_usd=price * 150,
            market_cap_usd=Decimal(place + 1) * 1000,
            **fields,
        )
    return token, [made[place] for place in range(len(pools))]


def readers(token: Token) -> dict[str, Callable[[], Any]]:
    """Return every reader of a token's pool, each as a function that gives the pool's place in its case or ``None``."""
    mint, now = token.mint_address, NOON + timedelta(minutes=2)

    def by_sql(query: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(query, [token.pk])
            rows = cursor.fetchall()
        assert len(rows) <= 1
        return rows[0][0] if rows else None

    def place(pool: Pool | UUID | None) -> int | None:
        found = pool.pk if isinstance(pool, Pool) else pool
        return None if found is None else found.int & 0xFF

    def price(value: Decimal | None) -> int | None:
        return None if value is None else int(value * 10**6) - 1

    def listed() -> int | None:
        found = tokens.tokens(by_current_pool=True).filter(pk=token.pk).values_list("pools__id", flat=True)
        assert len(found) <= 1
        return place(found[0]) if found else None

    def valued() -> int | None:
        row = TokenHolder.objects.filter(token_mint=mint).first()
        return None if row is None or row.unrealized_pnl_sol is None else int(row.unrealized_pnl_sol) - 1

    def scored() -> int | None:
        (found,) = technical.markets(mints=[mint], now=now)
        cap = found.facts.market_cap_usd
        return None if cap is None else int(cap) // 1000 - 1

    loaded = tokens.tokens().get(pk=token.pk)
    return {
        "view": lambda: place(by_sql("SELECT pool_id FROM current_pools WHERE token_id = %s")),
        "model": lambda: place(next((row.pool_id for row in CurrentPool.objects.filter(token=token)), None)),
        "condition": lambda: place(Pool.objects.filter(tokens.is_current(), token=token).first()),
        "objects": lambda: place(tokens.current_of(Pool.objects.filter(token=token))),
        "objects as listed": lambda: place(tokens.current_of(loaded.pools.all())),
        "list": listed,
        "prices": lambda: place(by_sql("SELECT pool_id FROM latest_token_prices WHERE token_id = %s")),
        "ranking": lambda: price(
            (usd := by_sql("SELECT latest_price_usd FROM top_tokens_by_usd_volume WHERE token_id = %s")) and usd / 150
        ),
        "market": lambda: price(it.price if (it := market.markets(ids=[token.pk], now=now).get(token.pk)) else None),
        "newest": lambda: place(dict(desk.newest_tokens())[token]),
        "score": scored,
        "holdings": valued,
    }


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_truth_09_every_reader_gives_the_same_current_pool(case: str, backwards: bool) -> None:
    """Of the graduated pools the one with the newest event, of equal ones the lowest id, else the curve; never a side pool."""
    pools, expected = CASES[case]
    token, _ = build(pools, backwards=backwards)
    held = factories.pool(factories.token(), pool_type=SIDE)  # another token's pools are none of this one's
    assert held.token != token
    _holding(token)
    balances.derive(mints=[token.mint_address], now=NOON + timedelta(minutes=1))
    rankings.refresh_top_tokens()
    assert {name: read() for name, read in readers(token).items()} == dict.fromkeys(readers(token), expected)


def _holding(token: Token) -> None:
    """Give a wallet a million tokens, that cost it nothing: what it gains by is their price."""
    if (pool := token.pools.order_by("id").first()) is None:
        return
    factories.transaction(
        pool, user_address=factories.address("ann"), type="buy", amount_in=0,
        amount_out=10**12, sol_amount=0, sol_amount_usd=0, token_amount=10**6, block_time=NOON - timedelta(days=2),
        protocol_fee=0, platform_fee=0, creator_fee=0, share_fee=0, transaction_fee=0,
    )  # fmt: skip


def test_truth_09_a_snapshot_is_valued_by_the_current_pool() -> None:
    """The market cap beside a distribution is that of the pool that prices the token."""
    token, _ = build(((INITIAL, 0), (GRADUATED, 5), (GRADUATED, 9)))
    _holding(token)
    taken = snapshots.take(token_mint=token.mint_address, source=None, now=NOON + timedelta(minutes=1))
    assert taken is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT market_cap_usd FROM holder_snapshots WHERE token_mint = %s", [token.mint_address])
        assert cursor.fetchone() == (Decimal(3000),)


def test_truth_09_a_newer_trade_moves_the_current_pool() -> None:
    """The answer follows the trades: no reader keeps the one of before."""
    token, pools = build(((INITIAL, 0), (GRADUATED, 5), (GRADUATED, 4)))
    assert CurrentPool.objects.get(token=token).pool == pools[1]
    Pool.objects.filter(pk=pools[2].pk).update(last_trade_at=NOON + 6 * SECOND)
    assert CurrentPool.objects.get(token=token).pool == pools[2]
    assert tokens.current_of(Pool.objects.filter(token=token)) == pools[2]
