"""How much smaller TimescaleDB makes a day of trades, by what a batch shares and how it is ordered.

Needs a server of the level ``community``: ``make bench-community``. The trades are the recorded ones of two coins, played
again for many coins: order, times, sides, token amounts, which wallet traded and which trades share a transaction are
as recorded; each coin scales the amounts by a factor of its own and has mints, wallets and signatures of its own, and
quote amounts, fees and reserves follow by the curve's arithmetic. ``busy`` plays a coin to its end (500 trades, of which
one wallet made four fifths), ``quiet`` its first 40 (mostly different wallets): real traffic lies between the two.
"""

import csv
import gzip
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.db import connection
from django.test import override_settings
from solders.pubkey import Pubkey
from solders.signature import Signature

from benchmarks import traffic
from benchmarks.results import Result
from megatron.core.timescale import policies
from tokens.choices import EventKind, PriceOrigin, Program
from tokens.domain import curve, programs
from tokens.domain.events import BothReserves, ChainEvent, Fees, Reserves, event_index
from tokens.models import RetentionPolicy
from tokens.services import candles, ingest, prices

RECORDED = Path(__file__).parents[1] / "tokens/fixtures/demo/trades-2025-09.csv.gz"
ASKED = 5.0
MIDNIGHT = datetime(2026, 7, 3, tzinfo=UTC)
SHAPES = {"busy": (20, 500), "quiet": (250, 40)}
"""Name → coins, trades a coin."""
SEEDS_CHOICE = ("token_id", "block_time DESC")
OTHERS = (SEEDS_CHOICE, ("pool_id", "block_time DESC"), ("user_address", "block_time DESC"))
"""What the policy's own choice is compared with: the seeds' choice first."""
BATCH = 2_000
_SEEDS_COLUMNS = {
    "signature": "varchar(88) NOT NULL",
    "pool_id": "uuid NOT NULL",
    "token_id": "uuid NOT NULL",
    "block_time": "timestamptz NOT NULL",
    "slot": "bigint NOT NULL",
    "type": "varchar(20) NOT NULL",
    "user_address": "varchar(44) NOT NULL",
    "amount_in": "numeric(30,0) NOT NULL",
    "amount_in_decimals": "integer NOT NULL",
    "amount_out": "numeric(30,0) NOT NULL",
    "amount_out_decimals": "integer NOT NULL",
    "sol_amount": "numeric(20,9)",
    "token_amount": "numeric(30,6)",
    "price_per_token": "numeric(30,10)",
    "price_per_token_usd": "numeric(30,10)",
    "sol_amount_usd": "numeric(20,2)",
    "protocol_fee": "numeric(20,0)",
    "platform_fee": "numeric(20,0)",
    "share_fee": "numeric(20,0)",
    "transaction_fee": "bigint",
    "raw_data": "jsonb",
    "created_at": "timestamptz DEFAULT now()",
}
"""What the seeds' two versions of the table have, filled from ours."""
_DEFINED, _NAMED = ", ".join(" ".join(column) for column in _SEEDS_COLUMNS.items()), ", ".join(_SEEDS_COLUMNS)
_SEEDS_TABLE = f"""
CREATE TABLE seed_transactions (
    {_DEFINED}, success boolean DEFAULT true, error_code varchar(50), PRIMARY KEY (signature, block_time));
SELECT create_hypertable('seed_transactions', 'block_time');
CREATE INDEX ON seed_transactions (token_id, block_time DESC);
CREATE INDEX ON seed_transactions (pool_id, block_time DESC);
CREATE INDEX ON seed_transactions (user_address, block_time DESC);
CREATE INDEX ON seed_transactions (type);
INSERT INTO seed_transactions ({_NAMED})
SELECT {_NAMED} FROM (SELECT DISTINCT ON (signature) * FROM transactions ORDER BY signature, event_index) AS first
ORDER BY block_time
"""


def run() -> list[Result]:
    """Return the ratio of each shape with the policy's choice; the others are printed."""
    if connection.timescale_level != "community":  # type: ignore[attr-defined]  # our own engine's
        raise SystemExit("Only TimescaleDB community compresses: make bench-community.")
    results = []
    for shape, (coins, length) in SHAPES.items():
        _store(sorted(_trades(coins, length), key=lambda event: event.block_time))
        # As ingested, indexes included: that is what lies on the disk until a chunk is compressed.
        before, rows = _size("transactions"), _count("transactions")
        chosen = RetentionPolicy.objects.get(table_name="transactions")
        for segment_by, order_by in ((chosen.segment_by, chosen.order_by), *OTHERS):
            after, read = _compressed("transactions", segment_by, order_by)
            _tell(shape, "transactions", segment_by, order_by, rows, before, after, read)
            if (segment_by, order_by) == (chosen.segment_by, chosen.order_by):
                name = "compression_ratio" if shape == "busy" else f"compression_ratio_{shape}"
                results.append(Result(name, before / after, "times", ASKED, before / after / ASKED))
        _late(shape, coins, length)
        results += _as_the_seeds_wrote_it(shape)
        _candles(shape)
    return results


def _as_the_seeds_wrote_it(shape: str) -> list[Result]:
    """Return the ratio of the seeds' own table, which the figure that they ask for speaks of, with the same trades.

    Its key allows one trade a transaction, so the others of a transaction are left out.
    """
    _run("DROP TABLE IF EXISTS seed_transactions")
    for statement in (*_SEEDS_TABLE.split(";"), policies.compression_settings_sql("seed_transactions", *SEEDS_CHOICE)):
        _run(statement)
    before, rows = _size("seed_transactions"), _count("seed_transactions")
    after, read = _compressed("seed_transactions", *SEEDS_CHOICE)
    _tell(shape, "seeds' own table", *SEEDS_CHOICE, rows, before, after, read)
    _run("DROP TABLE seed_transactions")
    name = "compression_ratio_seed" if shape == "busy" else f"compression_ratio_seed_{shape}"
    return [Result(name, before / after, "times", ASKED, before / after / ASKED)]


def _late(shape: str, coins: int, length: int) -> None:
    """Say how fast trades come in whose day is compressed, beside the same of a day that is not; nothing is opened for them."""
    chosen = RetentionPolicy.objects.get(table_name="transactions")
    rows = _count("transactions")
    few = sorted(_trades(max(coins // 20, 1), length, seed=11), key=lambda event: event.block_time)
    others = sorted(_trades(max(coins // 20, 1), length, seed=13), key=lambda event: event.block_time)
    rates = []
    for late, is_compressed in ((others, False), (few, True)):
        _run("SELECT decompress_chunk(chunk, true) FROM show_chunks('transactions') AS chunk")
        if is_compressed:
            _compressed("transactions", chosen.segment_by, chosen.order_by)
        begun = time.perf_counter()
        _ingest(late)
        rates.append(len(late) / (time.perf_counter() - begun))
    told = f"{rates[1]:6.0f} rows/s into {rows} compressed rows, {rates[0]:6.0f} into plain ones"
    print(f"{shape:6} late trades: {told}", file=sys.stderr)


def _candles(shape: str) -> None:
    before, rows = _size("price_candles_1m"), _count("price_candles_1m")
    chosen = RetentionPolicy.objects.get(table_name="price_candles_1m")
    for segment_by, order_by in ((chosen.segment_by, chosen.order_by), ("token_id", "bucket DESC")):
        after, _ = _compressed("price_candles_1m", segment_by, order_by)
        _tell(shape, "price_candles_1m", segment_by, order_by, rows, before, after, 0.0)


def _trades(coins: int, length: int, seed: int = 7) -> Iterator[ChainEvent]:
    dice = random.Random(seed)
    recorded = defaultdict(list)
    with gzip.open(RECORDED, "rt") as file:
        for row in csv.DictReader(file):
            recorded[row["token_address"]].append(row)
    for _ in range(coins):
        yield from _coin(dice, dice.choice(list(recorded.values()))[:length])


def _coin(dice: random.Random, rows: Sequence[dict[str, str]]) -> Iterator[ChainEvent]:
    """Play one recorded coin as another: what is random on the chain is random again, the rest follows."""
    mint, scale = str(Pubkey.from_bytes(dice.randbytes(32))), dice.uniform(0.3, 1.0)
    start = int(MIDNIGHT.timestamp()) + dice.randrange(80_000)
    first = int(rows[0]["block_time"])
    wallets: dict[str, str] = {}
    signatures: dict[str, str] = {}
    places: dict[str, int] = defaultdict(int)
    state = Reserves(virtual_quote=30 * 10**9, virtual_token=1_073 * 10**12, real_quote=0, real_token=7_931 * 10**11)
    sold = 0
    for row in rows:
        amount = int(int(row["amount_in_token"]) * scale)
        buys = row["is_buy"] == "true" or amount > sold
        vq, vt = state.virtual_quote or 0, state.virtual_token or 0
        quote = (curve.pump_buy if buys else curve.pump_sell)(vq, vt, amount).quote_raw
        sign = 1 if buys else -1
        sold += sign * amount
        state = curve.moved(state, sign * quote, -sign * amount)
        key = row["transaction_signature"]
        at = start + int(row["block_time"]) - first
        yield ChainEvent(
            program=Program.PUMPFUN,
            kind=EventKind.BUY if buys else EventKind.SELL,
            signature=signatures.setdefault(key, str(Signature.from_bytes(dice.randbytes(64)))),
            slot=traffic.FIRST_SLOT + (at - int(MIDNIGHT.timestamp())) * 5 // 2,
            block_time=at,
            event_index=event_index(2, places[key], 0),
            mint=mint,
            pool=programs.bonding_curve(mint),
            user=wallets.setdefault(row["wallet_address"], str(Pubkey.from_bytes(dice.randbytes(32)))),
            quote_mint=programs.WRAPPED_SOL,
            quote_amount_raw=quote,
            token_amount_raw=amount,
            fees=Fees(protocol=curve.fee(quote, 95), creator=curve.fee(quote, 30)),
            reserves=BothReserves(after=state),
            raw={"layout": "TradeEvent/35"},
        )
        places[key] += 1


def _store(events: Sequence[ChainEvent]) -> None:
    """Start with empty tables and store the trades as live traffic is stored, candles too."""
    _run(
        "TRUNCATE transactions, price_candles_1m, price_candles_5m, price_candles_1h, price_candles_1d, sol_usd_prices"
    )
    _run("TRUNCATE candles_due, pool_milestones, stream_cursors")
    dice = random.Random(3)
    prices.record(
        samples=[
            prices.Sample(
                MIDNIGHT + timedelta(minutes=m), 150 + Decimal(dice.randrange(-200, 200)) / 100, PriceOrigin.HERMES
            )
            for m in range(1_500)
        ],
        now=MIDNIGHT,
    )
    _ingest(events)
    candles.roll_all(now=MIDNIGHT + timedelta(days=2))


def _ingest(events: Sequence[ChainEvent]) -> None:
    with override_settings(INGEST_COPY=False):  # the lane's server takes no COPY
        for begin in range(0, len(events), BATCH):
            batch = [ingest.Received(traffic.decoded(event), "bench", b"") for event in events[begin : begin + BATCH]]
            ingest.store(batch=batch, feed="bench", now=MIDNIGHT + timedelta(days=1))


def _compressed(table: str, segment_by: str, order_by: str) -> tuple[int, float]:
    """Compress all chunks one way; return their bytes and the milliseconds that reading a coin's 100 newest takes."""
    _run(f"SELECT decompress_chunk(chunk, true) FROM show_chunks('{table}') AS chunk")
    _run(policies.compression_settings_sql(table, segment_by, order_by))
    _run(f"SELECT compress_chunk(chunk) FROM show_chunks('{table}') AS chunk")
    after = _run(f"SELECT sum(after_compression_total_bytes) FROM chunk_compression_stats('{table}')")[0][0]
    coins = [key for (key,) in _run(f"SELECT DISTINCT token_id FROM {table} ORDER BY 1 LIMIT 20")]
    time_column = order_by.rsplit(" ", 1)[0].rsplit(" ", 1)[-1]
    begun = time.perf_counter()
    for coin in coins:
        _run(f"SELECT * FROM {table} WHERE token_id = '{coin}' ORDER BY {time_column} DESC LIMIT 100")
    return int(after), (time.perf_counter() - begun) / len(coins) * 1_000


def _tell(
    shape: str, table: str, segment_by: str, order_by: str, rows: int, before: int, after: int, read: float
) -> None:
    ratio = f"{before / rows:6.0f} → {after / rows:6.0f} bytes a row, {before / after:4.2f} : 1"
    print(f"{shape:6} {table:17} {segment_by or '–':13} {order_by:27} {ratio}  read {read:5.1f} ms", file=sys.stderr)


def _size(table: str) -> int:
    return int(_run(f"SELECT sum(total_bytes) FROM chunks_detailed_size('{table}')")[0][0])


def _count(table: str) -> int:
    return int(_run(f"SELECT count(*) FROM {table}")[0][0])


def _run(statement: str) -> list[tuple]:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []
