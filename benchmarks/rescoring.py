"""How fast ten thousand active tokens are scored technically, against one set of queries a token."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Avg, Max, Sum
from django.test.utils import CaptureQueriesContext

from benchmarks import traffic
from benchmarks.results import Result
from benchmarks.sizes import size
from scoring.domain.technical.facts import Facts
from scoring.domain.technical.scored import Terms
from scoring.domain.technical.scored import score as score_facts
from scoring.models import ActivityMetric, SelloffEvent, TechnicalScore
from scoring.selectors.technical import Market
from scoring.services import policies, technical
from tokens.choices import PoolType
from tokens.models import Pool, PriceCandle1m, Token, Transaction

TOKENS = size(10_000, 60)
TRADES = 30
"""Of each token in the hour: 80 a second in all, a quarter of what the pump.fun program does."""
SAMPLE = size(150, 3)
"""Tokens that the slow way scores; its rate does not depend on how many there are."""

NOW = datetime.fromtimestamp(traffic.FIRST_SECOND, UTC)

_TOKENS = """
INSERT INTO tokens (id, mint_address, symbol, name, decimals, platform, creation_timestamp, is_graduated, metadata)
SELECT gen_random_uuid(), translate(rpad(md5(n::text) || md5((-n)::text), 44, 'x'), '0l', 'zz'), 'T' || n, 'Rescored ' || n, 6,
       'pumpfun', %(now)s - interval '3 hours', false, '{}'
FROM generate_series(1, %(tokens)s) AS n
"""

_POOLS = """
INSERT INTO pools (id, pool_address, token_id, base_mint, quote_mint, quote_decimals, mints_flipped, platform, pool_type,
    virtual_sol_reserves, virtual_token_reserves, real_sol_reserves, real_token_reserves, base_supply,
    initial_real_token_reserves, quote_target, latest_price, latest_price_usd, market_cap, market_cap_usd, status)
SELECT gen_random_uuid(), 'p' || substr(mint_address, 2), id, mint_address, 'So11111111111111111111111111111111111111112', 9,
    false, 'pumpfun', 'initial', 37e9, 870e12, 7e9, 594825e9, 1e15, 793100e9, 85005359057, 0.0000000425, 0.000006375, 42.5, 6375,
    'active'
FROM tokens WHERE name LIKE 'Rescored %%'
"""

# Each token trades every ninety seconds on average, in waves of its own.
_TRADES = """
INSERT INTO transactions (id, signature, event_index, pool_id, token_id, block_time, slot, commitment, type, user_address,
    amount_in, amount_out, sol_amount, token_amount, price_per_token, price_per_token_usd, sol_amount_usd, quote_reserves,
    token_reserves)
SELECT event_id(at, signature, 0), signature, 0, id, token_id, at, 430000000 + n, 1, type, wallet, 1, 1, amount,
    amount / price, price, price * 150, amount * 150, 37e9 + 1e9 * sin(n), 870e12
FROM (
    SELECT p.id, p.token_id, n,
        %(now)s - n * interval '90 seconds' * (0.5 + abs(hashtext(p.pool_address || n)) %% 100 / 100.0) AS at,
        translate(substr(md5(p.pool_address || n) || md5(n || p.pool_address) || md5(p.pool_address), 1, 88), '0l', 'zz')
            AS signature,
        CASE WHEN hashtext(n || p.pool_address) %% 9 < 5 THEN 'buy' ELSE 'sell' END AS type,
        translate(rpad(md5((hashtext(p.pool_address || n) %% 20)::text || p.pool_address), 44, 'w'), '0l', 'zz') AS wallet,
        0.1 + abs(hashtext(p.pool_address || n || 'x')) %% 300 / 100.0 AS amount,
        (0.0000000425 * (1 + 0.2 * sin(n / 5.0)))::numeric(38, 20) AS price
    FROM tokens t JOIN pools p ON p.token_id = t.id CROSS JOIN generate_series(0, %(trades)s - 1) AS n
    WHERE t.name LIKE 'Rescored %%'
) AS made
"""

_CANDLES = """
INSERT INTO {table} (id, token_id, bucket, open, high, low, close, open_usd, high_usd, low_usd, close_usd, volume_token,
    volume_sol, volume_usd, trade_count, buyer_count, seller_count)
SELECT event_id(bucket, token_id::text), token_id, bucket, (array_agg(price_per_token ORDER BY slot DESC))[1],
    max(price_per_token), min(price_per_token), (array_agg(price_per_token ORDER BY slot))[1],
    NULL, NULL, NULL, NULL, sum(token_amount), sum(sol_amount), sum(sol_amount_usd), count(*), 1, 1
FROM transactions JOIN tokens t ON t.id = token_id AND t.name LIKE 'Rescored %%'
CROSS JOIN LATERAL (SELECT time_bucket(%s::interval, block_time) AS bucket) AS b
GROUP BY token_id, bucket
"""


def run() -> list[Result]:
    """Return tokens scored a second against the slow way, and the database's milliseconds a token."""
    _fill()
    with connection.cursor() as cursor:
        cursor.execute("SELECT mint_address FROM tokens WHERE name LIKE 'Rescored %' ORDER BY mint_address")
        mints = [mint for (mint,) in cursor.fetchall()]
    ours = max(TOKENS / _timed(lambda n=n: _ours(mints, n)) for n in range(1, 4))  # type: ignore[misc]  # a loop's lambda
    with CaptureQueriesContext(connection) as asked:
        _ours(mints, 4)
    in_database = sum(float(query["time"]) for query in asked.captured_queries) * 1000 / TOKENS
    terms, version = Terms.of(policies.active().technical), policies.active().version
    step = TOKENS // SAMPLE
    slow = SAMPLE / _timed(lambda: _each(mints[::step][:SAMPLE], terms, version))
    return [
        Result("rescoring_vs_per_token", ours, "tokens/s", slow, ours / slow),
        Result("rescoring_database_ms", in_database, "ms/token", 10, 10 / in_database),
    ]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _fill() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL megatron.usd_known = 'on'")
        for statement in (_TOKENS, _POOLS, _TRADES):
            cursor.execute(statement, {"now": NOW, "tokens": TOKENS, "trades": TRADES})
        for table, width in (("price_candles_1m", "1 minute"), ("price_candles_1h", "1 hour")):
            cursor.execute(_CANDLES.format(table=table), [width])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _ours(mints: list[str], turn: int) -> None:
    """Score every token as the task does, without its totals, which another benchmark measures."""
    now = NOW + timedelta(seconds=5 * turn)
    for start in range(0, len(mints), technical.AT_ONCE):
        with transaction.atomic():
            technical.write(mints=mints[start : start + technical.AT_ONCE], now=now)


def _each(mints: list[str], terms: Terms, version: int) -> None:
    for mint in mints:
        _slow(mint, terms, version)


@transaction.atomic
def _slow(mint: str, terms: Terms, version: int) -> None:
    """Score one token the plain way: each figure asked for by itself, as the seed's functions do, and saved."""
    token = Token.objects.get(mint_address=mint)
    pool = Pool.objects.get(token=token, pool_type=PoolType.INITIAL)
    minutes = PriceCandle1m.objects.filter(token=token, bucket__lte=NOW)
    trades = Transaction.objects.filter(
        token=token, block_time__lte=NOW, type__in=("buy", "sell"), price_per_token__gt=0
    )
    hour = trades.filter(block_time__gt=_ago(60))

    def close(ago: int) -> Decimal | None:
        return minutes.filter(bucket__lte=_ago(ago)).order_by("-bucket").values_list("close", flat=True).first()

    def amount(side: str, young: int, old: int) -> Decimal:
        some = trades.filter(type=side, block_time__lte=_ago(young), block_time__gt=_ago(old))
        return some.aggregate(amount=Sum("sol_amount"))["amount"] or Decimal(0)

    def progress(ago: int) -> Decimal | None:
        newest = trades.filter(pool=pool, block_time__lte=_ago(ago)).order_by("-block_time", "-slot").first()
        if newest is None or newest.quote_reserves is None:
            return None
        return Decimal(newest.quote_reserves - 30 * 10**9) * 100 / (pool.quote_target or 1)

    recent = list(minutes.filter(bucket__lte=_ago(1), bucket__gt=_ago(11)).order_by("-bucket")[:4])
    reds = [candle.close < candle.open for candle in minutes.filter(bucket__gt=_ago(31)).order_by("-bucket")]
    largest = hour.values("user_address").annotate(volume=Sum("sol_amount")).order_by("-volume").first()
    event = SelloffEvent.objects.filter(token_mint=mint, status="open").first()
    facts = Facts(
        market_cap_usd=pool.market_cap_usd,
        price=close(0) or pool.latest_price,
        before=recent[-1].close if recent else None,
        before_minutes=Decimal(5) if recent else None,
        progress=(*(progress(5 * back) for back in range(6, 0, -1)), pool.progress_quote_pct),
        buys=(amount("buy", 0, 5), amount("buy", 5, 15), amount("buy", 15, 30), amount("buy", 30, 60)),
        sells=(amount("sell", 0, 5), amount("sell", 5, 15), amount("sell", 15, 30), amount("sell", 30, 60)),
        trades_1h=hour.count(),
        largest=largest["volume"] if largest else Decimal(0),
        first_5m=close(6),
        first_15m=close(16),
        first_30m=close(31),
        first_60m=close(61),
        red=reds.index(False) if False in reds else len(reds),
        selloff_minutes=int((NOW - event.detection_time).total_seconds() // 60) if event else None,
    )
    traders = hour.values("user_address").distinct().count()
    volume = minutes.filter(bucket__gt=_ago(1440)).aggregate(volume=Sum("volume_usd"))["volume"]
    market = Market(mint, facts, pool.bonding_curve_progress, traders, volume, {})
    row = technical.row_of(market=market, told=score_facts(terms, facts), version=version, now=NOW)
    TechnicalScore(**{**row, "timestamp": NOW}).save(force_insert=True)
    flows: dict[str, Any] = {}
    for label, ago in (("1m", 1), ("5m", 5), ("1h", 60)):
        for side in ("buy", "sell"):
            flows[f"{side}s_{label}"] = trades.filter(type=side, block_time__gt=_ago(ago)).count()
    sizes = {
        f"{name}_{side}_sol" if name == "largest" else f"{name}_{side}_size_sol": hour.filter(type=side).aggregate(
            found=function("sol_amount")
        )["found"]
        for side in ("buy", "sell")
        for name, function in (("avg", Avg), ("largest", Max))
    }
    ActivityMetric(id=row["id"], token_mint=mint, timestamp=NOW, **flows, **sizes).save(force_insert=True)


def _ago(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)
