"""Technical scores: whose turn it is, what is written, and that it can be computed again."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from scoring.domain.policy import DEFAULT_TERMS, Policy
from scoring.domain.risk import Facts as RiskFacts
from scoring.domain.risk import Rules, assess
from scoring.domain.technical.facts import Facts
from scoring.domain.technical.scored import Terms
from scoring.domain.technical.scored import score as score_facts
from scoring.models import ActivityMetric, SelloffEvent, TechnicalDue, TechnicalScore, TokenScore
from scoring.selectors import signs
from scoring.services import policies, technical
from tests import factories
from tests.scoring.market import NOW, rolled, trade
from tests.tokens.services.capture import messages
from tokens.models import Pool, Token, TokenTraded, Transaction
from tokens.services import candles
from tokens.services.playback import Player

pytestmark = pytest.mark.django_db
D = Decimal
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def traded(ago: str = "0.2", sol: str = "1", of: Pool | None = None) -> Pool:
    """Create a trade of a curve and compute its candles, as of now."""
    pool = of or factories.pool()
    trade(pool, ago, "0.00000004", sol=sol)
    rolled()
    return pool


def newest(pool: Pool) -> TechnicalScore:
    """Return the newest score of the token of ``pool``."""
    return TechnicalScore.objects.filter(token_mint=pool.token.mint_address).latest("timestamp")


@pytest.mark.community
def test_a_token_that_traded_is_scored() -> None:
    """A trade whose candle was computed gets its token a score with its figures, an activity row and a total."""
    pool = traded()
    assert technical.score(mints=None, now=NOW) == technical.Scored((pool.token.mint_address,))
    row = newest(pool)
    assert [row.market_cap_score, row.bonding_curve_score, row.trading_health_score, row.selloff_response_score] == [
        D("7.974138"),
        D("1.477830"),
        D(55),
        D(75),
    ]
    assert row.total_score == D("139.451968")
    assert [row.market_cap_usd, row.price, row.policy_version] == [pool.market_cap_usd, D("0.00000004"), 1]
    assert [row.transactions_1h, row.unique_traders_1h, row.buy_sell_ratio, row.whale_concentration] == [1, 1, 999, 1]
    metric = ActivityMetric.objects.get(token_mint=row.token_mint)
    assert [metric.buys_1m, metric.buys_1h, metric.net_flow_1h, metric.largest_buy_sol] == [1, 1, 1, 1]
    assert TokenScore.objects.get(token=pool.token).technical_score == D("139.45")
    assert not TokenTraded.objects.exists()


@pytest.mark.community
def test_a_score_is_computed_again_from_its_inputs() -> None:
    """The stored facts and the policy that the row names give the row's points to the last digit."""
    pool = factories.pool()
    for ago, price, kind in (("50", "3", "buy"), ("12", "4", "buy"), ("4", "3.1", "sell"), ("1.2", "3.333333", "buy")):
        trade(pool, ago, price, kind=kind, sol="0.123456789")
    rolled()
    technical.score(mints=None, now=NOW)
    row = newest(pool)
    again = score_facts(Terms.of(policies.of(row.policy_version).technical), Facts.from_json(row.inputs))
    stored = [row.market_cap_score, row.bonding_curve_score, row.trading_health_score, row.selloff_response_score]
    assert [part.points for part in again.parts] == stored
    assert (again.total, again.available) == (row.total_score, row.available_max)


def test_a_token_is_scored_at_most_every_five_seconds() -> None:
    """A second trade within five seconds waits for the rest of them."""
    pool = traded()
    technical.score(mints=None, now=NOW)
    traded(of=pool)
    assert technical.score(mints=None, now=NOW + 2 * SECOND).mints == ()
    assert technical.score(mints=None, now=NOW + 5 * SECOND).mints == (pool.token.mint_address,)


def test_a_trade_above_five_sol_is_scored_at_once() -> None:
    """A trade of more than 5 SOL does not wait, but it is new only once: exactly 5 SOL and the same again wait."""
    pool = traded()
    technical.score(mints=None, now=NOW)
    traded(of=pool, sol="5")
    assert technical.score(mints=None, now=NOW + SECOND).mints == ()
    traded(of=pool, sol="5.000000001", ago="0.1")
    assert technical.score(mints=None, now=NOW + 2 * SECOND).mints == (pool.token.mint_address,)
    rolled()
    assert technical.score(mints=None, now=NOW + 3 * SECOND).mints == ()


def test_a_silent_token_loses_its_points() -> None:
    """Without another trade a token is scored whenever a window has run empty, ends without health and is forgotten."""
    pool, minute = traded(ago="0"), 60 * SECOND
    technical.score(mints=None, now=NOW)
    health, ran = [newest(pool).trading_health_score], []
    for step in range(1, 80):
        if technical.score(mints=None, now=NOW + step * minute).mints:
            ran.append(step)
            health.append(newest(pool).trading_health_score)
    assert ran == [6, 16, 31, 61]
    assert health == [55, 30, 30, 30, 0]
    assert not TechnicalDue.objects.exists()


def test_old_trades_give_a_first_score_only() -> None:
    """A backfill of older trades scores a token that has no score, and does not score one again that has."""
    pool = traded(ago="90")
    assert technical.score(mints=None, now=NOW).mints == (pool.token.mint_address,)
    traded(ago="91", of=pool)
    assert technical.score(mints=None, now=NOW + MINUTE).mints == ()
    assert not TechnicalDue.objects.exists()


def test_a_worker_that_dies_leaves_its_tokens_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that a worker took and did not write are due again after a minute, not before."""
    pool = traded()

    def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(technical, "_score", dies)
        with pytest.raises(RuntimeError, match="gone"):
            technical.score(mints=None, now=NOW)
    assert technical.score(mints=None, now=NOW + 59 * SECOND).mints == ()
    assert technical.score(mints=None, now=NOW + 60 * SECOND).mints == (pool.token.mint_address,)


def test_who_trades_while_being_scored_keeps_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trade that is heard of while its token is being scored is scored five seconds later, not forgotten."""
    pool = traded()
    scored = technical._score

    def meanwhile(mints: Any, now: Any) -> Any:
        done = scored(mints, now)
        traded(of=pool)
        technical.hear(now=now + SECOND)
        return done

    with monkeypatch.context() as patch:
        patch.setattr(technical, "_score", meanwhile)
        technical.score(mints=None, now=NOW)
    assert TechnicalDue.objects.get().due_at == NOW + 5 * SECOND


def test_a_limit_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the limit are scored at once, and the answer says that others wait."""
    monkeypatch.setattr(technical, "AT_ONCE", 2)
    for _ in range(3):
        traded()
    first = technical.score(mints=None, now=NOW, limit=2)
    second = technical.score(mints=None, now=NOW, limit=2)
    assert [len(first.mints), first.more, len(second.mints), second.more] == [2, True, 1, False]


def test_named_tokens_are_scored_whatever_their_turn() -> None:
    """Asked for by name, tokens are scored once each; the same moment twice is one row."""
    mint = factories.pool().token.mint_address
    for _ in range(2):
        assert technical.score(mints=[mint, mint, factories.address("nobody")], now=NOW).mints == (mint,)
    assert TechnicalScore.objects.filter(token_mint=mint).count() == 1


@pytest.mark.community
def test_activity_is_written_once_a_minute() -> None:
    """Two scores of one minute have one activity row, one of the next minute has its own."""
    mint = traded().token.mint_address
    for now in (NOW, NOW + 10 * SECOND, NOW + 40 * SECOND):
        technical.score(mints=[mint], now=now)
    assert list(ActivityMetric.objects.order_by("timestamp").values_list("timestamp", flat=True)) == [
        NOW,
        NOW + 40 * SECOND,
    ]


@pytest.mark.community
def test_a_fall_opens_one_event() -> None:
    """A fall of more than ten percent in fifteen minutes opens an event; further scores only lower its lowest price."""
    pool = factories.pool()
    trade(pool, "20", "100")
    trade(pool, "1.2", "85")
    rolled()
    technical.score(mints=None, now=NOW)
    trade(pool, "0.4", "80")
    rolled()
    technical.score(mints=None, now=NOW + 6 * SECOND)
    event = SelloffEvent.objects.get(token_mint=pool.token.mint_address)
    assert [event.status, event.initial_price, event.lowest_price, event.drop_percentage] == ["open", 100, 80, 20]
    assert event.detection_time == NOW


def test_an_open_event_counts_by_its_minutes() -> None:
    """Ten minutes into an event its score loses five points for them."""
    pool = factories.pool()
    trade(pool, "20", "100")
    trade(pool, "11", "50")
    rolled(NOW - 10 * MINUTE)
    technical.score(mints=[pool.token.mint_address], now=NOW - 10 * MINUTE)
    technical.score(mints=[pool.token.mint_address], now=NOW)
    assert newest(pool).inputs["selloff_minutes"] == "10"


def test_queries_do_not_grow_with_the_tokens() -> None:
    """Five tokens are scored with as many queries as one."""

    def asked(count: int) -> int:
        mints = [traded().token.mint_address for _ in range(count)]
        with CaptureQueriesContext(connection) as queries:
            technical.score(mints=mints, now=NOW)
        return len(queries)

    asked(1)  # what a process reads once
    assert asked(1) == asked(5)


@pytest.mark.community
def test_the_newest_score_of_each_token_is_in_the_view() -> None:
    """The view has a row a token, its newest."""
    pool = traded()
    mint = pool.token.mint_address
    for now in (NOW, NOW + MINUTE):
        technical.score(mints=[mint], now=now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT token_mint, timestamp, total_score FROM latest_technical_scores")
        assert cursor.fetchall() == [(mint, NOW + MINUTE, newest(pool).total_score)]


@pytest.mark.django_db(transaction=True)
def test_two_workers_score_each_token_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers that begin at the same moment share the tokens: each has one score, and no turn is left."""
    monkeypatch.setattr(technical, "AT_ONCE", 2)
    mints = sorted(traded().token.mint_address for _ in range(7))
    start, done = threading.Barrier(2), list[str]()

    def work(now: datetime) -> None:
        try:
            start.wait(timeout=10)
            done.extend(technical.score(mints=None, now=now).mints)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=[NOW + turn * SECOND]) for turn in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert sorted(done) == mints
    assert sorted(TechnicalScore.objects.values_list("token_mint", flat=True)) == mints
    assert not TechnicalDue.objects.filter(due_at__lte=NOW + 2 * SECOND).exists()


@pytest.mark.django_db(transaction=True)
def test_candles_do_not_wait_for_scores() -> None:
    """While a worker's scores are not committed, the candles of the same token are computed and heard of later."""
    pool = traded()
    technical.hear(now=NOW)
    rolls = list[int]()

    def roll() -> None:
        try:
            traded(of=pool)
            rolls.append(TokenTraded.objects.count())
        finally:
            connections.close_all()

    with transaction.atomic():
        technical.write(mints=[pool.token.mint_address], now=NOW)
        worker = threading.Thread(target=roll)
        worker.start()
        worker.join(timeout=20)
        assert rolls == [1]


def test_truth_17_a_lamport_takes_no_points_and_makes_no_pump_and_dump() -> None:
    """The recorded curve with two buys of a base unit scores as it does without them, and is no pump and dump."""
    rules = Rules.of(Policy.of(1, DEFAULT_TERMS).risk)
    totals, patterns = [], []
    for name in ("cases/c1_dust.jsonl", "without"):
        traffic = messages("cases/c1_dust.jsonl")
        player = Player(feed="replay", batch_events=10_000)
        for source, payload in traffic:
            player.take(player.decode(source=source, payload=payload), source=source, payload=payload)
        at = datetime.fromtimestamp(1_796_000_000 + 2_600, UTC)
        player.flush(now=at)
        token = Token.objects.get()
        if name == "without":
            assert Transaction.objects.filter(token=token, amount_in=1, amount_out=1).delete()[0] == 2
        candles.mark(start=at - timedelta(days=1), end=at, now=at)
        candles.roll_all(now=at)
        technical.score(mints=[token.mint_address], now=at)
        row = TechnicalScore.objects.filter(token_mint=token.mint_address).latest("timestamp")
        parts = (row.market_cap_score, row.bonding_curve_score, row.trading_health_score, row.selloff_response_score)
        totals.append((row.total_score, parts))
        (figures,) = signs.read(asked=[(token.mint_address, at)], rules=rules)
        patterns.append(assess(RiskFacts(), figures, rules).signs["pump_dump_pattern"].seen)
        TechnicalScore.objects.all().delete()
    assert patterns == [False, False]
    assert totals[0] == totals[1]
    assert totals[0][1][3] == 75
    assert not SelloffEvent.objects.exists()


def test_truth_20_facts_from_before_are_scored_as_they_were() -> None:
    """Facts that tell no highest price, no silence and no graduation give the points that they gave: a fall from the first
    price, a calm market's recovery and the curve's block."""
    stored = Facts(price=D(90), progress=(D(40),) * 7, trades_1h=0).as_json()
    old = {name: value for name, value in stored.items() if not name.startswith("high_")}
    old |= {f"first_{minutes}m": "100" for minutes in (5, 15, 30, 60)}
    assert not {"is_silent", "is_graduated", "left_out_trades"} & old.keys()
    found = score_facts(Terms.of(policies.active().technical), Facts.from_json(old))
    assert [found.measured.drop_5m, found.measured.drop_60m] == [10, 10]
    assert [part.points for part in found.parts][1:] == [D("41.25"), 0, 25]
