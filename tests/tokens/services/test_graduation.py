"""Graduation: whatever part of it is seen, and in whatever order, the rows end the same."""

import itertools
import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests import factories, recordings
from tests.factories import NOON, WSOL, signature
from tests.tokens.services.building import MINT, POOL, TRADER, address, received, trade
from tests.tokens.services.capture import play, rows
from tokens.choices import EventKind, PoolStatus, PoolType, Program, Venue
from tokens.domain import programs
from tokens.domain.decode import decode_message
from tokens.domain.events import BothReserves, ChainEvent, PoolAccounts, Reserves, event_index
from tokens.models import Pool, RejectedMessage, Token, Transaction
from tokens.selectors import tokens as token_reads
from tokens.services import candles, ingest

pytestmark = pytest.mark.django_db

AMM = programs.graduated_pool(MINT, WSOL)
LAUNCHLAB_POOL, CPMM = address("launchlab pool"), address("cpmm pool")


def complete(number: int = 1) -> ChainEvent:
    """Return the end of the curve's sale."""
    return trade(number, kind=EventKind.COMPLETE, reserves=BothReserves(), event_index=event_index(1, 0, 1))


def migrate(number: int = 2, **fields: Any) -> ChainEvent:
    """Return the migration to PumpSwap."""
    said = {"destination": "pumpswap", "pool": AMM, **fields}
    return trade(number, kind=EventKind.MIGRATE, reserves=BothReserves(), fields=said)


def create_pool(number: int = 2) -> ChainEvent:
    """Return the opening of the graduated pool, which stands in the migration's transaction."""
    opened = Reserves(
        virtual_quote=84 * 10**9, virtual_token=2069 * 10**11, real_quote=84 * 10**9, real_token=2069 * 10**11
    )
    return trade(
        number,
        program=Program.PUMPSWAP,
        kind=EventKind.CREATE_POOL,
        pool=AMM,
        event_index=event_index(1, 3, 0),
        reserves=BothReserves(after=opened),
        fields={"base_mint_decimals": 6, "quote_mint_decimals": 9, "lp_mint": address("lp")},
    )


def swap(number: int, *, mint: str | None = MINT, **changes: Any) -> ChainEvent:
    """Return a buy on the graduated pool; its log names no mint, its instruction does."""
    quote, token = (84 + number) * 10**9, 2069 * 10**11 - number * 10**12
    after = Reserves(virtual_quote=quote, virtual_token=token, real_quote=quote, real_token=token)
    facts: dict[str, Any] = {
        "program": Program.PUMPSWAP,
        "pool": AMM,
        "mint": mint,
        "quote_mint": WSOL if mint else None,
        "reserves": BothReserves(after=after),
    }
    return trade(number, **(facts | changes))


def create() -> ChainEvent:
    """Return the coin's creation."""
    start = Reserves(virtual_quote=30 * 10**9, virtual_token=1073 * 10**12, real_quote=0, real_token=7931 * 10**11)
    fields = {"name": "Coin", "symbol": "COIN", "uri": "", "token_total_supply": 10**15}
    return trade(
        0, kind=EventKind.CREATE, event_index=event_index(0, 0, 0), reserves=BothReserves(after=start), fields=fields
    )


def store(*messages: Sequence[ChainEvent]) -> None:
    """Store messages, each of the events of one transaction, as one batch."""
    payloads = [received(*events, payload=events[0].signature.encode()) for events in messages]
    ingest.store(batch=payloads, feed="test", now=NOON)


def settled() -> dict[str, Any]:
    """Return every row, once the candles are computed."""
    candles.roll_all(now=NOON + timedelta(minutes=5))
    return rows()


def forget() -> None:
    """Empty the tables that traffic fills."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "TRUNCATE transactions, candles_due, price_candles_1m, price_candles_5m, price_candles_1h,"
            " price_candles_1d, pool_milestones, rejected_messages, pools, tokens CASCADE"
        )


WHOLE: list[list[ChainEvent]] = [
    [create()],
    [trade(0)],
    [complete()],
    [create_pool(), migrate()],
    [swap(3)],
    [swap(4)],
]


def test_a_graduation_links_the_curve_to_its_pool_and_moves_the_price() -> None:
    """A migrated curve names its successor and the migration, and the successor prices the token."""
    store(*WHOLE)
    curve, amm = Pool.objects.get(pool_address=POOL), Pool.objects.get(pool_address=AMM)
    assert (curve.status, curve.successor, curve.migration_signature) == (PoolStatus.MIGRATED, amm, migrate().signature)
    assert curve.migration_slot == migrate().slot
    assert (amm.pool_type, amm.platform, amm.successor) == (PoolType.GRADUATED, Venue.PUMPSWAP, None)
    token = token_reads.get_token_with_pools(MINT)
    assert (token.is_graduated, token.graduation_platform) == (True, "pumpswap")
    assert (token.graduation_timestamp, token.graduation_signature) == (
        NOON + timedelta(seconds=1),
        complete().signature,
    )
    assert token_reads.current_of(token.pools.all()) == amm
    with connection.cursor() as cursor:
        cursor.execute("SELECT pool_address, latest_price FROM latest_token_prices")
        assert cursor.fetchall() == [(AMM, amm.latest_price)]
    assert amm.latest_price is not None


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_a_graduation_gives_the_same_rows(seed: int) -> None:
    """Creation, completion, migration, pool creation and trades end in the same rows in any order and any cut."""
    for message in WHOLE:
        store(message)
    expected = settled()
    forget()
    dice = random.Random(seed)
    shuffled = [[event] for message in WHOLE for event in message]
    dice.shuffle(shuffled)
    while shuffled:
        size = dice.randint(1, 4)
        store(*shuffled[:size])
        shuffled = shuffled[size:]
    assert settled() == expected


def test_every_order_of_the_three_proofs_gives_the_same_curve() -> None:
    """Trade on the successor, migration and pool creation agree on slot and signature of the migration in any order."""
    seen = set()
    for order in itertools.permutations(
        ([trade(0)], [swap(2, signature=signature("A"))], [migrate()], [create_pool()])
    ):
        for message in order:
            store(message)
        seen.add(tuple(map(str, rows()["pools"])))
        forget()
    assert len(seen) == 1


def test_replaying_a_graduation_changes_nothing() -> None:
    """The same events a second time leave every row as it was."""
    store(*WHOLE)
    expected = settled()
    store(*WHOLE)
    assert settled() == expected


def test_a_trade_on_the_canonical_pool_proves_a_graduation_that_nobody_saw() -> None:
    """A coin first met on its graduated pool has graduated, at a time that is not known."""
    store([swap(3)])
    token = Token.objects.get()
    assert (token.is_graduated, token.graduation_platform) == (True, "pumpswap")
    assert (token.graduation_timestamp, token.graduation_signature) == (None, None)
    assert (Pool.objects.get().migration_slot, Pool.objects.get().migration_signature) == (swap(3).slot, None)


@pytest.mark.parametrize("curve_first", [True, False])
def test_a_curve_learns_from_its_successors_trades_that_it_has_migrated(curve_first: bool) -> None:
    """Without its migration a curve is migrated as soon as its successor trades, whichever pool was met first."""
    store(*([[trade(0)], [swap(3)]] if curve_first else [[swap(3)]]))
    if not curve_first:
        store([trade(0)])
    curve = Pool.objects.get(pool_address=POOL)
    assert (curve.status, curve.successor.pool_address) == (PoolStatus.MIGRATED, AMM)
    assert (curve.migration_slot, curve.migration_signature) == (swap(3).slot, None)


def test_an_earlier_migration_that_comes_late_takes_over() -> None:
    """The migration itself replaces what only trades showed, and the completion the time of the migration."""
    store([trade(0)], [swap(3)])
    store([migrate()])
    token = Token.objects.get()
    assert token.graduation_timestamp == NOON + timedelta(seconds=2)
    store([complete()])
    token.refresh_from_db()
    assert (token.graduation_timestamp, token.graduation_signature) == (
        NOON + timedelta(seconds=1),
        complete().signature,
    )
    curve = Pool.objects.get(pool_address=POOL)
    assert (curve.status, curve.migration_signature) == (PoolStatus.MIGRATED, migrate().signature)


def test_a_side_pool_proves_nothing() -> None:
    """A trade on a pool that anyone could open neither graduates the coin nor succeeds its curve."""
    store([trade(0)], [swap(3, pool=address("side"))])
    assert not Token.objects.get().is_graduated
    assert Pool.objects.get(pool_address=POOL).successor is None


def test_a_migration_to_a_pool_that_is_not_the_canonical_one_links_nothing() -> None:
    """A migration event that names another PumpSwap pool makes no row of it."""
    store([trade(0)], [migrate(pool=address("elsewhere"))])
    assert list(Pool.objects.values_list("pool_address", "status")) == [(POOL, PoolStatus.MIGRATED)]


def test_a_migration_lets_its_successors_nameless_trades_in() -> None:
    """A trade whose log names no mint waits until the migration names the pool."""
    store([swap(3, mint=None)])
    assert RejectedMessage.objects.get().waits_for == AMM
    store([migrate()])
    assert Pool.objects.filter(pool_address=AMM, pool_type=PoolType.GRADUATED).exists()
    stored = ingest.store(batch=[received(swap(3, mint=None))], feed="test", now=NOON)
    assert (stored.transactions, Transaction.objects.count()) == (1, 1)


def test_a_synthetic_migration_completes_before_it_migrates() -> None:
    """The pool's part of a completing buy makes the successor known; the curve is only complete until the migration."""
    part = trade(
        1,
        pool=AMM,
        event_index=event_index(1, 0, 2),
        reserves=BothReserves(
            after=Reserves(
                virtual_quote=85 * 10**9, virtual_token=2 * 10**14, real_quote=85 * 10**9, real_token=2 * 10**14
            )
        ),
    )
    store([trade(0)], [trade(1, token_amount_raw=1), complete(), part])
    curve = Pool.objects.get(pool_address=POOL)
    assert (curve.status, curve.migration_slot, curve.successor.pool_address) == (PoolStatus.COMPLETE, None, AMM)
    assert Token.objects.get().is_graduated
    store([create_pool(), migrate()])
    curve.refresh_from_db()
    assert (curve.status, curve.migration_signature) == (PoolStatus.MIGRATED, migrate().signature)


def launchlab(number: int, **changes: Any) -> ChainEvent:
    """Return a buy on a LaunchLab curve."""
    return trade(number, program=Program.LAUNCHLAB, pool=LAUNCHLAB_POOL, **changes)


@pytest.mark.parametrize("status", ["fund", "migrate", "trade"])
def test_a_launchlab_trade_says_how_far_its_curve_is(status: str) -> None:
    """The status field of LaunchLab's trades completes and migrates a curve."""
    number = ("fund", "migrate", "trade").index(status)
    store([launchlab(0, fields={"pool_status": number})])
    curve, token = Pool.objects.get(), Token.objects.get()
    assert curve.status == (PoolStatus.ACTIVE, PoolStatus.COMPLETE, PoolStatus.MIGRATED)[number]
    assert token.is_graduated is (number > 0)
    assert token.graduation_timestamp == (NOON if number == 1 else None)


@pytest.mark.parametrize("migration_first", [True, False])
def test_a_launchlab_migration_names_its_raydium_pool(migration_first: bool) -> None:
    """The pool in the migration's accounts succeeds the curve, whichever is seen first; it has no price of its own yet."""
    said = {"destination": "raydium_cpmm", "pool": CPMM}
    migration = launchlab(2, kind=EventKind.MIGRATE, reserves=BothReserves(), fields=said)
    first = [[launchlab(0, fields={"pool_status": 1})], [migration]]
    for message in reversed(first) if migration_first else first:
        store(message)
    curve, successor = Pool.objects.get(pool_address=LAUNCHLAB_POOL), Pool.objects.get(pool_address=CPMM)
    assert (curve.successor, curve.status, curve.migration_signature) == (
        successor,
        PoolStatus.MIGRATED,
        migration.signature,
    )
    assert (successor.platform, successor.pool_type, successor.latest_price) == (
        Venue.RAYDIUM_CPMM,
        PoolType.GRADUATED,
        None,
    )
    assert Token.objects.get().graduation_platform == "raydium_cpmm"


def test_candles_go_on_with_the_trades_of_the_graduated_pool() -> None:
    """The minute of a graduation has the curve's trades and the successor's."""
    store(*WHOLE)
    candles.roll_all(now=NOON + timedelta(minutes=5))
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(trade_count) FROM price_candles_1m")
        assert cursor.fetchone() == (3,)


def liquidity(number: int, kind: EventKind, quote: int, token: int) -> ChainEvent:
    """Return a deposit or withdrawal after which the pool holds ``quote`` and ``token``."""
    after = Reserves(real_quote=quote, real_token=token, virtual_token=token)
    return swap(number, kind=kind, reserves=BothReserves(after=after), user=TRADER)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_liquidity_moves_what_the_pool_holds_and_not_its_price(order: tuple[int, ...]) -> None:
    """After trade, deposit, late trade and withdrawal in any order the pool holds what the withdrawal left, at the price of
    the last trade."""
    events = [
        swap(3),
        liquidity(4, EventKind.DEPOSIT, 100 * 10**9, 3 * 10**14),
        swap(5),
        liquidity(6, EventKind.WITHDRAW, 7, 9),
    ]
    for number in order:
        store([events[number]])
    pool = Pool.objects.get()
    assert (pool.real_sol_reserves, pool.real_token_reserves, pool.liquidity_slot) == (7, 9, events[3].slot)
    last = events[2].reserves.after
    assert (pool.virtual_sol_reserves, pool.virtual_token_reserves) == (last.virtual_quote, last.virtual_token)
    assert (pool.last_slot, pool.boost_quote_reserves) == (events[2].slot, None)
    store([swap(7)])
    pool.refresh_from_db()
    assert (pool.real_sol_reserves, pool.liquidity_slot, pool.boost_quote_reserves) == (91 * 10**9, None, 0)


def test_a_boost_of_a_pool_that_is_not_in_the_batch_moves_it() -> None:
    """Reserves that change without a trade count for a pool that only the database knows."""
    store([swap(3)])
    after = Reserves(
        virtual_quote=90 * 10**9, virtual_token=2000 * 10**11, real_quote=80 * 10**9, real_token=2000 * 10**11
    )
    store([swap(4, kind=EventKind.RESERVES, quote_mint=None, reserves=BothReserves(after=after))])
    pool = Pool.objects.get()
    assert (pool.virtual_sol_reserves, pool.boost_quote_reserves) == (90 * 10**9, 10 * 10**9)


def test_reserves_of_a_curve_that_is_not_known_wait_for_it() -> None:
    """A change of virtual reserves that names no quote waits until the curve is known, and is then taken into account."""
    after = Reserves(virtual_quote=99 * 10**9, virtual_token=10**15, real_quote=0, real_token=7 * 10**14)
    changed = trade(5, kind=EventKind.RESERVES, quote_mint=None, reserves=BothReserves(after=after))
    store([changed])
    assert RejectedMessage.objects.get().waits_for == POOL
    store([trade(0)], [changed])
    assert Pool.objects.get().virtual_sol_reserves == 99 * 10**9


def boost(number: int = 2, index: int = event_index(1, 5, 0), **changes: Any) -> ChainEvent:
    """Return the boost with which the pool opens: 17 of its 84 SOL go to the boost vault and count as virtual."""
    after = Reserves(virtual_quote=84 * 10**9, real_quote=67 * 10**9)
    facts: dict[str, Any] = {"kind": EventKind.RESERVES, "quote_mint": None, "event_index": index}
    return swap(number, **(facts | {"reserves": BothReserves(after=after)} | changes))


def _held() -> tuple[Any, ...]:
    pool = Pool.objects.get(pool_address=AMM)
    return pool.virtual_sol_reserves, pool.real_sol_reserves, pool.boost_quote_reserves, pool.real_token_reserves


BOOSTED = (84 * 10**9, 67 * 10**9, 17 * 10**9, 2069 * 10**11)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_truth_02_a_boost_sets_what_the_pool_holds_in_any_order(order: tuple[int, ...]) -> None:
    """Completing purchase, opening, boost, all in one slot, and the migration: whichever is stored first, the pool holds
    what the boost left."""
    opened = Reserves(
        virtual_quote=84 * 10**9, virtual_token=2069 * 10**11, real_quote=84 * 10**9, real_token=2069 * 10**11
    )
    beyond = trade(
        2,
        pool=AMM,
        signature=signature("completing"),
        event_index=event_index(9, 9, 9),
        reserves=BothReserves(after=opened),
    )
    events = [beyond, create_pool(), boost(), migrate()]
    for number in order:
        store([events[number]])
        store([events[number]])  # and again
    assert _held() == BOOSTED


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_truth_02_a_boost_takes_nothing_back(order: tuple[int, ...]) -> None:
    """A trade and a deposit after the boost stand, in whatever order all arrive."""
    after = Reserves(
        virtual_quote=90 * 10**9, virtual_token=2000 * 10**11, real_quote=73 * 10**9, real_token=2000 * 10**11
    )
    events = [
        create_pool(),
        boost(),
        swap(3, reserves=BothReserves(after=after)),
        liquidity(4, EventKind.DEPOSIT, 100 * 10**9, 3 * 10**14),
        migrate(),
    ]
    for number in order:
        store([events[number]])
    assert _held() == (90 * 10**9, 100 * 10**9, None, 3 * 10**14)
    store([swap(5, reserves=BothReserves(after=after))])
    assert _held() == (90 * 10**9, 73 * 10**9, 17 * 10**9, 2000 * 10**11)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_truth_02_within_the_slot_of_the_boost_the_order_of_arrival_does_not_matter(order: tuple[int, ...]) -> None:
    """A deposit of the same slot leaves the boost's word, and a trade that has the boost in its reserves is later."""
    deposit = liquidity(2, EventKind.DEPOSIT, 77 * 10**9, 2100 * 10**11)
    deposit = trade(2, **{**_facts(deposit), "signature": signature("deposit"), "event_index": 0})
    after = Reserves(
        virtual_quote=85 * 10**9, virtual_token=2060 * 10**11, real_quote=68 * 10**9, real_token=2060 * 10**11
    )
    bought = swap(2, signature=signature("bought"), event_index=0, reserves=BothReserves(after=after))
    for later, left in ((deposit, BOOSTED), (bought, (85 * 10**9, 68 * 10**9, 17 * 10**9, 2060 * 10**11))):
        forget()
        for number in order:
            store([[create_pool(), boost(), later][number]])
        assert _held() == left


def _facts(event: ChainEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


@pytest.mark.parametrize("backwards", [False, True])
def test_truth_02_the_recorded_migrations_leave_what_their_boosts_say(backwards: bool) -> None:
    """Four recorded completions that spilled into the pool: the pool's part is stored net, and after each migration the pool
    holds what its boost says."""
    lines = recordings.lines("cases/postcomplete.jsonl")
    spilled = recordings.loaded("cases/postcomplete.expected.json")
    play(("case", line) for line in (reversed(lines) if backwards else lines))
    events = [event for line in lines for decoded in decode_message(line) for event in decoded.events]
    boosts = [event for event in events if event.raw["layout"].startswith("InitBoostEvent")]
    assert len(boosts) == 4
    for event in boosts:
        pool = Pool.objects.get(pool_address=event.pool)
        said = event.fields
        assert pool.real_sol_reserves == said["real_quote_reserves_after"]
        assert pool.boost_quote_reserves == said["virtual_quote_reserves"]
        assert pool.virtual_sol_reserves == said["real_quote_reserves_after"] + said["virtual_quote_reserves"]
        row = Transaction.objects.get(pool=pool)
        assert (row.type, row.amount_in) == ("buy", spilled[event.mint])
        assert pool.market_cap is not None  # by the supply of the standard curve
    assert not RejectedMessage.objects.exists()


SUPPLIED = [[create()], [create_pool(), migrate()], [swap(3)]]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_truth_08_a_graduated_pool_has_its_market_cap_from_the_curves_supply(order: tuple[int, ...]) -> None:
    """Curve first, pool first or completed later: a pool whose events name no supply has the cap of the creation's."""
    factories.sol_usd(NOON)
    for number in order:
        store(SUPPLIED[number])
    pool = Pool.objects.get(pool_address=AMM)
    assert (pool.base_supply, pool.latest_price) == (None, Decimal("4.2667974497303E-7").quantize(Decimal("1E-20")))
    assert pool.market_cap == (pool.latest_price * 10**9).quantize(Decimal("1E-20"))
    assert pool.market_cap_usd == pool.market_cap * 150


def test_truth_08_a_supply_that_the_pool_names_is_its_own() -> None:
    """After a burn the pool's own events know better than the curve."""
    burnt = swap(4, fields={"base_supply": 9 * 10**14})
    store(*SUPPLIED, [burnt])
    pool = Pool.objects.get(pool_address=AMM)
    assert pool.market_cap == (pool.latest_price * 9 * 10**8).quantize(Decimal("1E-20"))


def test_truth_08_the_capture_of_a_graduated_coin_has_a_market_cap() -> None:
    """The recorded graduation whose pool events name no supply, in every order of its messages."""
    lines = recordings.lines("cases/c2_amm_cap.jsonl")
    caps = set()
    for order in itertools.permutations(lines):
        forget()
        play(("case", line) for line in order)
        pool = Pool.objects.get(pool_type=PoolType.GRADUATED)
        assert pool.latest_price is not None
        assert pool.market_cap == (pool.latest_price * 10**9).quantize(Decimal("1E-20"))
        caps.add(pool.market_cap)
    assert len(caps) == 1


@pytest.mark.parametrize("again", [False, True])
def test_truth_07_the_accounts_of_pools_are_written_whenever_an_instruction_names_them(again: bool) -> None:
    """A launch pool's vaults come from its trades, those of the pool that it became and its LP mint from the migration; what a
    log told before is completed by the transaction, and stays."""
    said = {"destination": "raydium_cpmm", "pool": CPMM}
    launch = PoolAccounts(base_vault=address("bv"), quote_vault=address("qv"))
    opened = PoolAccounts(base_vault=address("cbv"), quote_vault=address("cqv"), lp_mint=address("clp"))
    store([launchlab(0)])
    for accounts, successors in ((launch, opened), *(((None, None),) if again else ())):
        store([launchlab(0, pool_accounts=accounts)])
        store([launchlab(2, kind=EventKind.MIGRATE, reserves=BothReserves(), fields=said, pool_accounts=successors)])
    names = ("base_vault", "quote_vault", "lp_mint")
    known = {pool.pool_address: tuple(getattr(pool, name) for name in names) for pool in Pool.objects.all()}
    assert known == {
        LAUNCHLAB_POOL: (address("bv"), address("qv"), None),
        CPMM: (address("cbv"), address("cqv"), address("clp")),
    }


def test_truth_07_vaults_of_a_pool_with_the_quote_as_its_base_are_told_from_the_tokens_side() -> None:
    """The program's base vault holds our quote there."""
    named = PoolAccounts(base_vault=address("sol vault"), quote_vault=address("coin vault"), lp_mint=address("lp"))
    side = {"pool": address("side"), "mint": WSOL, "quote_mint": MINT, "program": Program.PUMPSWAP}
    store([trade(1, **side, pool_accounts=named)])
    pool = Pool.objects.get()
    assert (pool.mints_flipped, pool.base_vault, pool.quote_vault) == (
        True,
        address("coin vault"),
        address("sol vault"),
    )
