"""Deriving who holds a token from its 100,000 trades, against Python loops over the ORM that give equal rows.

One loop is repeatable, as the derivation is: it writes each holder with ``update_or_create``. The other may only be run where
no row is, and creates all of them with one ``bulk_create``.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from time import perf_counter
from typing import Any

from django.db import connection

from benchmarks.results import Result
from benchmarks.sizes import size
from holders.models import TokenHolder
from holders.services import balances
from megatron.core import ids
from tests import factories
from tests.holders import by_loop

TRADES = size(100_000, 500)
WALLETS = size(8_000, 100)
ROUNDS = size(3, 1)
NOW = datetime(2026, 7, 8, tzinfo=UTC)

_COLUMNS = (
    "id, signature, event_index, pool_id, token_id, block_time, slot, commitment, type, user_address, amount_in,"
    " amount_out, sol_amount, token_amount, sol_amount_usd, quote_reserves, token_reserves, protocol_fee,"
    " creator_fee, transaction_fee"
)


def run() -> Iterator[Result]:
    """Yield the rate of a derivation from nothing against each loop; all end with committed rows."""
    mint = fill()
    ours: list[float] = []
    loops: dict[Callable[[str, datetime], None], list[float]] = {by_loop.derive: [], by_loop.create: []}
    for _ in range(ROUNDS):
        ours.append(_seconds(lambda: balances.derive(mints=[mint], now=NOW)))
        found = by_loop.rows(mint)
        for loop, seconds in loops.items():
            TokenHolder.objects.filter(token_mint=mint).delete()
            seconds.append(_seconds(partial(loop, mint, NOW)))
            if by_loop.rows(mint) != found:
                raise AssertionError("The loop and the derivation must give the same rows")
        TokenHolder.objects.filter(token_mint=mint).delete()
    value = min(ours)
    for name, theirs in zip(("holders_from_trades_vs_orm", "holders_from_trades_vs_bulk"), loops.values(), strict=True):
        baseline = min(theirs)
        rates = round(TRADES / value), round(TRADES / baseline)
        yield Result(name, rates[0], "trades/s", rates[1], round(baseline / value, 1))


def fill() -> str:
    """Store the trades of one token, some wallets busier than others, and return its mint."""
    dice = random.Random(1)
    pool = factories.pool()
    wallets = [factories.address(f"holder {number}") for number in range(WALLETS)]
    busy = [1 / (rank + 3) ** 0.7 for rank in range(WALLETS)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('megatron.usd_known', 'on', false)"
        )  # parents and prices are as they should be
        with cursor.copy(f"COPY transactions ({_COLUMNS}) FROM STDIN") as copy:
            for number, wallet in enumerate(dice.choices(wallets, busy, k=TRADES)):
                copy.write_row(_trade(number, wallet, pool, dice))
        cursor.execute("SELECT set_config('megatron.usd_known', '', false)")
        cursor.execute("ANALYZE transactions")
    return str(pool.token.mint_address)


def _trade(number: int, wallet: str, pool: Any, dice: random.Random) -> tuple[Any, ...]:
    buys, raw, lamports = dice.random() < 0.55, dice.randrange(10**9, 10**12), dice.randrange(10**6, 10**10)
    at, signature = factories.NOON + timedelta(seconds=number // 3), factories.signature(f"trade {number}")
    sol = Decimal(lamports).scaleb(-9)
    given, got = (lamports, raw) if buys else (raw, lamports)
    return (
        *(ids.event_id(at, signature, 0), signature, 0, pool.pk, pool.token_id, at, 420_000_000 + number // 2, 1),
        *("buy" if buys else "sell", wallet, given, got, sol, Decimal(raw).scaleb(-6), sol * 150),
        *(30 * 10**9 + number, 10**15 - number, lamports * 95 // 10_000, lamports * 30 // 10_000, 5_000),
    )


def _seconds(work: Callable[[], Any]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
