"""``manage.py rebuild_candles``: candles again from the stored trades."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, execute_from_command_line

from tests import factories
from tests.factories import NOON
from tests.recordings import HERE
from tests.tokens.commands.calling import call, result
from tests.tokens.services.capture import rows
from tokens.models import PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m, Token
from tokens.services import candles

pytestmark = pytest.mark.django_db

TABLES = (PriceCandle1m, PriceCandle5m, PriceCandle1h, PriceCandle1d)


def test_rebuilding_changes_nothing_and_restores_what_is_missing() -> None:
    """From trades alone every candle comes back exactly as it was, and a candle without trades goes."""
    call("replay", HERE / "rows")
    before = rows()
    result("rebuild_candles")
    assert rows() == before
    for table in TABLES:
        table.objects.all().delete()
    factories.candle(Token.objects.earliest("mint_address"), bucket=factories.NOON - timedelta(days=292))
    told = result("rebuild_candles")
    assert told["windows"] == 1
    assert {name: found for name, found in rows().items() if name != "price_candles_1m"} == {
        name: found for name, found in before.items() if name != "price_candles_1m"
    }


def test_a_rebuild_that_was_cut_short_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was marked before the failure stays marked, and the next run computes it."""
    pool = factories.pool()
    for day in range(3):
        factories.transaction(pool, block_time=NOON + timedelta(days=day))
    roll_all, calls = candles.roll_all, []

    def failing(**given: object) -> int:
        calls.append(given)
        if len(calls) == 2:
            raise ConnectionError("the database went away")
        return roll_all(**given)  # type: ignore[arg-type] # what the command gave

    monkeypatch.setattr(candles, "roll_all", failing)
    with pytest.raises(ConnectionError):
        call("rebuild_candles")
    assert PriceCandle1d.objects.count() == 1
    assert result("rebuild_candles")["windows"] == 3
    assert PriceCandle1d.objects.count() == PriceCandle1m.objects.count() == 3


def test_one_token_and_a_window() -> None:
    """--token and the half-open [--start, --end) bound what is computed."""
    first, second = factories.pool(), factories.pool()
    for pool in (first, second):
        for day in range(3):
            factories.transaction(pool, block_time=NOON + timedelta(days=day))
    mint = first.token.mint_address
    told = result("rebuild_candles", "--token", mint, "--start", "2026-07-04", "--end", "2026-07-05T12:00:00Z")
    assert told == {"windows": 2, "candles": 4}
    found = PriceCandle1m.objects.values_list("token__mint_address", "bucket")
    assert list(found) == [(mint, NOON + timedelta(days=1))]


def test_without_trades_nothing_happens() -> None:
    """An empty database is no error."""
    assert result("rebuild_candles") == {"windows": 0, "candles": 0}


def test_an_unknown_token_is_a_wrong_call() -> None:
    """The message names it; exit code 2."""
    with pytest.raises(CommandError, match="There is no token nobody") as refusal:
        call("rebuild_candles", "--token", "nobody")
    assert refusal.value.returncode == 2


def test_a_time_that_is_none_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    """The message shows how a time is written; exit code 2, without a traceback."""
    with pytest.raises(SystemExit) as stop:
        execute_from_command_line(["manage.py", "rebuild_candles", "--start", "soon"])
    assert stop.value.code == 2
    assert "'soon' is no time. Write 2026-07-04 or 2026-07-04T12:30:00Z." in capsys.readouterr().err
