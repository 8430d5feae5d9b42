"""The chain of the stand-in is one that the real programs could have written."""

import msgspec
import pytest

from tests.cluster import chain, views
from tests.cluster.chain import Fork
from tests.cluster.landing import Landing
from tests.cluster.market import CurveTrade
from tokens.choices import EventKind
from tokens.domain.decode import Outcome, decode_message
from tokens.domain.events import ChainEvent


@pytest.fixture(scope="module")
def built() -> chain.Chain:
    return chain.build(seed=3, slots=150, per_slot=8, forks=[Fork(40, 32), Fork(90, 5)])


def _transaction_events(landing: Landing) -> tuple[ChainEvent, ...]:
    reply = msgspec.json.encode({"jsonrpc": "2.0", "result": views.transaction(landing), "id": 1})
    return decode_message(reply)[0].events


def _comparable(event: ChainEvent) -> ChainEvent:
    # PumpSwap's log names no mint, and only the instructions know which of them emitted an event and the pool's own accounts.
    return msgspec.structs.replace(event, raw={}, mint=None, quote_mint=None, pool_accounts=None)


def test_log_and_transaction_say_the_same(built: chain.Chain) -> None:
    """The two views of a transaction decode to the same events with the same places, slots and times."""
    for landing in (*built.landings(), *built.dropped()):
        log, full = decode_message(views.logs_frame(landing))[0].events, _transaction_events(landing)
        assert [_comparable(event) for event in log] == [_comparable(event) for event in full]
        assert all((event.slot, event.block_time) == (landing.slot, landing.block_time) for event in full)


def test_reserves_follow_from_trade_to_trade(built: chain.Chain) -> None:
    """On the main chain every trade of a pool starts with the reserves that the one before left."""
    left: dict[str, tuple[int | None, ...]] = {}
    followed = 0
    for landing in built.landings():
        for event in _transaction_events(landing):
            if event.kind in (EventKind.BUY, EventKind.SELL) and event.pool and event.reserves.before:
                before, after = event.reserves.before, event.reserves.after
                assert left.get(event.pool, _state(before)) == _state(before)
                left[event.pool] = _state(after)
                followed += 1
    assert followed > 500


def _state(reserves: object) -> tuple[int | None, ...]:
    return msgspec.structs.astuple(reserves)  # type: ignore[arg-type]


def test_all_kinds_happen(built: chain.Chain) -> None:
    """Coins are created, traded, completed and migrated; some transactions fail, some only name the program."""
    kinds, outcomes = set(), set()
    for landing in built.landings():
        decoded = decode_message(views.logs_frame(landing))[0]
        kinds |= {(event.program.value, event.kind.value) for event in decoded.events}
        outcomes.add(decoded.outcome)
    assert {Outcome.EVENTS, Outcome.FAILED, Outcome.NOT_OURS} == outcomes
    assert kinds == {
        ("pumpfun", "create"),
        ("pumpfun", "buy"),
        ("pumpfun", "sell"),
        ("pumpfun", "complete"),
        ("pumpfun", "migrate"),
        ("pumpfun", "creator_fee"),
        ("pumpswap", "create_pool"),
        ("pumpswap", "reserves"),
        ("pumpswap", "buy"),
        ("pumpswap", "sell"),
    }


def test_a_seed_is_a_chain() -> None:
    """The same seed builds the same bytes, another seed others."""
    first, again, other = (chain.build(seed=seed, slots=20) for seed in (5, 5, 6))
    frames = [[views.logs_frame(landing) for landing in one.landings()] for one in (first, again, other)]
    assert frames[0] == frames[1]
    assert frames[0] != frames[2]


def test_dropped_transactions_mostly_return(built: chain.Chain) -> None:
    """Of a dropped branch most transactions land again in later slots, some with other amounts, some never."""
    main = {landing.signature: landing for landing in built.landings()}
    dropped = built.dropped()
    returned = [(one, main[one.signature]) for one in dropped if one.signature in main]
    assert 0.5 < len(returned) / len(dropped) < 1
    assert all(later.slot > earlier.slot for earlier, later in returned)
    assert any(earlier.happened != later.happened for earlier, later in returned)


def test_a_branch_is_seen_only_from_itself(built: chain.Chain) -> None:
    """A node on a branch sees its blocks; a node on the main chain finds these slots skipped."""
    branch = [block for block in built.timeline if block.fork is not None and block.landings]
    tip = branch[-1]
    on_branch, on_main = built.view(tip), built.view(built.main[-1])
    assert on_branch.block(tip.slot) is tip
    assert tip.slot in on_branch.slots(tip.slot, tip.slot)
    assert on_main.block(tip.slot) is None
    assert on_main.slots(tip.slot, tip.slot) == []
    assert on_branch.find(tip.landings[0].signature) is tip.landings[0]


def test_recorded_trades_are_the_real_ones() -> None:
    """Without anybody else the recorded trades land with the amounts of the real chain, to the unit."""
    only = chain.build(seed=1, slots=60, per_slot=8, recorded=1.0)
    trades = [what for landing in only.landings() for what in landing.happened if isinstance(what, CurveTrade)]
    assert (trades[0].quote, trades[0].token) == (380_000_069, 13_421_332_211_323)
    assert trades[0].mint == "FCuk4XWLR6fAJFTcQoMrm3KeywSt2X6wK4Ufh4Xjpump"
    assert not any(landing.failed for landing in only.landings())
