"""Asking price sources: fault F44 (frozen, negative, far off) and everything else that a source can do wrong."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.ports import PriceQuote, PriceSource
from tests.factories import NOON, WSOL
from tokens.choices import AlertKind, PriceDrop, PriceSourceStatus
from tokens.domain.programs import USD1, USDC
from tokens.models import OperatorAlert, PriceSourceState, QuoteUsdPrice, SolUsdPrice
from tokens.services import polls
from tokens.services.polls import Polled

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
BEAT = 10 * SECOND
OK, DROPPED, UNREACHABLE = PriceSourceStatus.OK, PriceSourceStatus.DROPPED, PriceSourceStatus.UNREACHABLE

Script = Callable[[datetime], Mapping[str, PriceQuote] | Exception]


class Scripted:
    """A :class:`PriceSource` that answers what a script says for the time that the test has reached."""

    def __init__(self, name: str, script: Script) -> None:
        self.name = name
        self.script = script
        self.now = NOON
        self.asked: list[tuple[str, ...]] = []

    def get_prices(self, mints: Sequence[str]) -> Mapping[str, PriceQuote]:
        self.asked.append(tuple(mints))
        answer = self.script(self.now)
        if isinstance(answer, Exception):
            raise answer
        return {mint: quote for mint, quote in answer.items() if mint in mints}


def sol(price: object, *, age: timedelta = SECOND) -> Script:
    """Return a script that gives SOL's price, a second old."""
    return lambda now: {WSOL: PriceQuote(Decimal(str(price)), now - age)}


def moving(start: str, step: str) -> Script:
    """Return a script whose price of SOL moves by ``step`` a beat."""
    return lambda now: {WSOL: PriceQuote(Decimal(start) + Decimal(step) * int((now - NOON) / BEAT), now - SECOND)}


def failing(error: Exception) -> Script:
    return lambda now: error


def ask(*sources: Scripted, at: datetime = NOON, mints: Sequence[str] = (WSOL,)) -> Polled:
    """Poll at a moment."""
    for source in sources:
        source.now = at
    asked: Sequence[PriceSource] = sources
    return polls.poll(sources=asked, now=at, mints=mints)


def stored() -> dict[str, list[Decimal]]:
    """Return SOL's samples by source, oldest first."""
    found: dict[str, list[Decimal]] = {}
    for sample in SolUsdPrice.objects.order_by("price_time"):
        found.setdefault(sample.source, []).append(sample.price_usd)
    return found


def state(source: str, mint: str = WSOL) -> PriceSourceState:
    return PriceSourceState.objects.get(source=source, mint=mint)


def test_each_source_has_its_own_samples_with_confidence() -> None:
    """Three agree: three rows, each with its source's time and spread."""
    quote = PriceQuote(Decimal("150.1234567"), NOON - 2 * SECOND, Decimal("0.07654321"))
    sources = [
        Scripted("hermes", lambda now: {WSOL: quote}),
        Scripted("jupiter", sol(151)),
        Scripted("birdeye", sol(150)),
    ]
    assert ask(*sources) == Polled(asked=("birdeye", "hermes", "jupiter"), stored=3, dropped=(), unreachable=())
    hermes = SolUsdPrice.objects.get(source="hermes")
    assert (hermes.price_usd, hermes.confidence) == (Decimal("150.123457"), Decimal("0.076543"))
    assert hermes.price_time == NOON - 2 * SECOND
    now = state("hermes")
    assert (now.status, now.last_price, now.last_ok_at, now.last_asked_at) == (OK, "150.1234567", NOON, NOON)


def test_f44_a_source_far_off_is_dropped_and_shown() -> None:
    """Sixty per cent away: nothing of it is stored, and its state says what it said and why it was not used."""
    result = ask(Scripted("hermes", sol(150)), Scripted("jupiter", sol(240)), Scripted("birdeye", sol(151)))
    assert (result.stored, result.dropped) == (2, ("jupiter",))
    assert stored() == {"hermes": [150], "birdeye": [151]}
    liar = state("jupiter")
    assert (liar.status, liar.reason, liar.last_price) == (DROPPED, PriceDrop.FAR_OFF, "240")
    assert (liar.dropped_count, liar.last_ok_at) == (1, None)


@pytest.mark.parametrize("price", ["-150", "0", "NaN"])
def test_f44_a_negative_price_is_dropped(price: str) -> None:
    """Also zero, and what is no number; the other source goes on."""
    ask(Scripted("hermes", sol(price)), Scripted("jupiter", sol(150)))
    assert stored() == {"jupiter": [150]}
    assert (state("hermes").reason, state("hermes").last_price) == (PriceDrop.NOT_POSITIVE, price)


def test_f44_a_frozen_source_is_dropped_and_comes_back_when_it_moves() -> None:
    """The same price of the same moment: four times it may be quiet, the fifth time it is frozen."""
    frozen = Scripted("hermes", lambda now: {WSOL: PriceQuote(Decimal(150), NOON - SECOND)})
    moves = Scripted("jupiter", moving("150", "0.01"))
    verdicts = []
    for beat in range(5):
        ask(frozen, moves, at=NOON + beat * BEAT)
        verdicts.append(state("hermes").status)
    assert verdicts == [OK, OK, OK, OK, DROPPED]
    assert (state("hermes").reason, state("hermes").since) == (PriceDrop.FROZEN, NOON + 4 * BEAT)
    assert (len(stored()["hermes"]), len(stored()["jupiter"])) == (1, 5)
    frozen.script = sol("150.05")
    ask(frozen, moves, at=NOON + 5 * BEAT)
    assert (state("hermes").status, state("hermes").reason, state("hermes").since) == (OK, "", NOON + 5 * BEAT)


def test_f44_a_price_that_only_pretends_to_be_new_is_frozen() -> None:
    """Its time moves, its price does not, while the other source's does: after five minutes it is not used any more."""
    pretends, moves = Scripted("hermes", sol(150)), Scripted("jupiter", moving("150", "0.01"))
    for beat in range(32):
        ask(pretends, moves, at=NOON + beat * BEAT)
    assert (state("hermes").status, state("hermes").reason) == (DROPPED, PriceDrop.FROZEN)
    assert len(stored()["hermes"]) == 31
    assert state("jupiter").status == OK


def test_of_two_that_fall_out_the_one_that_goes_on_is_believed() -> None:
    """The price that was used last is the witness."""
    hermes, jupiter = Scripted("hermes", moving("150", "0.1")), Scripted("jupiter", moving("150", "0.1"))
    ask(hermes, jupiter)
    jupiter.script = moving("240", "0.1")
    ask(hermes, jupiter, at=NOON + BEAT)
    assert (state("hermes").status, state("jupiter").reason) == (OK, PriceDrop.FAR_OFF)
    assert stored()["jupiter"] == [150]


def test_a_source_that_is_not_asked_this_time_is_still_a_witness() -> None:
    """Jupiter has its turn later: Hermes is compared with what it said before, and a jump is confirmed by nobody."""
    hermes, jupiter = Scripted("hermes", moving("150", "0.1")), Scripted("jupiter", sol(150))
    ask(hermes, jupiter)
    hermes.script = sol(160)
    ask(hermes, at=NOON + BEAT)
    assert state("hermes").reason == PriceDrop.FAR_OFF
    assert stored()["hermes"] == [150]


def test_a_source_that_fails_stops_nobody() -> None:
    """Whatever it raises: the others' prices are stored, and what went wrong is shown."""
    bad = [Scripted("hermes", failing(Malformed("a page, not data"))), Scripted("birdeye", failing(KeyError("oops")))]
    result = ask(*bad, Scripted("jupiter", sol(150)))
    assert result == Polled(
        asked=("birdeye", "hermes", "jupiter"), stored=1, dropped=(), unreachable=("birdeye", "hermes")
    )
    hermes = state("hermes")
    assert (hermes.status, hermes.error, hermes.failures) == (UNREACHABLE, "a page, not data", 1)
    assert state("birdeye").error == "'oops'"


def test_a_failing_source_is_asked_less_and_less_often() -> None:
    """After 10, 20, 40 seconds, not at every beat; the first answer ends it."""
    hermes, jupiter = Scripted("hermes", failing(TryLater("busy"))), Scripted("jupiter", moving("150", "0.1"))
    asked = []
    for beat in range(9):
        ask(hermes, jupiter, at=NOON + beat * BEAT)
        asked.append(len(hermes.asked))
    assert asked == [1, 2, 2, 3, 3, 3, 3, 4, 4]
    assert len(jupiter.asked) == 9
    hermes.script = moving("150", "0.1")
    ask(hermes, jupiter, at=NOON + 15 * BEAT)
    assert (state("hermes").status, state("hermes").failures, state("hermes").error) == (OK, 0, "")


@pytest.mark.parametrize(
    ("error", "failures", "wait"),
    [
        (TryLater("busy"), 1, 10 * SECOND),
        (TryLater("busy"), 4, 80 * SECOND),
        (TryLater("busy"), 99, 600 * SECOND),
        (TryLater("busy", retry_after=60 * SECOND), 1, 60 * SECOND),
        (TryLater("busy", retry_after=timedelta(days=1)), 1, 3600 * SECOND),
        (Refused("wrong key"), 1, 600 * SECOND),
        (Malformed("a page"), 2, 20 * SECOND),
    ],
)
def test_how_long_a_failing_source_is_left_alone(error: Exception, failures: int, wait: timedelta) -> None:
    """Doubling, at least what it asks for within an hour, and at once the longest where repeating cannot help."""
    assert polls.pause(error, failures=failures) == wait


def test_a_coin_that_a_source_does_not_have_is_no_failure() -> None:
    """Its other prices are used, and nobody is told."""
    hermes = Scripted("hermes", sol(150))
    for minute in range(11):
        ask(hermes, at=NOON + minute * timedelta(minutes=1), mints=(WSOL, USD1))
        hermes.script = sol(150 + minute)
    assert (state("hermes", USD1).status, state("hermes", USD1).reason) == (DROPPED, PriceDrop.ABSENT)
    assert state("hermes").status == OK
    assert not OperatorAlert.objects.exists()


def test_t7_other_quotes_have_their_own_table() -> None:
    """One call brings SOL and USDC; each coin is judged by itself."""

    def script(now: datetime) -> Mapping[str, PriceQuote]:
        return {WSOL: PriceQuote(Decimal(150), now - SECOND), USDC: PriceQuote(Decimal("0.9998"), now - 3 * SECOND)}

    hermes, jupiter = Scripted("hermes", script), Scripted("jupiter", sol(240))
    ask(hermes, jupiter, mints=(WSOL, USDC))
    assert hermes.asked == [tuple(sorted((WSOL, USDC)))]
    assert stored() == {}
    sample = QuoteUsdPrice.objects.get()
    assert (sample.quote_mint, sample.price_usd, sample.price_time) == (USDC, Decimal("0.9998"), NOON - 3 * SECOND)
    assert (state("hermes").reason, state("hermes", USDC).status) == (PriceDrop.DISPUTED, OK)


def test_a_source_is_not_asked_again_before_its_turn() -> None:
    """A second poll in the same breath asks nobody and stores nothing."""
    hermes = Scripted("hermes", sol(150))
    ask(hermes)
    assert ask(hermes, at=NOON + 4 * SECOND) == Polled(asked=(), stored=0, dropped=(), unreachable=())
    assert len(hermes.asked) == 1
    assert ask(hermes, at=NOON + 5 * SECOND).stored == 1


def test_nobody_is_asked_inside_a_transaction() -> None:
    """It would hold locks while it waits for the network."""
    hermes = Scripted("hermes", sol(150))
    with transaction.atomic(), pytest.raises(TransactionManagementError, match="outside any transaction"):
        ask(hermes)
    assert hermes.asked == []


def test_without_sources_nothing_happens() -> None:
    """No rows, no alert: whoever wants no prices is left alone."""
    assert ask() == Polled(asked=(), stored=0, dropped=(), unreachable=())
    assert not PriceSourceState.objects.exists()
    assert not OperatorAlert.objects.exists()


def test_an_operator_hears_of_a_source_that_stays_away_and_that_it_is_back() -> None:
    """Once it is away for five minutes, as one open alert; it closes with the first price that is used."""
    hermes, jupiter = Scripted("hermes", failing(Malformed("a page"))), Scripted("jupiter", moving("150", "0.1"))
    ask(hermes, jupiter)
    assert not OperatorAlert.objects.exists()
    ask(hermes, jupiter, at=NOON + timedelta(minutes=6))
    ask(hermes, jupiter, at=NOON + timedelta(minutes=20))
    alert = OperatorAlert.objects.get()
    assert (alert.kind, alert.subject) == (AlertKind.PRICE_SOURCE, f"hermes {WSOL}")
    assert "Pyth Hermes is not used since 2026-07-03 12:00 UTC: a page" in alert.message
    hermes.script = jupiter.script
    ask(hermes, jupiter, at=NOON + timedelta(minutes=50))
    alert.refresh_from_db()
    assert alert.resolved_at == NOON + timedelta(minutes=50)


def test_i20_an_operator_hears_that_sol_has_no_fresh_price() -> None:
    """Nobody was usable for more than two minutes; over with the next price that is."""
    hermes = Scripted("hermes", sol(150))
    ask(hermes)
    hermes.script = sol(-1)
    ask(hermes, at=NOON + BEAT)
    assert not OperatorAlert.objects.filter(kind=AlertKind.PRICE_STALE).exists()
    ask(hermes, at=NOON + timedelta(minutes=3))
    alert = OperatorAlert.objects.get(kind=AlertKind.PRICE_STALE)
    assert alert.resolved_at is None
    hermes.script = sol("150.5")
    ask(hermes, at=NOON + timedelta(minutes=4))
    alert.refresh_from_db()
    assert alert.resolved_at == NOON + timedelta(minutes=4)


@pytest.mark.django_db(transaction=True)
def test_two_polls_at_once_store_nothing_twice() -> None:
    """The rivals meet in the middle of the first one's call; the second finds no turn."""
    inside, go_on = threading.Event(), threading.Event()

    def script(now: datetime) -> Mapping[str, PriceQuote]:
        inside.set()
        assert go_on.wait(10)
        return {WSOL: PriceQuote(Decimal(150), now - SECOND)}

    hermes = Scripted("hermes", script)
    with ThreadPoolExecutor(1) as threads:

        def first() -> Polled:
            try:
                return ask(hermes)
            finally:
                connection.close()

        running = threads.submit(first)
        assert inside.wait(10)
        # Nothing is written and no transaction is open while the source is asked.
        assert not SolUsdPrice.objects.exists()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
            )
            assert cursor.fetchone() == (0,)
        assert ask(hermes, at=NOON + SECOND).asked == ()
        go_on.set()
        assert running.result().stored == 1
    assert (len(hermes.asked), SolUsdPrice.objects.count()) == (1, 1)
