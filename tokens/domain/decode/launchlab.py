"""Events and instructions of Raydium LaunchLab (launchpad IDL 0.2.0).

Its events name neither mint nor trader nor time: the first two come from the accounts of the emitting instruction, the
time from the block. There is no event for a migration.
"""

from typing import Any, Final

from tokens.choices import EventKind
from tokens.domain import curve
from tokens.domain.decode.borsh import Layout
from tokens.domain.decode.emissions import Emission, Facts
from tokens.domain.decode.results import Undecodable
from tokens.domain.events import BothReserves, Fees, PoolAccounts, Reserves

Fields = dict[str, Any]

INSTRUCTIONS: Final = (
    "buy_exact_in buy_exact_out sell_exact_in sell_exact_out initialize initialize_v2 initialize_with_token_2022 "
    "migrate_to_amm migrate_to_cpswap claim_platform_fee claim_platform_fee_from_vault claim_creator_fee collect_fee "
    "collect_migrate_fee create_vesting_account claim_vested_token"
)
_TRADES: Final = frozenset(INSTRUCTIONS.split()[:4])
INITIALIZES: Final = frozenset(INSTRUCTIONS.split()[4:7])
MIGRATES: Final = {  # instruction -> destination and the places of mint, quote mint, its pool and the launch pool
    "migrate_to_amm": ("raydium", 1, 2, 13, 23),
    "migrate_to_cpswap": ("raydium_cpmm", 1, 2, 5, 17),
}
_OPENED: Final = {"migrate_to_amm": (17, 18, 16), "migrate_to_cpswap": (8, 9, 7)}
"""Where a migration names the vaults and the LP mint of the pool that it opens."""
_CURVES: Final = (
    ("constant", ("supply", "total_base_sell", "total_quote_fund_raising")),
    ("fixed", ("supply", "total_quote_fund_raising")),
    ("linear", ("supply", "total_quote_fund_raising")),
)
_DIRECTIONS: Final = (EventKind.BUY, EventKind.SELL)


def _curve_params(data: bytes, at: int) -> tuple[Fields, int]:
    if data[at] >= len(_CURVES):
        raise Undecodable("bad_event", f"names curve type {data[at]}")
    name, amounts = _CURVES[data[at]]
    end = at + 1 + 8 * len(amounts) + 1
    if end > len(data):
        raise Undecodable("bad_event", "ends inside the curve")
    params: Fields = {"curve_type": name}
    for i, field in enumerate(amounts):
        params[field] = int.from_bytes(data[at + 1 + 8 * i : at + 9 + 8 * i], "little")
    return {**params, "migrate_type": data[end - 1]}, end


def _account(emission: Emission, place: int, instructions: frozenset[str]) -> str | None:
    accounts = emission.accounts
    if accounts is None or emission.instruction not in instructions or place >= len(accounts):
        return None
    return accounts[place]


def _vaults(emission: Emission, base: int, instructions: frozenset[str]) -> PoolAccounts | None:
    """Return the launch pool's vaults, which stand side by side; it has no LP mint."""
    held = _account(emission, base, instructions), _account(emission, base + 1, instructions)
    return None if held == (None, None) else PoolAccounts(base_vault=held[0], quote_vault=held[1])


def opened(instruction: str, accounts: tuple[str, ...]) -> PoolAccounts:
    """Return what a migration names of the pool that it opens; ``accounts`` are all that the instruction has."""
    base, quote, lp_mint = _OPENED[instruction]
    return PoolAccounts(base_vault=accounts[base], quote_vault=accounts[quote], lp_mint=accounts[lp_mint])


def _trade(fields: Fields, emission: Emission) -> Facts:
    if fields["trade_direction"] >= len(_DIRECTIONS):
        raise Undecodable("bad_event", f"TradeEvent names direction {fields['trade_direction']}")
    kind = _DIRECTIONS[fields["trade_direction"]]
    sign = 1 if kind is EventKind.BUY else -1
    quote = sign * (fields["real_quote_after"] - fields["real_quote_before"])
    base = sign * (fields["real_base_after"] - fields["real_base_before"])
    if quote < 0 or base < 0:
        raise Undecodable("bad_event", "TradeEvent moves the pool against its direction")
    return Facts(
        kind,
        mint=_account(emission, 9, _TRADES),
        pool=fields["pool_state"],
        user=_account(emission, 0, _TRADES),
        quote_mint=_account(emission, 10, _TRADES),
        quote_amount_raw=quote,
        token_amount_raw=base,
        fees=Fees(
            protocol=fields["protocol_fee"],
            platform=fields["platform_fee"],
            creator=fields.get("creator_fee"),
            share=fields["share_fee"],
        ),
        reserves=BothReserves(before=_reserves(fields, "before"), after=_reserves(fields, "after")),
        pool_accounts=_vaults(emission, 7, _TRADES),
    )


def _reserves(fields: Fields, when: str) -> Reserves | None:
    sold, raised = fields[f"real_base_{when}"], fields[f"real_quote_{when}"]
    base, quote, selling = fields["virtual_base"], fields["virtual_quote"], fields["total_base_sell"]
    if base < sold or selling < sold:
        return None
    if base > selling and quote:
        quote, base = quote + raised, base - sold
    elif base != selling or not quote:  # of a fixed price they stay as they are; of a linear curve they form no price
        return Reserves(real_quote=raised, real_token=selling - sold)
    return Reserves(virtual_quote=quote, virtual_token=base, real_quote=raised, real_token=selling - sold)


def _create(fields: Fields, emission: Emission) -> Facts:
    fields.update(fields.pop("curve_param"))
    after = None
    if fields["curve_type"] == "constant":
        sold = fields["total_base_sell"]
        try:
            base, quote = curve.launchlab_virtuals(
                fields["supply"], sold, fields["total_quote_fund_raising"], locked_raw=fields["total_locked_amount"]
            )
        except ValueError as refusal:
            raise Undecodable("bad_event", f"PoolCreateEvent: {refusal}") from None
        after = Reserves(virtual_quote=quote, virtual_token=base, real_quote=0, real_token=sold)
    return Facts(
        EventKind.CREATE,
        mint=_account(emission, 6, INITIALIZES),
        pool=fields["pool_state"],
        user=fields["creator"],
        quote_mint=_account(emission, 7, INITIALIZES),
        reserves=BothReserves(after=after),
        pool_accounts=_vaults(emission, 8, INITIALIZES),
    )


def initialized(emission: Emission) -> tuple[str, Facts, Fields] | None:
    """Return the creation that an ``initialize`` instruction asks for, as its event says it."""
    places = (("pool_state", 5), ("creator", 1), ("config", 2))
    accounts = emission.accounts or ()
    if len(accounts) < 8:
        return None
    arguments, _ = INITIALIZE.read(emission.payload)  # one variant has a further argument, for its mint's transfer fee
    fields = {name: accounts[place] for name, place in places} | arguments
    return f"{emission.instruction}/{len(arguments)}", _create(fields, emission), fields


_TOKEN: Final = (
    "decimals:u8 name:string symbol:string uri:string curve_param:curve "
    "total_locked_amount:u64 cliff_period:u64 unlock_period:u64 amm_fee_on:u8"
)
_AMOUNTS: Final = (
    "pool_state:pubkey total_base_sell:u64 virtual_base:u64 virtual_quote:u64 real_base_before:u64 "
    "real_quote_before:u64 real_base_after:u64 real_quote_after:u64 amount_in:u64 amount_out:u64 protocol_fee:u64 "
    "platform_fee:u64"
)
_TRADE: Final = Layout(
    "TradeEvent", f"{_AMOUNTS} creator_fee:u64 share_fee:u64 trade_direction:u8 pool_status:u8 exact_in:bool"
)
_OLD_TRADE: Final = Layout("TradeEvent", f"{_AMOUNTS} share_fee:u64 trade_direction:u8 pool_status:u8")
# The field of August 2025 was put in the middle: only the length tells, and another length tells nothing.
_TRADES_BY_BYTES: Final = {8 + 130: _OLD_TRADE, 8 + 139: _TRADE}


def trade_layout(payload: bytes) -> Layout:
    """Return the layout of a TradeEvent by its length. Raises :class:`Undecodable` for a length that was never seen."""
    layout = _TRADES_BY_BYTES.get(len(payload))
    if layout is None:
        raise Undecodable("bad_event", f"TradeEvent of {len(payload)} bytes has a length that no layout has")
    return layout


INITIALIZE: Final = Layout("initialize", _TOKEN, required=8, readers={"curve": _curve_params})
"""The arguments of the instructions that create a pool."""

EVENTS: Final = (
    _TRADE,
    Layout(
        "PoolCreateEvent",
        f"pool_state:pubkey creator:pubkey config:pubkey {_TOKEN}",
        required=11,
        readers={"curve": _curve_params},
    ),
    Layout("ClaimVestedEvent", "pool_state:pubkey beneficiary:pubkey claim_amount:u64"),
    Layout("CreateVestingEvent", "pool_state:pubkey beneficiary:pubkey share_amount:u64"),
)
MEANINGS: Final = {"TradeEvent": _trade, "PoolCreateEvent": _create}
"""What the events mean that are of consequence; the program's other events have no meaning of their own."""
