"""``manage.py export``: tables as files that other tools read."""

import csv
import io
import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pyarrow import parquet

from tests import factories
from tests.factories import NOON
from tests.tokens.commands.calling import call, result
from tokens.models import RetentionPolicy, Transaction
from tokens.services import exports

pytestmark = pytest.mark.django_db

WIDEST = {
    "amount_in": 10**39 - 1,
    "price_per_token": Decimal("123456789012345678.12345678901234567891"),
    "quote_reserves": 2**64 - 1,
    "sol_amount": Decimal("123456789012345678901.123456789"),
    "raw_data": {"layout": "TradeEvent/35", "n": [1, None, 2**64]},
}
"""Values of every digit that the columns hold."""


def table(path: Path) -> Iterator[dict[str, str]]:
    """Return the rows of a CSV file."""
    return csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""))


@pytest.fixture
def trade() -> Transaction:
    """A trade whose numbers need every digit."""
    made = factories.transaction(block_time=NOON + timedelta(microseconds=1), **WIDEST)
    # A trigger computes dollars on insert, so they are set afterwards.
    Transaction.objects.filter(pk=made.pk).update(
        price_per_token_usd=Decimal("12345678901234567890.123456789012345678")
    )
    return Transaction.objects.get(pk=made.pk)


def test_csv_keeps_every_digit(trade: Transaction, tmp_path: Path) -> None:
    """Amounts are plain digits, times ISO-8601 in UTC, JSON is JSON, what is not known is empty."""
    path = tmp_path / "trades.csv"
    assert result("export", "transactions", "--output", path) == {"table": "transactions", "rows": 1, "file": str(path)}
    (row,) = table(path)
    assert {name: row[name] for name in ("amount_in", "price_per_token", "price_per_token_usd", "sol_amount")} == {
        "amount_in": "999999999999999999999999999999999999999",
        "price_per_token": "123456789012345678.12345678901234567891",
        "price_per_token_usd": "12345678901234567890.123456789012345678",
        "sol_amount": "123456789012345678901.123456789",
    }
    assert (row["block_time"], row["id"]) == ("2026-07-03T12:00:00.000001+00:00", str(trade.id))
    assert json.loads(row["raw_data"]) == WIDEST["raw_data"]
    assert (row["transaction_fee"], row["success"]) == ("", "True")


def test_json_lines_keep_every_digit(trade: Transaction, tmp_path: Path) -> None:
    """Amounts are text, whole small numbers are numbers, JSON stays JSON."""
    path = tmp_path / "trades.jsonl"
    call("export", "transactions", "--format", "jsonl", "--output", path)
    row = json.loads(path.read_text())
    assert (row["amount_in"], row["quote_reserves"]) == (str(10**39 - 1), str(2**64 - 1))
    assert Decimal(row["price_per_token"]) == trade.price_per_token
    assert (row["slot"], row["transaction_fee"], row["raw_data"]) == (420_000_000, None, WIDEST["raw_data"])


def test_parquet_keeps_every_digit(trade: Transaction, tmp_path: Path) -> None:
    """Read back, every column is the value that the database holds."""
    path = tmp_path / "trades.parquet"
    assert result("export", "transactions", "--format", "parquet", "--output", path)["rows"] == 1
    (row,) = parquet.read_table(path).to_pylist()
    for field in exports.fields("transactions"):
        value = getattr(trade, field.attname)
        if field.column == "raw_data":
            assert json.loads(row["raw_data"]) == value
        else:
            assert row[field.column] == (str(value) if field.column in ("id", "pool_id", "token_id") else value)


def test_the_three_forms_agree_on_a_generated_column(tmp_path: Path) -> None:
    """A curve that is a quarter sold says 25 in each."""
    factories.pool()
    for form in ("csv", "jsonl", "parquet"):
        call("export", "pools", "--format", form, "--output", tmp_path / f"pools.{form}")
    (from_csv,) = table(tmp_path / "pools.csv")
    from_json = json.loads((tmp_path / "pools.jsonl").read_text())
    (from_parquet,) = parquet.read_table(tmp_path / "pools.parquet").to_pylist()
    found = {
        from_csv["bonding_curve_progress"],
        from_json["bonding_curve_progress"],
        str(from_parquet["bonding_curve_progress"]),
    }
    assert found == {"25.0000"}


def test_a_duration_is_written_as_one(tmp_path: Path) -> None:
    """Ninety days are ISO-8601 in text and a duration in Parquet."""
    RetentionPolicy.objects.all().delete()
    RetentionPolicy.objects.create(table_name="transactions", drop_after=timedelta(days=90))
    for form in ("csv", "jsonl", "parquet"):
        call("export", "retention_policies", "--format", form, "--output", tmp_path / f"rows.{form}")
    (from_csv,) = table(tmp_path / "rows.csv")
    from_json = json.loads((tmp_path / "rows.jsonl").read_text())
    (from_parquet,) = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert from_csv["drop_after"] == from_json["drop_after"] == "P90DT00H00M00S"
    assert (from_parquet["drop_after"], from_json["compress_after"]) == (timedelta(days=90), None)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_is_never_a_formula(start: str, tmp_path: Path) -> None:
    """In CSV a text that a spreadsheet would compute begins with an apostrophe; JSON lines keep it as it is."""
    factories.token(name=f'{start}HYPERLINK("http://x","y")')
    call("export", "tokens", "--output", tmp_path / "tokens.csv")
    call("export", "tokens", "--format", "jsonl", "--output", tmp_path / "tokens.jsonl")
    (row,) = table(tmp_path / "tokens.csv")
    assert row["name"] == f'\'{start}HYPERLINK("http://x","y")'
    assert json.loads((tmp_path / "tokens.jsonl").read_text())["name"] == f'{start}HYPERLINK("http://x","y")'


def test_a_negative_number_stays_a_number(tmp_path: Path) -> None:
    """The apostrophe is for texts: PumpSwap's signed boost is a number."""
    factories.pool(boost_quote_reserves=-5)
    call("export", "pools", "--output", tmp_path / "pools.csv")
    (row,) = table(tmp_path / "pools.csv")
    assert row["boost_quote_reserves"] == "-5"


def test_a_window_is_half_open(tmp_path: Path) -> None:
    """--start is in, --end is out, and rows come in the order of time."""
    pool = factories.pool()
    times = [NOON + timedelta(hours=hour) for hour in (2, 0, 1, 3)]
    for at in times:
        factories.transaction(pool, block_time=at)
    path = tmp_path / "trades.jsonl"
    window = ("--start", "2026-07-03T13:00:00Z", "--end", "2026-07-03T17:00:00+02:00")
    call("export", "transactions", "--format", "jsonl", "--output", path, *window)
    found = [json.loads(line)["block_time"] for line in path.read_text().splitlines()]
    assert found == ["2026-07-03T13:00:00+00:00", "2026-07-03T14:00:00+00:00"]


def test_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --output the rows are printed, and nothing else."""
    token = factories.token()
    call("export", "tokens")
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["mint_address"] == token.mint_address


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_what_was_cut_short_leaves_no_file(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When reading fails half-way an earlier file stays as it was, and nothing lies beside it."""
    factories.token()
    stream = exports.stream

    def failing(**given: Any) -> Iterator[list[tuple[Any, ...]]]:
        yield from stream(**given)
        raise RuntimeError("the database went away")

    path = tmp_path / "tokens"
    path.write_text("earlier")
    monkeypatch.setattr(exports, "stream", failing)
    with pytest.raises(RuntimeError, match="the database went away"):
        call("export", "tokens", "--format", form, "--output", path)
    assert {found.name: found.read_text() for found in tmp_path.iterdir()} == {"tokens": "earlier"}


@pytest.mark.parametrize("table", exports.tables())
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_table_can_be_exported(form: str, table: str, tmp_path: Path) -> None:
    """Each table of the room is written in each form with its columns, rows or none."""
    path = tmp_path / f"rows.{form}"
    assert result("export", table, "--format", form, "--output", path)["table"] == table
    columns = [field.column for field in exports.fields(table)]
    if form == "csv":
        assert path.read_text().splitlines()[0] == ",".join(columns)
    elif form == "parquet":
        assert parquet.read_schema(path).names == columns
    else:
        assert all(list(json.loads(line)) == columns for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("users",), "There is no table users. Choose from aggregates_due, ", 2),
        (("auth_user",), "There is no table auth_user", 2),
        (("tokens", "--format", "parquet"), "Parquet needs a file: add --output FILE.", 2),
        (("tokens", "--start", "2026-07-01"), "tokens is no time series: leave out --start and --end.", 2),
        (("tokens", "--output", "nowhere/tokens.csv"), "nowhere/tokens.csv cannot be written: No such file", 1),
        (("tokens", "--format", "parquet", "--output", "nowhere/t"), "nowhere/t cannot be written", 1),
    ],
)
def test_a_wrong_call_says_what_would_be_right(arguments: tuple[str, ...], said: str, code: int) -> None:
    """The message says what to write, and the exit code whether the call or the machine was wrong."""
    with pytest.raises(CommandError, match=said) as refusal:
        call("export", *arguments)
    assert refusal.value.returncode == code


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_shield_06_a_device_stays_a_device(trade: Transaction, tmp_path: Path, form: str) -> None:
    """What is written to a character device, by its name or by a link, goes into it; device and link are what they were."""
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    for output in (Path("/dev/null"), link):
        assert result("export", "transactions", "--format", form, "--output", output)["rows"] == 1
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert link.is_symlink()
    assert list(tmp_path.iterdir()) == [link]


def test_shield_06_a_full_device_is_a_sentence(trade: Transaction) -> None:
    """A device that takes nothing ends the export with the reason."""
    with pytest.raises(CommandError, match="/dev/full cannot be written: No space left on device"):
        call("export", "transactions", "--output", "/dev/full")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_shield_06_a_fifo_is_written_to(trade: Transaction, tmp_path: Path, form: str) -> None:
    """A reader at the other end gets the whole file, and the FIFO stays."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    call("export", "transactions", "--format", form, "--output", pipe)
    reader.join(10)
    if form == "parquet":
        assert parquet.read_table(io.BytesIO(got[0])).num_rows == 1
    else:
        assert got[0].count(b"\n") == 2
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_shield_06_a_folder_or_socket_is_refused(trade: Transaction, form: str) -> None:
    """Both stay, and the sentence says what they are."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as server:
        folder, sock = Path(short, "folder"), Path(short, "sock")
        folder.mkdir()
        server.bind(str(sock))
        for output, kind in ((folder, "folder"), (sock, "device, FIFO or socket")):
            with pytest.raises(CommandError, match=f"cannot be written: it is a {kind}"):
                call("export", "transactions", "--format", form, "--output", output)
        assert sorted(Path(short).iterdir()) == [folder, sock]
        assert folder.is_dir()
        assert sock.is_socket()


def test_shield_06_a_link_to_a_file_is_followed(trade: Transaction, tmp_path: Path) -> None:
    """The file behind it gets the rows; the link stays one."""
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    call("export", "transactions", "--output", link)
    assert link.is_symlink()
    assert real.read_text().count("\n") == 2


def test_an_empty_stretch_is_said(trade: Transaction, tmp_path: Path) -> None:
    """Between which times nothing is; what has rows, and a table without times, says nothing of it."""
    said = io.StringIO()
    for start, end in (("2020-01-01", "2020-01-02"), ("2020-01-01", "2099-01-01")):
        call_command(
            "export",
            "transactions",
            "--output",
            str(tmp_path / "x.csv"),
            "--start",
            start,
            "--end",
            end,
            stdout=io.StringIO(),
            stderr=said,
        )
    assert said.getvalue() == "0 rows: nothing between 2020-01-01 00:00:00+00:00 and 2020-01-02 00:00:00+00:00.\n"
