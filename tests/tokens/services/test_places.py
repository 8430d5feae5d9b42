"""Mayhem coins as they are stored: their supply, the order of their trades in a slot, and what follows from both."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest
from django.db import transaction

from tests import recordings
from tests.factories import signature
from tests.tokens.services import capture
from tests.tokens.services.building import SECOND, TRADER, received, trade
from tests.tokens.services.capture import NOW
from tokens.choices import EventKind, Program
from tokens.domain import programs
from tokens.domain.events import BothReserves, ChainEvent, Reserves
from tokens.models import Pool, PoolMilestone, PriceCandle1m, Token, Transaction
from tokens.selectors import chains, completeness
from tokens.selectors.completeness import Evidence
from tokens.services import candles, ingest, reorgs

pytestmark = [pytest.mark.django_db, pytest.mark.community]

AGENT = programs.MAYHEM_AGENT
START = (30 * 10**9, 1_073 * 10**12, 0, 793_100_000_000_000)
"""Virtual quote and token, real quote and token of a new curve."""
SLOT, DAY = 400_000_000, 86_400


class Curve:
    """A mayhem coin's curve as its events tell it: the agent sets the virtual quote anew before it trades."""

    def __init__(self) -> None:
        self.quote, self.token, self.real_quote, self.real_token = START
        self.events: list[ChainEvent] = []

    def create(self, **changes: Any) -> "Curve":
        after = Reserves(virtual_quote=START[0], virtual_token=START[1], real_quote=0, real_token=START[3])
        event = trade(
            kind=EventKind.CREATE,
            signature=signature("create"),
            slot=SLOT,
            user=TRADER,
            quote_amount_raw=None,
            token_amount_raw=None,
            reserves=BothReserves(after=after),
            raw={"layout": "CreateEvent/20"},
            fields={"is_mayhem_mode": True, "token_total_supply": 10**15, "name": "M", "symbol": "M", "uri": ""},
        )
        self.events.append(_changed(event, changes))
        return self

    def trade(self, tokens: int, *, slot: int = SLOT, reset: int | None = None, **changes: Any) -> "Curve":
        """Buy so many base units, or sell less than none, after the virtual quote was ``reset`` by its agent."""
        if reset is not None:
            self.quote = reset
        if tokens > 0:
            moved = tokens * self.quote // (self.token - tokens) + 1
        else:
            moved = -((-tokens) * self.quote // (self.token - tokens))
        self.quote, self.real_quote = self.quote + moved, self.real_quote + moved
        self.token, self.real_token = self.token - tokens, self.real_token - tokens
        number = len(self.events)
        event = trade(
            kind=EventKind.BUY if tokens > 0 else EventKind.SELL,
            signature=signature(f"mayhem {number}"),
            slot=slot,
            block_time=SECOND + (slot - SLOT) // 3,
            user=AGENT if reset is not None else TRADER,
            quote_amount_raw=abs(moved),
            token_amount_raw=abs(tokens),
            reserves=BothReserves(
                after=Reserves(
                    virtual_quote=self.quote,
                    virtual_token=self.token,
                    real_quote=self.real_quote,
                    real_token=self.real_token,
                )
            ),
            fields={"mayhem_mode": True},
        )
        self.events.append(_changed(event, changes))
        return self


def _changed(event: ChainEvent, changes: dict[str, Any]) -> ChainEvent:
    return msgspec.structs.replace(event, **changes)


def store(*events: ChainEvent, **facts: Any) -> None:
    """Store each event as a message and batch of its own."""
    for event in events:
        ingest.store(batch=[received(event, **facts)], feed="test", now=NOW)
    candles.roll_all(now=NOW)


@contextmanager
def undone() -> Iterator[None]:
    """Take everything back that is stored inside."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def gaps() -> list[tuple[int, int, int | None, int]]:
    """Return the breaks as (from slot, to slot, quote, tokens), in slots."""
    found = chains.gaps(start=NOW - timedelta(days=4_000), end=NOW + timedelta(days=4_000))
    return sorted((gap.slot_from, gap.slot_to, gap.quote_sum_raw, gap.token_sum_raw) for gap in found)


def told() -> tuple[Any, ...]:
    """Return what must be the same for every order of arrival."""
    pool, minute = Pool.objects.get(), PriceCandle1m.objects.order_by("bucket").last()
    placed = Transaction.objects.order_by("slot", "slot_place", "event_index").values_list("signature", "slot_place")
    state = (pool.virtual_sol_reserves, pool.virtual_token_reserves, pool.real_sol_reserves, pool.real_token_reserves)
    priced = (
        pool.latest_price,
        pool.market_cap,
        pool.last_signature,
        pool.last_event_index,
        pool.bonding_curve_progress,
    )
    milestones = PoolMilestone.objects.order_by("threshold_pct").values_list("threshold_pct", "signature", "invariant")
    assert minute is not None
    return state, priced, list(placed), list(milestones), (minute.open, minute.close), gaps()


def agent_between() -> list[ChainEvent]:
    """A purchase, the agent's two trades after resets up and down, a purchase and a sale, all in one slot."""
    curve = Curve().create()
    curve.trade(90 * 10**12, slot=SLOT + 5)
    curve.trade(-(40 * 10**12), slot=SLOT + 5, reset=12 * 10**9)
    curve.trade(25 * 10**12, slot=SLOT + 5, reset=44 * 10**9)
    curve.trade(60 * 10**12, slot=SLOT + 5)
    curve.trade(-(30 * 10**12), slot=SLOT + 5)
    return curve.events


def test_truth_05_recorded_mayhem_coins_have_no_gap() -> None:
    """The agent's trades reset the virtual quote without an event; tokens and real reserves follow exactly, in any order of
    arrival."""
    messages = recordings.lines("cases/mayhem_false_gaps.jsonl")
    for step in (1, -1):
        with undone():
            for raw in messages[::step]:
                capture.play([("cases", raw)])
            assert gaps() == []
            assert Transaction.objects.count() == 4


def test_truth_05_a_mayhem_coin_first_seen_by_a_trade_has_no_guessed_supply() -> None:
    """Its market cap is unknown: whether the agent has burned what it had left depends on a creation that nobody saw. Its
    progress by tokens is known."""
    capture.play([("cases", recordings.lines("cases/c3_mayhem_no_create.jsonl")[0])])
    pool = Pool.objects.get()
    assert pool.latest_price is not None
    assert (pool.base_supply, pool.market_cap, pool.market_cap_usd) == (None, None, None)
    assert (pool.quote_target, pool.progress_quote_pct) == (None, None)
    assert pool.bonding_curve_progress == Decimal("2.2179")
    assert Token.objects.get().metadata == {"is_mayhem_mode": True}


def test_truth_05_a_created_mayhem_coin_is_worth_twice_as_much_for_a_day() -> None:
    """Its creation says half of its supply. For 24 hours there are two thousand million tokens, afterwards nobody knows."""
    curve = Curve().create()
    store(*curve.events)
    pool, token = Pool.objects.get(), Token.objects.get()
    assert (token.initial_supply, pool.base_supply) == (2 * 10**15, 2 * 10**15)
    assert round(pool.market_cap or 0, 6) == Decimal("55.917987")
    assert (pool.quote_target, pool.initial_real_token_reserves) == (None, START[3])
    store(*curve.trade(10**12, slot=SLOT + 3 * (DAY - 1)).events[-1:])
    assert Pool.objects.get().base_supply == 2 * 10**15
    store(*curve.trade(10**12, slot=SLOT + 3 * DAY).events[-1:])
    pool = Pool.objects.get()
    assert (pool.base_supply, pool.market_cap) == (None, None)
    assert pool.latest_price is not None


@pytest.mark.parametrize("place", range(2))
def test_truth_05_the_supply_is_the_same_whichever_comes_first(place: int) -> None:
    """A trade seen before its coin's creation leaves the same as one seen after it."""
    events = Curve().create().trade(10**12, slot=SLOT + 3).events
    store(*events[:: -1 if place else 1])
    assert (Pool.objects.get().base_supply, Token.objects.get().initial_supply) == (2 * 10**15, 2 * 10**15)


@pytest.mark.parametrize(
    ("event", "supply"),
    [
        ({"fields": {"mayhem_mode": False}}, 10**15),
        ({"raw": {"layout": "TradeEvent/21"}}, 10**15),
        ({"raw": {"layout": "trades.csv"}, "block_time": 1_758_000_000}, 10**15),
        ({"raw": {"layout": "trades.csv"}}, None),
    ],
)
def test_truth_05_a_coin_of_unknown_kind_has_no_supply(event: dict[str, Any], supply: int | None) -> None:
    """A flag, an old layout or a time before the mode say that there are a thousand million tokens; nothing else does."""
    store(trade(**event))
    assert Pool.objects.get().base_supply == supply


@pytest.mark.parametrize("step", [1, -1])
def test_truth_05_one_event_that_tells_the_kind_is_enough(step: int) -> None:
    """Of a batch in which only one trade has the flag the supply is known, wherever that one stands."""
    events = [trade(0, raw={"layout": "trades.csv"}), trade(1, fields={"mayhem_mode": False})]
    ingest.store(batch=[received(event) for event in events[::step]], feed="test", now=NOW)
    pool = Pool.objects.get()
    assert (pool.base_supply, pool.quote_target) == (10**15, 85_005_359_057)


def test_truth_05_any_order_of_arrival_ends_in_the_chains_order(level: str) -> None:
    """The agent's trades between ordinary ones of one slot: state, candle, milestones and places are those of the chain, however
    the events came, and no trade is missing."""
    events = agent_between()
    with undone():
        store(*events)
        expected = told()
        assert expected[0] == _held(events[-1])
        assert [place for _, place in expected[2]] == [1, 2, 3, 4, 5]
        assert [one for one, _ in expected[2]] == [event.signature for event in events[1:]]
        assert expected[4] == (_price(events[1]), _price(events[-1]))
        assert expected[5] == []
    for shuffled in list(permutations(events))[:: 29 if level != "community" else 113]:  # that lane is slow
        with undone():
            store(*shuffled)
            assert told() == expected
    ingest.store(batch=[received(event) for event in reversed(events)], feed="test", now=NOW)
    candles.roll_all(now=NOW)
    assert told() == expected


def _held(event: ChainEvent) -> tuple[int | None, ...]:
    after = event.reserves.after
    assert after is not None
    return (after.virtual_quote, after.virtual_token, after.real_quote, after.real_token)


def _price(event: ChainEvent) -> Decimal:
    return Transaction.objects.get(signature=event.signature).price_per_token or Decimal(0)


def test_truth_05_storing_again_changes_nothing() -> None:
    """The same trades once more leave the same rows."""
    events = agent_between()
    store(*events)
    before = told()
    store(*events, *reversed(events))
    assert told() == before


def test_truth_05_a_missing_first_trade_shows() -> None:
    """The first trade is held against the reserves of the creation: without it there is a gap of what it moved."""
    events = Curve().create().trade(70 * 10**12, slot=SLOT + 3).trade(10**12, slot=SLOT + 6, reset=10**10).events
    with undone():
        store(*events)
        assert gaps() == []
    store(events[0], events[2])
    ((_, slot_to, quote, tokens),) = gaps()
    assert (slot_to, quote, tokens) == (SLOT + 6, events[1].quote_amount_raw, -(70 * 10**12))


@pytest.mark.parametrize("missing", [2, 3, 4])
def test_truth_05_a_missing_trade_of_a_mayhem_coin_shows_with_what_it_moved(missing: int) -> None:
    """Also one of the agent's, and one in the middle of a slot."""
    events = agent_between()
    gone = events.pop(missing)
    store(*events)
    sign = 1 if gone.kind is EventKind.BUY else -1
    ((slot_from, slot_to, quote, tokens),) = gaps()
    assert (slot_from, slot_to) == (SLOT + 5, SLOT + 5)
    assert (quote, tokens) == (sign * (gone.quote_amount_raw or 0), -sign * (gone.token_amount_raw or 0))
    store(gone)
    assert gaps() == []


def test_truth_05_a_sale_back_to_the_same_reserves_is_no_gap() -> None:
    """The curve comes back to where it was: the trades before and behind are still told apart."""
    curve = Curve().create().trade(50 * 10**12, slot=SLOT + 3)
    held = (curve.real_quote, curve.real_token)
    curve.trade(-(20 * 10**12), slot=SLOT + 6, reset=20 * 10**9)
    back = held[0] - curve.real_quote
    # The agent sets the quote so that the same tokens cost what they brought.
    quote = (back - 1) * (curve.token - 20 * 10**12) // (20 * 10**12) + 1
    curve.trade(20 * 10**12, slot=SLOT + 6, reset=quote)
    assert (curve.real_quote, curve.real_token) == held
    curve.trade(30 * 10**12, slot=SLOT + 6)
    with undone():
        store(*curve.events)
        expected = told()
        assert expected[5] == []
    for shuffled in permutations(curve.events[2:]):
        with undone():
            store(*shuffled, *curve.events[:2])
            assert told() == expected


def test_truth_05_the_place_in_the_block_is_stored_where_the_source_tells_it() -> None:
    """A transaction that comes with its place keeps it; its trades of one slot then stand in that order."""
    curve = Curve().create().trade(10**12, slot=SLOT + 3).trade(10**12, slot=SLOT + 3, reset=10**10)
    store(curve.events[0])
    store(curve.events[1], transaction_index=7)
    store(curve.events[2], transaction_index=30)
    rows = Transaction.objects.order_by("slot_place").values_list("transaction_index", "slot_place")
    assert list(rows) == [(7, 1), (30, 2)]


def test_truth_05_the_agent_is_no_buyer_and_no_seller() -> None:
    """Its trades are in rows, counts and volume of a candle; people are counted without it."""
    store(*agent_between())
    minute = PriceCandle1m.objects.get()
    assert (minute.trade_count, minute.buyer_count, minute.seller_count) == (5, 1, 1)
    assert Transaction.objects.filter(user_address=AGENT).count() == 2


def test_truth_05_a_minute_of_the_agent_alone_has_no_people() -> None:
    """A candle with only its trades has prices and volume, and nobody who bought or sold."""
    store(*Curve().create().trade(10**12, slot=SLOT + 3, reset=20 * 10**9).events)
    minute = PriceCandle1m.objects.get()
    assert (minute.trade_count, minute.buyer_count, minute.seller_count) == (1, 0, 0)
    assert minute.volume_sol > 0


def test_truth_05_ordinary_coins_keep_no_places_and_no_real_reserves() -> None:
    """Their product tells the order: nothing is stored twice."""
    one, two = (trade(number, slot=SLOT, fields={"mayhem_mode": False}) for number in (0, 1))
    store(two, one)
    columns = ("slot_place", "real_quote_reserves", "real_token_reserves", "transaction_index")
    assert set(Transaction.objects.values_list(*columns)) == {(None, None, None, None)}
    assert Pool.objects.get().last_signature == two.signature


@pytest.mark.parametrize("last", [1, 2, 3, 4, 5])
def test_truth_05_a_dropped_fork_leaves_a_mayhem_coin_where_its_last_trade_left_it(last: int) -> None:
    """What is taken back of a slot leaves the state after the trade before, in real reserves too, however the product fell."""
    events = agent_between()
    store(*events)
    dropped = [reorgs.Dropped(event.signature, SLOT + 5, None) for event in events[last + 1 :]]
    reorgs.take_back(venue=Program.PUMPFUN, dropped=dropped, now=NOW)
    candles.roll_all(now=NOW)
    state, priced, placed, *_ = told()
    assert state == _held(events[last])
    assert priced[2] == events[last].signature
    assert [one for one, _ in placed] == [event.signature for event in events[1 : last + 1]]
    assert gaps() == []


@pytest.mark.parametrize("lost", [(1,), (2,), (1, 2), (2, 3), (5,), (3, 4, 5), (6,), (1, 2, 3, 4, 5)])
def test_truth_05_a_dropped_fork_leaves_the_places_of_a_run_without_it(lost: tuple[int, ...]) -> None:
    """What is left of a slot, and the slot after it, is in the places that it has without what was taken back."""
    events = agent_between()
    curve = Curve()
    curve.quote, curve.token, curve.real_quote, curve.real_token = _held(events[-1])
    curve.events = list(events)
    curve.trade(-(10 * 10**12), slot=SLOT + 8, reset=20 * 10**9).trade(10 * 10**12, slot=SLOT + 8, reset=20 * 10**9)
    events = curve.events
    with undone():
        store(*(event for place, event in enumerate(events) if place not in lost))
        expected = told()
    store(*events)
    dropped = [reorgs.Dropped(events[place].signature, events[place].slot or 0, None) for place in lost]
    soon = datetime.fromtimestamp(SECOND, UTC) + timedelta(hours=1)  # while its minute's trades are kept
    reorgs.take_back(venue=Program.PUMPFUN, dropped=dropped, now=soon)
    candles.roll_all(now=soon)
    assert told() == expected


def test_truth_05_a_dropped_trade_after_the_agents_day_leaves_the_supply_of_the_trade_before() -> None:
    """Its age made the supply unknown; without it the newest trade is of the day in which the agent burns nothing."""
    curve = Curve().create().trade(50 * 10**12, slot=SLOT + 3)
    curve.trade(10**12, slot=SLOT + 3 * DAY + 60)
    store(*curve.events)
    assert Pool.objects.get().base_supply is None
    last = curve.events[-1]
    reorgs.take_back(venue=Program.PUMPFUN, dropped=[reorgs.Dropped(last.signature, last.slot or 0, None)], now=NOW)
    pool = Pool.objects.get()
    assert (pool.base_supply, pool.last_signature) == (2 * 10**15, curve.events[1].signature)
    assert pool.market_cap == round((pool.latest_price or 0) * 2 * 10**9, 20)


def test_truth_05_a_late_earlier_trade_tells_where_a_round_trip_began(level: str) -> None:
    """A round trip alone in its slot may begin at either end; what came before it decides, whenever it comes."""
    curve = Curve().create().trade(50 * 10**12, slot=SLOT + 3)
    held = (curve.real_quote, curve.real_token)
    curve.trade(-(20 * 10**12), slot=SLOT + 600, reset=20 * 10**9)
    back = held[0] - curve.real_quote
    quote = (back - 1) * (curve.token - 20 * 10**12) // (20 * 10**12) + 1
    curve.trade(20 * 10**12, slot=SLOT + 600, reset=quote)
    assert (curve.real_quote, curve.real_token) == held
    with undone():
        store(*curve.events)
        expected = told()
    for order in list(permutations(curve.events))[:: 1 if level != "community" else 5]:
        with undone():
            store(*order)
            assert told() == expected


def test_truth_05_a_mayhem_coin_is_complete_by_its_real_reserves() -> None:
    """From its creation to its newest trade, with nobody to compare; one that is missing leaves a hole at its place."""
    events = agent_between()
    with undone():
        store(*events)
        (pool,) = Pool.objects.select_related("token")
        span = completeness.span(pool=pool, now=NOW).span
        assert span is not None
        assert (span.slot_from, span.slot_to, list(span.by)) == (SLOT + 5, SLOT + 5, [Evidence.CONSERVATION])
        assert span.from_start
    store(*events[:2], *events[3:])
    (pool,) = Pool.objects.select_related("token")
    found = completeness.span(pool=pool, now=NOW)
    assert (found.span, [(hole.slot_from, hole.slot_to) for hole in found.holes]) == (None, [(SLOT + 5, SLOT + 5)])
