"""A token that grew faster than the server's statistics, and how many rows a statement looks at in it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection

from holders.services import balances
from tests import factories
from tests.factories import NOON
from tokens.models import Pool

WALLETS, EACH = 250, 20
TRADES = WALLETS * EACH

_GROW = """
INSERT INTO transactions (id, signature, event_index, pool_id, token_id, block_time, slot, commitment, type, user_address,
    amount_in, amount_out, sol_amount, token_amount)
SELECT event_id(at, signature, 0), signature, 0, %(pool)s, %(token)s, at, 400000000 + n, 1, 'buy', wallet, 1000, 1000000,
       0.000001, 1
  FROM (SELECT n, %(now)s - n * interval '1 second' AS at,
               translate(substr(md5(n::text) || md5((-n)::text) || md5(n || 'x'), 1, 88), '0l', 'zz') AS signature,
               translate(rpad(md5((n %% %(wallets)s)::text), 44, 'w'), '0l', 'zz') AS wallet
          FROM generate_series(1, %(trades)s) AS n) AS made
"""


def curve() -> Pool:
    """Return a token's curve that had two trades when the tables were analysed, and has thousands now."""
    pool = factories.pool()
    for _ in range(2):
        factories.transaction(pool, type="buy")
    balances.derive(mints=[pool.token.mint_address], now=NOON)
    asked = {"pool": pool.pk, "token": pool.token_id, "now": NOON, "wallets": WALLETS, "trades": TRADES}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE transactions, token_holders, wallet_analysis_cache")
        cursor.execute("SET LOCAL megatron.usd_known = 'on'")
        cursor.execute(_GROW, asked)
    balances.derive(mints=[pool.token.mint_address], now=NOON)
    return pool


def _rows(node: dict[str, Any]) -> Iterator[float]:
    """Yield how many rows each step of a plan that was carried out looked at."""
    removed = sum(node.get(name, 0) for name in ("Rows Removed by Filter", "Rows Removed by Join Filter"))
    yield (node["Actual Rows"] + removed) * node["Actual Loops"]
    for below in node.get("Plans", ()):
        yield from _rows(below)


def rows_seen(statement: str, asked: Mapping[str, Any]) -> float:
    """Carry ``statement`` out and return how many rows the busiest step of its plan looked at."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", asked)
        (found,) = cursor.fetchone()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return max(_rows(plan))
