"""Exports before a drop: a day is on the disk, whole and counted, before its rows go."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection, transaction
from pyarrow import parquet as arrow_parquet

from tests import factories
from tests.factories import NOON
from tokens.models import RetentionPolicy, SolUsdPrice, Transaction
from tokens.services import archives, parquet, retention

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
OLD = datetime(2026, 3, 1, tzinfo=UTC)
"""A midnight long before the 90 days that end at NOON."""


@pytest.fixture(autouse=True)
def exported() -> RetentionPolicy:
    """Trades are exported before they are dropped, after 90 days, and no other table loses anything; a feed is live."""
    factories.cursor(source="solana-logs")
    RetentionPolicy.objects.all().delete()
    return RetentionPolicy.objects.create(table_name="transactions", drop_after=90 * DAY, export_before_drop=True)


@pytest.fixture
def by_batches(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of plain PostgreSQL on any server."""
    monkeypatch.setattr(connection, "timescale_level", "none")


def files(folder: Path) -> list[str]:
    """Return the files below ``folder`` without the digest in their names."""
    return sorted(path.name.rsplit("-", 1)[0] for path in folder.rglob("*.*"))


def test_each_day_is_a_file_and_then_its_rows_go(tmp_path: Path) -> None:
    """Two days make two files with every row and digit; what is younger than the last whole day stays."""
    pool = factories.pool()
    first = factories.transaction(pool, block_time=OLD, price_per_token=Decimal("0.00000003123456789012"))
    factories.transaction(pool, block_time=OLD + DAY - timedelta(microseconds=1))
    factories.transaction(pool, block_time=OLD + DAY)
    young = factories.transaction(pool, block_time=NOON - 90 * DAY - timedelta(hours=1))
    applied = retention.apply(now=NOON, export_to=tmp_path)
    assert applied.exported == {"transactions": 3}
    assert applied.rows == {"transactions": 3}
    assert list(Transaction.objects.all()) == [young]
    assert files(tmp_path) == ["transactions-2026-03-01", "transactions-2026-03-02"]
    (path, _) = sorted(tmp_path.rglob("*.parquet"))
    rows = arrow_parquet.read_table(path).to_pylist()
    assert [row["block_time"] for row in rows] == [OLD, OLD + DAY - timedelta(microseconds=1)]
    assert (rows[0]["id"], rows[0]["price_per_token"]) == (str(first.pk), Decimal("0.00000003123456789012"))
    assert "exported 3 rows" in RetentionPolicy.objects.get().outcome


def test_without_a_folder_nothing_is_dropped(tmp_path: Path) -> None:
    """The policy says why it holds its rows back, in the preview and afterwards."""
    factories.transaction(block_time=OLD)
    why = "it is to be exported first, but RETENTION_EXPORT_DIR names no folder"
    assert [drop.held for drop in retention.preview(now=NOON)] == [why]
    assert retention.apply(now=NOON).held == ("transactions",)
    assert Transaction.objects.count() == 1
    policy = RetentionPolicy.objects.get()
    assert (policy.outcome, policy.applied_at) == (f"held: {why}", NOON)
    assert [drop.held for drop in retention.preview(now=NOON, export_to=tmp_path)] == [""]


def test_a_folder_that_cannot_be_written_drops_nothing(tmp_path: Path) -> None:
    """The run goes on with other tables, keeps the rows and says what was wrong."""
    (tmp_path / "transactions").write_text("a file where the folder should be")
    factories.transaction(block_time=OLD)
    applied = retention.apply(now=NOON, export_to=tmp_path)
    assert (applied.held, applied.finished, applied.rows) == (("transactions",), False, {})
    assert Transaction.objects.count() == 1
    assert "the export stopped" in RetentionPolicy.objects.get().outcome


def test_a_file_that_does_not_hold_everything_drops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the finished file counts fewer rows than were read, the rows stay and no file has the day's name."""
    monkeypatch.setattr(parquet, "count", lambda path: 0)
    factories.transaction(block_time=OLD)
    assert retention.apply(now=NOON, export_to=tmp_path).held == ("transactions",)
    assert Transaction.objects.count() == 1
    assert files(tmp_path) == []


def test_exporting_the_same_rows_again_makes_no_second_file(tmp_path: Path) -> None:
    """A run that was killed between the file and the drop is repeated without a trace."""
    factories.transaction(block_time=OLD)
    again = [archives.write(table="transactions", start=OLD, end=OLD + DAY, folder=tmp_path) for _ in range(2)]
    assert again[0] == again[1]
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_rows_that_come_later_for_a_day_get_a_file_of_their_own(tmp_path: Path) -> None:
    """Nothing that was exported before is overwritten."""
    pool = factories.pool()
    factories.transaction(pool, block_time=OLD)
    retention.apply(now=NOON, export_to=tmp_path)
    factories.transaction(pool, block_time=OLD + timedelta(hours=1))
    retention.apply(now=NOON, export_to=tmp_path)
    assert files(tmp_path) == ["transactions-2026-03-01"] * 2
    assert sum(arrow_parquet.read_metadata(path).num_rows for path in tmp_path.rglob("*.parquet")) == 2


def test_rows_that_come_after_the_file_are_not_deleted(tmp_path: Path, by_batches: None) -> None:
    """Exactly what the file holds goes."""
    pool = factories.pool()
    factories.transaction(pool, block_time=OLD)
    archive = archives.write(table="transactions", start=OLD, end=OLD + DAY, folder=tmp_path)
    late = factories.transaction(pool, block_time=OLD + timedelta(hours=1))
    assert archive is not None
    assert archives.delete(archive) == 1
    assert list(Transaction.objects.all()) == [late]


def test_a_chunk_that_grew_after_the_export_is_not_dropped(level: str, tmp_path: Path) -> None:
    """Where chunks are dropped, a count under a lock finds the row that came meanwhile."""
    if level == "none":
        return  # no chunks: the test above is this one
    pool = factories.pool()
    factories.transaction(pool, block_time=OLD)
    archive = archives.write(table="transactions", start=OLD, end=OLD + DAY, folder=tmp_path)
    factories.transaction(pool, block_time=OLD + timedelta(hours=1))
    assert archive is not None
    with transaction.atomic(), pytest.raises(archives.ExportIncomplete, match=r"has 2 rows .* but 1 were exported"):
        archives.drop_chunk(table="transactions", start=OLD, end=OLD + DAY, rows=archive.rows)
    assert Transaction.objects.count() == 2


def test_a_run_is_bounded_by_whole_days(tmp_path: Path, by_batches: None) -> None:
    """After so many rows the run stops at the end of a day, and the next one goes on."""
    pool = factories.pool()
    for day in range(3):
        factories.transaction(pool, block_time=OLD + day * DAY)
    first = retention.apply(now=NOON, export_to=tmp_path, batch_size=2, max_batches=1)
    assert (first.exported, first.finished) == ({"transactions": 2}, False)
    assert Transaction.objects.count() == 1
    assert retention.apply(now=NOON, export_to=tmp_path).finished is True


def test_a_day_without_rows_makes_no_file(tmp_path: Path) -> None:
    """Nothing is nothing."""
    assert archives.write(table="sol_usd_prices", start=OLD, end=OLD + DAY, folder=tmp_path) is None
    assert files(tmp_path) == []


def test_days_are_cut_to_the_window() -> None:
    """The first and the last day are as long as the window says."""
    hour = timedelta(hours=1)
    assert list(archives.days(start=OLD + hour, end=OLD + DAY + hour)) == [
        (OLD + hour, OLD + DAY),
        (OLD + DAY, OLD + DAY + hour),
    ]
    assert list(archives.days(start=OLD, end=OLD)) == []


def test_only_one_price_goes_when_only_prices_are_exported(tmp_path: Path) -> None:
    """Another time series is exported by its own time."""
    RetentionPolicy.objects.all().delete()
    RetentionPolicy.objects.create(table_name="sol_usd_prices", drop_after=90 * DAY, export_before_drop=True)
    factories.sol_usd(OLD)
    factories.sol_usd(NOON)
    assert retention.apply(now=NOON, export_to=tmp_path).exported == {"sol_usd_prices": 1}
    assert [price.price_time for price in SolUsdPrice.objects.all()] == [NOON]
