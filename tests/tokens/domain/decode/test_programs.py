"""What the events of each program mean."""

import base64
import json
from collections import Counter
from typing import Any

import pytest

from tests import recordings
from tests.tokens.domain.decode.building import (
    BLOCK_TIME,
    Call,
    Transaction,
    discriminator,
    key,
    payload,
)
from tokens.choices import EventKind, Program, RejectionReason
from tokens.domain import programs
from tokens.domain.decode import Outcome, Undecodable, decode_message
from tokens.domain.decode.emissions import Emission, Header
from tokens.domain.decode.events import read as read_events
from tokens.domain.events import BothReserves, ChainEvent, Fees, PoolAccounts, Reserves, event_index

MINT, USER, POOL, QUOTE = key("mint"), key("user"), key("pool"), key("quote")
VECTORS = {vector["title"]: vector for vector in recordings.loaded("vectors/events.json")}


def _vector(start: str) -> ChainEvent:
    vector = next(vector for title, vector in VECTORS.items() if title.startswith(start))
    return _read(Program(vector["program"]), base64.b64decode(vector["payload"]))


def _read(
    program: Program, data: bytes, accounts: tuple[str, ...] | None = None, name: str | None = None
) -> ChainEvent:
    (event,) = read_events(Header("s", 1, 2), [Emission(program, 1, data, "cpi", accounts, name)], Counter())
    return event


def _run(*calls: Call) -> Any:
    (decoded,) = decode_message(Transaction(*calls).reply())
    return decoded


def test_pump_sell() -> None:
    """A sale states the curve after it; before it, the curve had fewer tokens and more SOL. Exact fees."""
    event = _vector("pump TradeEvent, 23")
    assert (event.kind, event.quote_mint, event.block_time) == (EventKind.SELL, programs.WRAPPED_SOL, 1770648704)
    assert (event.quote_amount_raw, event.token_amount_raw) == (630254544, 3878351170692)
    assert event.fees == Fees(protocol=5987419, creator=1890764)
    assert event.pool == programs.bonding_curve("FXLjNRSQXuFM8fhKLEg2QeuUxs4Eu2hhc28tZhzrpump")
    assert event.reserves == BothReserves(
        before=Reserves(
            virtual_quote=72641892066, virtual_token=443132732791776, real_quote=42641892066, real_token=163232732791776
        ),
        after=Reserves(
            virtual_quote=72011637522, virtual_token=447011083962468, real_quote=42011637522, real_token=167111083962468
        ),
    )


def test_pump_quoted_in_usdc() -> None:
    """A coin quoted in USDC has its amounts and reserves in the quote fields; the SOL fields are zero."""
    event = _vector("pump TradeEvent, 32 fields, USDC")
    assert (event.quote_mint, event.quote_amount_raw) == (programs.USDC, 3517192)
    assert event.reserves.after is not None
    assert (event.reserves.after.virtual_quote, event.reserves.after.real_quote) == (9798461752, 25148140)
    assert event.fees == Fees(protocol=0, creator=0, cashback=0, buyback=0)


def test_pump_cashback() -> None:
    """On a cashback coin the cashback carries the creator's fee; the buyback is a part of the protocol's."""
    event = _vector("pump TradeEvent, 32 fields, cashback")
    assert event.fees == Fees(protocol=28148149, creator=0, cashback=8888889, buyback=14074074)
    assert event.reserves.before == Reserves(
        virtual_quote=30 * 10**9, virtual_token=1073 * 10**12, real_quote=0, real_token=793_100_000_000_000
    )


def test_pump_create() -> None:
    """A creation states the curve's start; its raised quote is nothing yet."""
    event = _vector("pump CreateEvent")
    assert (event.kind, event.pool, event.user, event.block_time) == (
        EventKind.CREATE,
        "3jJ83NDorkbFkF1JKbEfFWGeX16aXUiwby9RwJm9kat3",
        "5htGpHK2oV9g2BcDqLdRBqjCLdy8mc3fsESfR5DU73eM",
        1785327618,
    )
    assert event.pool == programs.bonding_curve(str(event.mint))
    assert event.reserves.after == Reserves(
        virtual_quote=30 * 10**9, virtual_token=1073 * 10**12, real_quote=0, real_token=793_100_000_000_000
    )


def test_pump_create_of_2024() -> None:
    """The oldest creation has neither time nor reserves; the purchase beside it lends the time."""
    (decoded,) = decode_message(recordings.content("frames/logs-create-2024-0.json"))
    create, buy = decoded.events
    assert (create.raw["layout"], create.reserves.after, decoded.missing) == ("CreateEvent/6", None, ())
    assert create.block_time == buy.block_time == buy.fields["timestamp"]


def test_pump_first_trades() -> None:
    """A trade of early 2024 has no real reserves and no fees."""
    event = _read(
        Program.PUMPFUN,
        payload(
            Program.PUMPFUN,
            "TradeEvent",
            8,
            mint=MINT,
            user=USER,
            sol_amount=2,
            token_amount=3,
            virtual_sol_reserves=9,
            virtual_token_reserves=12,
        ),
    )
    assert (event.raw["layout"], event.fees, event.kind) == ("TradeEvent/8", Fees(), EventKind.SELL)
    assert event.reserves.after == Reserves(virtual_quote=9, virtual_token=12)
    assert event.reserves.before == Reserves(virtual_quote=11, virtual_token=9)


def test_pump_migration() -> None:
    """A migration says where the coin went; its curve and its pool are the derived addresses."""
    event = _vector("pump CompletePumpAmmMigrationEvent (30 Sep")
    assert (event.kind, event.quote_amount_raw, event.token_amount_raw) == (
        EventKind.MIGRATE,
        84990359301,
        206900000000000,
    )
    assert (event.fields["destination"], event.fields["pool"]) == (
        "pumpswap",
        programs.graduated_pool(str(event.mint), programs.WRAPPED_SOL),
    )
    assert event.pool == programs.bonding_curve(str(event.mint))


@pytest.mark.parametrize("form", ["reply", "base64", "frame", "webhook"])
def test_truth_01_post_complete_buy_in_every_form(form: str) -> None:
    """What the pool gains is the quote of the part beyond the curve, with and without fees, wherever the event was found."""
    values = {"mint": MINT, "user": USER, "timestamp": 5, "base_out": 100, "quote_in": 987, "fee": 10, "creator_fee": 3}
    held = {"pool_quote_reserves_before": 4000, "pool_quote_reserves_after": 4987, "pool_base_reserves_after": 400}
    event = payload(Program.PUMPFUN, "PostCompleteBuyEvent", **values, **held, pool_base_reserves_before=500)
    transaction = Transaction(Call(key("router"), [], b"", [Call(programs.PUMP, [], discriminator("buy_v3"), [event])]))
    messages = {
        "reply": transaction.reply,
        "base64": lambda: transaction.reply("base64"),
        "frame": transaction.frame,
        "webhook": lambda: json.dumps([transaction.webhook()]).encode(),
    }
    (decoded,) = decode_message(messages[form]())
    (found,) = decoded.events
    assert (found.kind, found.quote_amount_raw, found.token_amount_raw) == (EventKind.BUY, 987, 100)
    assert found.fees == Fees(protocol=10, creator=3, buyback=0)


def test_truth_01_post_complete_buy() -> None:
    """The part of a completing purchase beyond the curve is a purchase from the graduated pool; what it states is without
    its fees: exactly what the pool gains."""
    for name in recordings.lines("cases/postcomplete.jsonl")[:4]:
        (decoded,) = decode_message(name)
        event = decoded.events[-1]
        assert event.raw["layout"] == "PostCompleteBuyEvent/16"
        gained = event.fields["pool_quote_reserves_after"] - event.fields["pool_quote_reserves_before"]
        expected = recordings.loaded("cases/postcomplete.expected.json")[str(event.mint)]
        assert event.kind is EventKind.BUY
        assert event.quote_amount_raw == event.fields["quote_in"] == gained == expected
        assert event.fees.protocol == event.fields["fee"]
        assert event.fees.creator == event.fields["creator_fee"]
        assert event.pool == programs.graduated_pool(str(event.mint), programs.WRAPPED_SOL)
        left = event.fields["pool_quote_reserves_after"], event.fields["pool_base_reserves_after"]
        assert event.reserves.after == Reserves(
            virtual_quote=left[0], virtual_token=left[1], real_quote=left[0], real_token=left[1]
        )


@pytest.mark.parametrize(
    ("program", "name", "kind"),
    [
        (Program.PUMPFUN, "CompleteEvent", EventKind.COMPLETE),
        (Program.PUMPFUN, "CollectCreatorFeeEvent", EventKind.CREATOR_FEE),
        (Program.PUMPFUN, "DistributeCreatorFeesEvent", EventKind.CREATOR_FEE),
        (Program.PUMPFUN, "DistributeFeeToHoldersEvent", EventKind.CREATOR_FEE),
        (Program.PUMPFUN, "SweepBondingCurveFeeEvent", EventKind.SWEEP_FEE),
        (Program.PUMPFUN, "UpdateMayhemVirtualParamsEvent", EventKind.RESERVES),
        (Program.PUMPFUN, "SetCreatorEvent", EventKind.CREATOR),
        (Program.PUMPFUN, "AdminCtoEvent", EventKind.CREATOR),
        (Program.PUMPFUN, "MigrateBondingCurveCreatorEvent", EventKind.CREATOR),
        (Program.PUMPFUN, "SetParamsEvent", EventKind.OTHER),
        (Program.PUMPFUN, "ExtendAccountEvent", EventKind.OTHER),
        (Program.PUMPSWAP, "CreatePoolEvent", EventKind.CREATE_POOL),
        (Program.PUMPSWAP, "DepositEvent", EventKind.DEPOSIT),
        (Program.PUMPSWAP, "WithdrawEvent", EventKind.WITHDRAW),
        (Program.PUMPSWAP, "InitBoostEvent", EventKind.RESERVES),
        (Program.PUMPSWAP, "BoostBuyAndBurnEvent", EventKind.RESERVES),
        (Program.PUMPSWAP, "SweepPoolFeeEvent", EventKind.SWEEP_FEE),
        (Program.PUMPSWAP, "CollectCoinCreatorFeeEvent", EventKind.CREATOR_FEE),
        (Program.PUMPSWAP, "AdminCtoPoolEvent", EventKind.CREATOR),
        (Program.PUMPSWAP, "SetBondingCurveCoinCreatorEvent", EventKind.CREATOR),
        (Program.PUMPSWAP, "UpdateFeeConfigEvent", EventKind.OTHER),
        (Program.LAUNCHLAB, "ClaimVestedEvent", EventKind.OTHER),
        (Program.LAUNCHLAB, "CreateVestingEvent", EventKind.OTHER),
    ],
)
def test_kinds(program: Program, name: str, kind: EventKind) -> None:
    """Every event has its kind, and keeps all its fields."""
    event = _read(program, payload(program, name))
    assert (event.kind, event.raw["layout"]) == (kind, f"{name}/{len(event.fields)}")


def test_mayhem_reserves() -> None:
    """A change of virtual reserves without a trade states both sides."""
    values = {"virtual_token_reserves": 9, "virtual_sol_reserves": 8, "new_virtual_token_reserves": 7}
    event = _read(
        Program.PUMPFUN,
        payload(Program.PUMPFUN, "UpdateMayhemVirtualParamsEvent", mint=MINT, new_virtual_sol_reserves=6, **values),
    )
    assert event.reserves == BothReserves(
        before=Reserves(virtual_quote=8, virtual_token=9, real_quote=0, real_token=0),
        after=Reserves(virtual_quote=6, virtual_token=7, real_quote=0, real_token=0),
    )


def test_pumpswap_buy() -> None:
    """A pool's purchase is priced by vault plus virtual reserves; the LP fee stays, so the pool has it afterwards."""
    event = _vector("PumpSwap BuyEvent, 39")
    assert (event.kind, event.quote_amount_raw, event.token_amount_raw) == (EventKind.BUY, 457436, 141859566)
    assert (event.mint, event.quote_mint, event.pool) == (None, None, "CBGLkk9F86F9UzJwDD7njtgTeMmhy6Z3MdtnpBQxPiuQ")
    assert event.fees == Fees(lp=915, protocol=229, creator=3889, cashback=0, buyback=114, holder_rewards=0)
    assert event.reserves == BothReserves(
        before=Reserves(
            virtual_quote=220693325181 + 17584505288,
            virtual_token=73894701580072,
            real_quote=220693325181,
            real_token=73894701580072,
        ),
        after=Reserves(
            virtual_quote=238277830469 + 457436 + 915,
            virtual_token=73894701580072 - 141859566,
            real_quote=220693325181 + 457436 + 915,
            real_token=73894701580072 - 141859566,
        ),
    )


def test_pumpswap_sell() -> None:
    """A pool's sale takes the quote without the LP fee out of it."""
    event = _vector("PumpSwap SellEvent, 25")
    assert event.reserves.after is not None
    assert event.reserves.after.real_quote == 86106293205 - 235139504 + 47028
    assert event.fees == Fees(lp=47028, protocol=2186798, creator=0, cashback=705419)


def test_pumpswap_parked_fees() -> None:
    """A v2 trade parks fees in the vault: how much of them it keeps is unknown, the price is not."""
    amounts = {"pool_base_token_reserves": 1000, "pool_quote_token_reserves": 900, "virtual_quote_reserves": -100}
    event = _read(
        Program.PUMPSWAP,
        payload(Program.PUMPSWAP, "SellEvent", base_amount_in=10, quote_amount_out=8, lp_fee=1, **amounts),
    )
    assert event.reserves.before == Reserves(virtual_quote=800, virtual_token=1000, real_quote=900, real_token=1000)
    assert event.reserves.after == Reserves(virtual_quote=793, virtual_token=1010, real_token=1010)


@pytest.mark.parametrize("name", ["buy", "sell", "buy_exact_quote_in", "buy_v2", "sell_v2", "buy_exact_quote_in_v2"])
def test_pumpswap_mints(name: str) -> None:
    """The mints of a pool's trade are the fourth and fifth account of the instruction, in both versions."""
    event_name = "SellEvent" if name.startswith("sell") else "BuyEvent"
    trade = payload(Program.PUMPSWAP, event_name, pool=POOL, user=USER, timestamp=5)
    accounts = [POOL, USER, key("config"), MINT, QUOTE, key("x")]
    swap = Call(programs.PUMPSWAP, accounts, discriminator(name) + bytes(16), [trade])
    (event,) = _run(Call(key("router"), [], b"", [swap])).events
    assert (event.mint, event.quote_mint, event.raw["instruction"]) == (MINT, QUOTE, name)


def _hops(*pools: str) -> Call:
    """Return a swap over several pools: 16 accounts of its own, then five for each hop. The curves' hops name their mints."""
    fixed = [key(f"fixed {number}") for number in range(16)]
    named = [key(f"{what} of {pool}") if what != "pool" else pool for pool in pools for what in HOP]
    events = [payload(Program.PUMPSWAP, "BuyEvent", pool=pool, user=USER, timestamp=5) for pool in pools]
    return Call(programs.PUMPSWAP, [*fixed, *named], discriminator("multi_hop_swap") + bytes(16), list(events))


HOP = ("base mint", "quote mint", "pool", "base vault", "quote vault")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_truth_06_multi_hop_swap_names_the_mints_of_each_hop(count: int) -> None:
    """Each trade of a swap over several pools has the mints and the vaults of its own hop, in any encoding."""
    pools = [key(f"pool {number}") for number in range(count)]
    for message in (Transaction(_hops(*pools)).reply(), Transaction(_hops(*pools)).reply("base64")):
        (decoded,) = decode_message(message)
        assert [(e.pool, e.mint, e.quote_mint) for e in decoded.events] == [
            (pool, key(f"base mint of {pool}"), key(f"quote mint of {pool}")) for pool in pools
        ]
        assert [e.pool_accounts for e in decoded.events] == [
            PoolAccounts(base_vault=key(f"base vault of {pool}"), quote_vault=key(f"quote vault of {pool}"))
            for pool in pools
        ]


def test_truth_06_multi_hop_swap_of_the_recorded_sale() -> None:
    """The recorded sale inside a swap over several pools names both mints."""
    (decoded,) = decode_message(recordings.content("cases/multihop.json"))
    (event,) = decoded.events
    expected = recordings.loaded("cases/multihop.expected.json")
    assert (event.mint, event.quote_mint) == (expected["mint"], expected["quote_mint"])
    assert (event.raw["instruction"], decoded.missing) == ("multi_hop_swap", ())


def test_truth_06_multi_hop_swap_from_the_log_alone_names_nothing() -> None:
    """A log has no accounts, and a pool that is in no hop has no mints: both wait as before."""
    (logged,) = decode_message(Transaction(_hops(POOL)).frame())
    assert [(e.pool, e.mint, e.quote_mint) for e in logged.events] == [(POOL, None, None)]
    call = _hops(key("another"))
    call.does[0] = payload(Program.PUMPSWAP, "BuyEvent", pool=POOL, user=USER, timestamp=5)
    assert [(e.mint, e.quote_mint) for e in _run(call).events] == [(None, None)]
    call.accounts = call.accounts[:19]  # cut inside the hop
    assert [(e.mint, e.quote_mint) for e in _run(call).events] == [(None, None)]


def test_collisions() -> None:
    """The same bytes mean what the program that ran says: a LaunchLab trade, a pump trade, or nothing."""
    trade = base64.b64decode(
        next(v["payload"] for t, v in VECTORS.items() if t.startswith("LaunchLab TradeEvent, 139"))
    )
    moonshot = Call("MoonCVVNZFSYkqNXP6bxHLPL6QQJiMagDL3qcqUQTrG", [], discriminator("buy"), [trade])
    assert _run(moonshot).outcome is Outcome.NOT_OURS
    (event,) = _run(Call(programs.LAUNCHLAB, [], discriminator("sell_exact_in"), [trade])).events
    assert (event.program, event.kind) == (Program.LAUNCHLAB, EventKind.SELL)
    with pytest.raises(Undecodable, match="bad_event"):
        _run(Call(programs.PUMP, [], discriminator("sell"), [trade]))


def _launch_accounts() -> list[str]:
    names = ["payer", "authority", "global", "platform", "pool", "ub", "uq", "bv", "qv", "mint", "quote", "x", "y"]
    return [key(name) for name in names]


def test_launchlab_trade() -> None:
    """A LaunchLab trade has mint, trader and quote from its instruction and its time from the block."""
    trade = base64.b64decode(next(v["payload"] for t, v in VECTORS.items() if "CPI form (hex, starts" in t))
    call = Call(programs.LAUNCHLAB, _launch_accounts(), discriminator("buy_exact_in") + bytes(24), [trade])
    (event,) = _run(call).events
    assert (event.mint, event.user, event.quote_mint, event.block_time) == (MINT, key("payer"), QUOTE, BLOCK_TIME)
    assert event.fees == Fees(protocol=3673, platform=14687, creator=734, share=0)
    assert event.reserves.before == Reserves(
        virtual_quote=30000852951 + 66558134124,
        virtual_token=1073025605596382 - 739636820289371,
        real_quote=66558134124,
        real_token=793100000000000 - 739636820289371,
    )
    assert event.reserves.after is not None
    after, fields = event.reserves.after, event.fields
    assert after.virtual_quote == fields["virtual_quote"] + fields["real_quote_after"]
    assert after.virtual_token == fields["virtual_base"] - fields["real_base_after"]
    assert after.real_token == fields["total_base_sell"] - fields["real_base_after"]


def test_truth_07_launchlab_instructions_name_the_vaults() -> None:
    """A trade names the launch pool's vaults, a migration those of the pool that it opens and its LP mint."""
    trade = base64.b64decode(next(v["payload"] for t, v in VECTORS.items() if "CPI form (hex, starts" in t))
    (event,) = _run(Call(programs.LAUNCHLAB, _launch_accounts(), discriminator("buy_exact_in"), [trade])).events
    assert event.pool_accounts == PoolAccounts(base_vault=key("bv"), quote_vault=key("qv"))
    accounts = [key(str(number)) for number in range(32)]
    for name, (base, quote, lp_mint) in {"migrate_to_amm": (17, 18, 16), "migrate_to_cpswap": (8, 9, 7)}.items():
        (event,) = _run(Call(programs.LAUNCHLAB, accounts, discriminator(name))).events
        named = PoolAccounts(base_vault=accounts[base], quote_vault=accounts[quote], lp_mint=accounts[lp_mint])
        assert event.pool_accounts == named


@pytest.mark.parametrize(
    ("base", "quote", "after"),
    [
        (1000, 30, Reserves(virtual_quote=30 + 7, virtual_token=1000 - 40, real_quote=7, real_token=800 - 40)),
        (800, 85, Reserves(virtual_quote=85, virtual_token=800, real_quote=7, real_token=800 - 40)),
        (12345, 0, Reserves(real_quote=7, real_token=800 - 40)),
    ],
)
def test_truth_07_launchlab_curves_of_every_shape(base: int, quote: int, after: Reserves) -> None:
    """A fixed price stays what it is; a linear curve's amounts form no price."""
    values = {"total_base_sell": 800, "virtual_base": base, "virtual_quote": quote}
    event = _read(
        Program.LAUNCHLAB,
        payload(Program.LAUNCHLAB, "TradeEvent", **values, real_base_after=40, real_quote_after=7, pool_state=POOL),
    )
    assert event.reserves.after == after


def test_launchlab_log() -> None:
    """LaunchLab's log names neither mint nor time: the transaction is asked for."""
    trade = base64.b64decode(next(v["payload"] for t, v in VECTORS.items() if "old 130-byte" in t))
    transaction = Transaction(Call(programs.LAUNCHLAB, _launch_accounts(), discriminator("buy_exact_in"), [trade]))
    (decoded,) = decode_message(transaction.frame())
    assert decoded.missing == (RejectionReason.NEEDS_TRANSACTION, RejectionReason.NO_BLOCK_TIME)
    assert (decoded.events[0].mint, decoded.events[0].event_index) == (None, event_index(0, 0, 1))
    migration = Transaction(Call(programs.LAUNCHLAB, [], b"", ["Instruction: MigrateToCpswap"]))
    assert decode_message(migration.frame())[0].missing == (RejectionReason.NEEDS_TRANSACTION,)


def _curve(kind: int, *amounts: int) -> bytes:
    return bytes([kind]) + b"".join(amount.to_bytes(8, "little") for amount in amounts) + b"\1"


TOKEN = {"decimals": 6, "name": "Name", "symbol": "SYM", "uri": "https://x", "amm_fee_on": 1}
CONSTANT = _curve(0, 10**15, 793_100_000_000_000, 85 * 10**9)


@pytest.mark.parametrize("name", ["initialize", "initialize_v2", "initialize_with_token_2022"])
def test_launchlab_create(name: str) -> None:
    """A launch is told by its event, or by its instruction where the event is missing, and is the same either way."""
    accounts = [key(n) for n in ("payer", "creator", "global", "platform", "authority", "pool", "mint", "quote", "bv")]
    values = {"pool_state": POOL, "creator": key("creator"), "config": key("global"), **TOKEN, "curve_param": CONSTANT}
    event = payload(Program.LAUNCHLAB, "PoolCreateEvent", **values)
    arguments = discriminator(name) + event[8 + 96 :]
    (told,) = _run(Call(programs.LAUNCHLAB, accounts, arguments, [event])).events
    (asked,) = _run(Call(programs.LAUNCHLAB, accounts, arguments)).events
    assert (told.raw["origin"], asked.raw["origin"]) == ("cpi", "instruction")
    for create in (told, asked):
        assert (create.kind, create.event_index, create.mint, create.quote_mint, create.pool, create.user) == (
            EventKind.CREATE,
            1,
            MINT,
            QUOTE,
            POOL,
            key("creator"),
        )
        assert create.reserves.after == Reserves(
            virtual_quote=30000852951, virtual_token=1073025605596382, real_quote=0, real_token=793100000000000
        )
        assert (create.fields["symbol"], create.fields["curve_type"], create.fields["migrate_type"]) == (
            "SYM",
            "constant",
            1,
        )
    assert told.fields == asked.fields


def test_launchlab_other_curves() -> None:
    """A fixed price or linear curve is told apart, and no constant product is made up for it."""
    for tag, name in ((1, "fixed"), (2, "linear")):
        data = payload(Program.LAUNCHLAB, "PoolCreateEvent", **TOKEN, curve_param=_curve(tag, 10**15, 85 * 10**9))
        event = _read(Program.LAUNCHLAB, data)
        assert (event.fields["curve_type"], event.reserves.after) == (name, None)
    with pytest.raises(Undecodable, match="curve type 3"):
        _read(Program.LAUNCHLAB, payload(Program.LAUNCHLAB, "PoolCreateEvent", **TOKEN, curve_param=_curve(3)))


@pytest.mark.parametrize(
    ("name", "destination", "places"),
    [("migrate_to_amm", "raydium", (1, 2, 13, 23)), ("migrate_to_cpswap", "raydium_cpmm", (1, 2, 5, 17))],
)
def test_launchlab_migration(name: str, destination: str, places: tuple[int, ...]) -> None:
    """A LaunchLab migration is told by its instruction, at the instruction's own place."""
    accounts = [key(str(number)) for number in range(32)]
    (event,) = _run(Call(key("bot"), [], b"", [Call(programs.LAUNCHLAB, accounts, discriminator(name))])).events
    mint, quote_mint, pool, launch = (accounts[place] for place in places)
    assert (event.kind, event.event_index, event.mint, event.quote_mint, event.pool) == (
        EventKind.MIGRATE,
        event_index(0, 1, 0),
        mint,
        quote_mint,
        launch,
    )
    assert event.fields == {"destination": destination, "pool": pool}


def test_raydium_migration_of_2024() -> None:
    """A pump coin's way to Raydium: the migration wallet opens the pool with 206.9 million tokens and 79 SOL."""
    (decoded,) = decode_message(recordings.lines("frames/helius-migration.jsonl")[0])
    (event,) = decoded.events
    assert (event.program, event.kind, event.quote_amount_raw, event.token_amount_raw) == (
        Program.PUMPFUN,
        EventKind.MIGRATE,
        79005359551,
        206900000000000,
    )
    assert (event.fields["destination"], event.user) == ("raydium", programs.PUMP_MIGRATION_ACCOUNT)
    assert (event.mint, event.pool) == (event.mint, programs.bonding_curve(str(event.mint)))
    assert decoded.missing == (RejectionReason.NO_BLOCK_TIME,)


@pytest.mark.parametrize("before", [["global"], ["global", "last withdraw"]])
def test_withdraw_of_2024(before: list[str]) -> None:
    """The instruction that took a complete curve's reserves out names the mint, in both of its versions."""
    accounts = [*map(key, before), MINT, programs.bonding_curve(MINT), key("associated")]
    (event,) = _run(Call(programs.PUMP, accounts, discriminator("withdraw"))).events
    assert (event.kind, event.mint, event.event_index) == (EventKind.MIGRATE, MINT, 0)
    assert event.fields == {"destination": "raydium"}


def test_administrative_event_of_a_new_layout() -> None:
    """A changed layout of an event without consequence is counted and does not hold up the trade beside it."""
    curve = {f"virtual_{side}_reserves": 9 for side in ("sol", "token", "quote")}
    values = {"mint": MINT, "user": USER, "timestamp": 5, **curve}
    strange = discriminator("ExtendAccountEvent", "event") + bytes(13)
    decoded = _run(
        Call(programs.PUMP, [], discriminator("buy"), [strange, payload(Program.PUMPFUN, "TradeEvent", **values)])
    )
    assert [event.kind for event in decoded.events] == [EventKind.SELL]
    assert decoded.drift == {"pumpfun.ExtendAccountEvent.unknown_layout": 1}


def test_json_document_of_an_event() -> None:
    """The events of a transaction carry plain JSON values only."""
    (decoded,) = decode_message(recordings.content("transactions/pump-create-tx-from-gettransaction.json"))
    assert json.loads(json.dumps([event.fields for event in decoded.events])) == [e.fields for e in decoded.events]
