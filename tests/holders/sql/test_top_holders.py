"""The view of the largest holdings."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from holders.models import TokenHolder
from tests import factories
from tests.factories import NOON, address
from tests.holders import people

pytestmark = [pytest.mark.django_db, pytest.mark.community]

TOP = (
    "SELECT wallet_address, current_balance, percentage_held, is_creator, is_known_wallet, wallet_tags FROM top_holders"
)


def test_the_largest_come_with_share_creator_and_tags(sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    """Shares are of what circulated at the newest snapshot; flags are tags; who holds nothing is not in it."""
    pool = factories.pool(factories.token(creator_address=address("creator")))
    people.snapshot(pool)
    people.holding(pool, address("creator"), 250)
    people.holding(pool, address("smart"), 500, is_smart_money=True, is_insider=True, first_transaction_time=NOON)
    people.holding(pool, address("gone"), 0)
    assert sql(f"{TOP} ORDER BY current_balance DESC") == [
        (address("smart"), 500, Decimal(50), False, False, ["smart_money", "insider"]),
        (address("creator"), 250, Decimal(25), True, False, None),
    ]
    assert sql("SELECT first_seen, last_seen FROM top_holders WHERE wallet_address = %s", address("smart")) == [
        (NOON, NOON)
    ]


def test_there_are_a_hundred_a_token_and_no_share_without_a_snapshot(sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    """The hundred largest of each token; what circulates is unknown until holders are listed."""
    pool = factories.pool()
    TokenHolder.objects.bulk_create(
        TokenHolder(
            token_mint=pool.token.mint_address,
            wallet_address=address(f"holder {n}"),
            current_balance=n,
            last_updated=NOON,
        )
        for n in range(1, 104)
    )
    people.holding(factories.pool(), address("other"), 1)
    query = "SELECT count(*), min(current_balance), count(percentage_held) FROM top_holders WHERE token_id = %s"
    assert sql(query, pool.token_id) == [(100, 4, 0)]


def test_truth_19_an_account_that_is_left_out_has_no_share(sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    """A curve that traded is shown with what it has, and with no part of what circulates without it."""
    pool = factories.pool()
    people.snapshot(pool)
    people.holding(pool, pool.pool_address, 9_000)
    people.holding(pool, address("ann"), 500)
    assert sql("SELECT wallet_address, percentage_held FROM top_holders ORDER BY current_balance DESC") == [
        (pool.pool_address, None),
        (address("ann"), Decimal(50)),
    ]


def test_truth_23_left_out_accounts_have_a_label_and_no_share_and_the_others_at_most_all(
    sql: Callable[..., list[tuple[Any, ...]]],
) -> None:
    """Of one supply: what circulated, or what the holders have by now where that is more; 174 % is nobody's share."""
    pool = factories.pool(factories.token(creator_address=None))
    excluded = [{"wallet": address("pool"), "reason": "pool", "balance": "870"}]
    people.snapshot(pool, raw_distribution={"excluded": excluded})
    (circulating,) = sql("SELECT circulating_supply FROM holder_snapshots")[0]
    people.holding(pool, address("pool"), 2 * circulating)
    people.holding(pool, address("whale"), circulating)
    people.holding(pool, address("other"), circulating)
    people.holding(pool, address("third"), circulating)
    rows = sql("SELECT wallet_address, percentage_held, left_out_as FROM top_holders ORDER BY current_balance DESC, 1")
    assert rows[0] == (address("pool"), None, "pool")
    assert [(share, label) for _, share, label in rows[1:]] == [(Decimal("33.3333"), None)] * 3


def test_truth_23_what_nobody_names_or_judged_is_unknown(sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    """Whether a wallet is the creator of a token whose creator is not known, and the tags of a wallet that nobody judged."""
    pool = factories.pool(factories.token(creator_address=None))
    people.holding(pool, address("anybody"), 5, flags=None)
    people.holding(pool, address("judged"), 4, flags=[])
    assert sql("SELECT is_creator, wallet_tags FROM top_holders ORDER BY current_balance DESC") == [
        (None, None),
        (None, []),
    ]
