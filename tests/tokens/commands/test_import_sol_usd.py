"""``manage.py import_sol_usd``: prices from a file, and dollars for the trades that waited."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from django.core.management import CommandError
from pyarrow import feather, parquet

from tests import factories
from tests.factories import NOON
from tests.tokens.commands.calling import call, result
from tokens.models import PriceCandle1m, SolUsdPrice, Transaction

pytestmark = pytest.mark.django_db

SECOND = int(NOON.timestamp())
SAMPLES = [(NOON, Decimal("150.123456")), (NOON + timedelta(minutes=1), Decimal("151.000000"))]


def stored() -> list[tuple[datetime, Decimal]]:
    """Return the samples, oldest first."""
    return list(SolUsdPrice.objects.order_by("price_time").values_list("price_time", "price_usd"))


def csv_of(*lines: str) -> bytes:
    """Return a table's text."""
    return "\n".join(lines).encode() + b"\n"


SEVENTH = "2026-07-03T12:0"
TABLES: dict[str, bytes] = {
    "iso.csv": csv_of("price_time,price_usd", f"{SEVENTH}0:00Z,150.123456", f"{SEVENTH}1:00+00:00,151"),
    "naive.csv": csv_of("date,open,close", "2026-07-03 12:00:00,150.123456,9", "2026-07-03 12:01:00,151,9"),
    "seconds.csv": csv_of("timestamp,price", f"{SECOND},150.123456", f"{SECOND + 60}.0,151"),
    "milliseconds.csv": csv_of("open_time,open", f"{SECOND}000,150.1234559", f"{SECOND + 60}000,151.0000004"),
    "bom.csv": b"\xef\xbb\xbf" + csv_of("time,price", f"{SECOND},150.123456", f"{SECOND + 60},151"),
    "packed.csv.gz": gzip.compress(csv_of("time,price", f"{SECOND},150.123456", f"{SECOND + 60},151")),
    "lines.jsonl": csv_of(
        f'{{"timestamp": {SECOND}, "price": "150.123456"}}', f'{{"timestamp": {SECOND + 60}, "price": 151}}'
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_text(name: str, tmp_path: Path) -> None:
    """Whatever the columns are called and however time is written, the samples are the same to the sixth decimal."""
    (tmp_path / name).write_bytes(TABLES[name])
    assert result("import_sol_usd", tmp_path / name) == {"samples": 2, "new": 2, "trades_filled": 0, "candles": 0}
    assert stored() == SAMPLES


@pytest.mark.parametrize("write", [feather.write_feather, parquet.write_table], ids=["feather", "parquet"])
def test_a_table_of_columns(write: Any, tmp_path: Path) -> None:
    """Feather and Parquet give the same samples as text."""
    path = tmp_path / f"prices.{'feather' if write is feather.write_feather else 'parquet'}"
    write(arrow.table({"date": [at for at, _ in SAMPLES], "open": [str(price) for _, price in SAMPLES]}), str(path))
    result("import_sol_usd", path)
    assert stored() == SAMPLES


def test_importing_again_adds_nothing(tmp_path: Path) -> None:
    """A sample that its source gave before stays as it was; another source's stands beside it."""
    path = tmp_path / "prices.csv"
    path.write_bytes(TABLES["iso.csv"])
    call("import_sol_usd", path)
    path.write_bytes(TABLES["iso.csv"].replace(b"151", b"999"))
    assert result("import_sol_usd", path)["new"] == 0
    assert stored() == SAMPLES
    assert result("import_sol_usd", path, "--source", "birdeye")["new"] == 2
    assert SolUsdPrice.objects.get(source="birdeye", price_time=SAMPLES[1][0]).price_usd == 999


def test_waiting_trades_get_their_dollars(tmp_path: Path) -> None:
    """A trade takes the newest sample at most 120 s older than itself, and its candle follows; others stay without."""
    pool = factories.pool()
    nothing = {"price_per_token_usd": None, "sol_amount_usd": None}
    early = factories.transaction(pool, block_time=NOON - timedelta(seconds=1), **nothing)
    priced = factories.transaction(pool, block_time=NOON + timedelta(seconds=59), **nothing)
    last = factories.transaction(pool, block_time=NOON + timedelta(seconds=180), **nothing)
    late = factories.transaction(pool, block_time=NOON + timedelta(seconds=181), **nothing)
    (tmp_path / "prices.csv").write_bytes(TABLES["iso.csv"])
    assert result("import_sol_usd", tmp_path / "prices.csv")["trades_filled"] == 2
    dollars = dict(Transaction.objects.values_list("id", "sol_amount_usd"))
    assert dollars == {early.id: None, priced.id: Decimal("150.123456"), last.id: Decimal(151), late.id: None}
    assert PriceCandle1m.objects.get(bucket=NOON).volume_usd == Decimal("150.123456")


BAD: list[tuple[str, bytes, str]] = [
    ("text.csv", csv_of("time,price", f"{SECOND},1", "yesterday,2"), "row 2 does not hold a time"),
    ("none.csv", csv_of("moment,value", f"{SECOND},1"), "row 1 does not hold a time"),
    ("words.csv", csv_of("time,price", f"{SECOND},cheap"), "row 1 does not hold a time"),
    ("nan.csv", csv_of("time,price", f"{SECOND},NaN"), "row 1 does not hold a time"),
    ("infinite.csv", csv_of("time,price", f"{SECOND},inf"), "row 1 does not hold a time"),
    ("free.csv", csv_of("time,price", f"{SECOND},0"), "row 1 does not hold a time"),
    ("negative.csv", csv_of("time,price", f"{SECOND},-1"), "row 1 does not hold a time"),
    ("huge.csv", csv_of("time,price", f"{SECOND},100000000000000"), "row 1 does not hold a time"),
    ("old.csv", csv_of("time,price", "20260703,1"), "row 1 does not hold a time"),
    ("list.jsonl", b"[1, 2]\n", "row 1 does not hold a time"),
    ("half.jsonl", b'{"time": 1', "cannot be read as a table"),
    ("not.feather", b"hello", "cannot be read as a table"),
    ("not.parquet", b"hello", "cannot be read as a table"),
    ("not.csv.gz", b"hello", "cannot be read as a table"),
    ("cut.csv.gz", gzip.compress(csv_of("time,price", *[f"{SECOND},1"] * 99))[:-12], "cannot be read as a table"),
    ("latin.csv", b"time,price\n\xe4,1\n", "cannot be read as a table"),
]


@pytest.mark.parametrize(("name", "content", "said"), BAD, ids=[name for name, _, _ in BAD])
def test_a_file_that_is_not_one_says_where(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    """The message names the file and the row, exit code 1, and nothing of the batch is stored."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=said) as refusal:
        call("import_sol_usd", tmp_path / name)
    assert refusal.value.returncode == 1
    assert str(tmp_path / name) in str(refusal.value)
    assert stored() == []


def test_a_missing_file_is_a_wrong_call() -> None:
    """Exit code 2."""
    with pytest.raises(CommandError, match=r"There is no file nowhere\.csv") as refusal:
        call("import_sol_usd", "nowhere.csv")
    assert refusal.value.returncode == 2


def test_times_keep_their_zone(tmp_path: Path) -> None:
    """A time with an offset is the moment it says."""
    (tmp_path / "zone.csv").write_bytes(csv_of("time,price", "2026-07-03T14:00:00+02:00,150"))
    call("import_sol_usd", tmp_path / "zone.csv")
    assert stored() == [(datetime(2026, 7, 3, 12, tzinfo=UTC), Decimal(150))]


def test_truth_04_a_price_that_is_still_to_come_is_none(tmp_path: Path) -> None:
    """A row of the year 2100 would be the newest price for ever."""
    path = tmp_path / "future.csv"
    path.write_text("price_time,price_usd\n2100-01-01T00:00:00Z,150\n")
    with pytest.raises(CommandError, match="row 1"):
        call("import_sol_usd", path)
    assert not SolUsdPrice.objects.exists()
