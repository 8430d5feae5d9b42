"""Tables as streams of rows."""

from datetime import timedelta

import pytest

from tests import factories
from tests.factories import NOON
from tokens.models import TokenTraded
from tokens.services import exports

pytestmark = pytest.mark.django_db


def test_tables_are_the_rooms() -> None:
    """What the room stores can be exported, and nothing of logins or keys."""
    assert exports.tables() == [
        "aggregates_due",
        "candles_due",
        "chain_reorgs",
        "drift_counts",
        "fee_recipients",
        "operator_alerts",
        "pool_chains",
        "pool_milestones",
        "pools",
        "price_candles_1d",
        "price_candles_1h",
        "price_candles_1m",
        "price_candles_5m",
        "price_source_states",
        "program_snapshots",
        "quote_usd_prices",
        "rejected_messages",
        "retention_policies",
        "slot_gaps",
        "sol_usd_prices",
        "source_tallies",
        "stream_cursors",
        "stream_sightings",
        "system_metrics",
        "token_metadata",
        "tokens",
        "tokens_traded",
        "transactions",
        "venue_states",
    ]


def test_bytes_stay_behind() -> None:
    """The payload of a rejected message is no column of the export."""
    columns = {field.column for field in exports.fields("rejected_messages")}
    assert "payload" not in columns
    assert {"digest", "reason", "detail"} <= columns


@pytest.mark.parametrize("ask", [exports.fields, exports.time_column, lambda name: next(exports.stream(table=name))])
def test_another_table_is_refused(ask: object) -> None:
    """A name that is not one of the tables never reaches SQL."""
    with pytest.raises(KeyError):
        ask('tokens"; DROP TABLE tokens; --')  # type: ignore[operator] # each of the three takes a name


def test_a_table_is_in_the_order_of_its_key() -> None:
    """Its rows are sorted by the key whatever that is called."""
    tokens = sorted((factories.token() for _ in range(3)), key=lambda token: token.pk)
    for token in reversed(tokens):
        TokenTraded.objects.create(token=token, traded_at=NOON)
    assert [row[0] for rows in exports.stream(table="tokens_traded") for row in rows] == [token.pk for token in tokens]


@pytest.mark.parametrize(
    ("table", "column"), [("transactions", "block_time"), ("price_candles_1m", "bucket"), ("tokens", None)]
)
def test_a_time_series_has_its_column(table: str, column: str | None) -> None:
    """Hypertables are cut by their time, other tables are not."""
    assert exports.time_column(table) == column


def test_rows_come_in_bounded_pieces_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven trades in pieces of three, oldest first, the end of the window excluded."""
    monkeypatch.setattr(exports, "_CHUNK", 3)
    pool = factories.pool()
    for second in (5, 3, 1, 0, 2, 4, 6, 7):
        factories.transaction(pool, block_time=NOON + timedelta(seconds=second))
    place = [field.column for field in exports.fields("transactions")].index("block_time")
    pieces = list(exports.stream(table="transactions", start=NOON, end=NOON + timedelta(seconds=7)))
    assert [len(rows) for rows in pieces] == [3, 3, 1]
    found = [row[place] for rows in pieces for row in rows]
    assert found == [NOON + timedelta(seconds=second) for second in range(7)]
