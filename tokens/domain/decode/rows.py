"""Rows of the pump.fun trades table (CSV), each as a JSON object of its column names and texts."""

from typing import Final

import msgspec

from tokens.choices import EventKind
from tokens.domain import curve, programs
from tokens.domain.decode import positionless
from tokens.domain.decode.emissions import Emission, Facts, Header, chain_event
from tokens.domain.decode.results import Decoded, Outcome, Undecodable
from tokens.domain.decode.sanity import checked
from tokens.domain.events import BothReserves, Fees, Reserves


class _Row(msgspec.Struct):
    block_time: int
    transaction_signature: str
    block_num: int
    program_id: str
    trade_type: str
    wallet_address: str
    token_address: str
    is_buy: bool
    amount_in_sol: int
    amount_in_token: int
    virtual_sol_reserves: int
    virtual_token_reserves: int
    real_sol_reserves: int
    real_token_reserves: int
    fee_recipient: str
    fee_basis_points: int
    fee_amount: int
    creator_address: str
    creator_fee_basis_points: int
    creator_fee_amount: int


_LAYOUT: Final = "trades.csv"


def decode(raw: bytes) -> Decoded:
    """Return the trade of one row. Raises :class:`Undecodable`."""
    try:
        row = msgspec.convert(msgspec.json.decode(raw), _Row, strict=False)
    except msgspec.ValidationError as refusal:
        raise Undecodable("bad_row", str(refusal)) from None
    if row.program_id != programs.PUMP or row.trade_type != "trade":
        return Decoded(outcome=Outcome.NOT_OURS, signature=row.transaction_signature, slot=row.block_num)
    if not (programs.is_address(row.token_address) and programs.is_address(row.wallet_address)):
        raise Undecodable("bad_row", f"{row.token_address} and {row.wallet_address} are not both addresses")
    numbers = (
        row.amount_in_sol,
        row.amount_in_token,
        row.virtual_sol_reserves,
        row.virtual_token_reserves,
        row.real_sol_reserves,
        row.real_token_reserves,
        row.fee_amount,
        row.creator_fee_amount,
    )
    if min(numbers) < 0 or max(numbers) >= 1 << 64:
        raise Undecodable("bad_row", "amounts outside of 0 to 2^64")
    after = Reserves(
        virtual_quote=row.virtual_sol_reserves,
        virtual_token=row.virtual_token_reserves,
        real_quote=row.real_sol_reserves,
        real_token=row.real_token_reserves,
    )
    paid, got = (row.amount_in_sol, -row.amount_in_token) if row.is_buy else (-row.amount_in_sol, row.amount_in_token)
    facts = Facts(
        EventKind.BUY if row.is_buy else EventKind.SELL,
        mint=row.token_address,
        pool=programs.bonding_curve(row.token_address),
        user=row.wallet_address,
        quote_mint=programs.WRAPPED_SOL,
        quote_amount_raw=row.amount_in_sol,
        token_amount_raw=row.amount_in_token,
        fees=Fees(protocol=row.fee_amount, creator=row.creator_fee_amount),
        reserves=BothReserves(before=curve.moved(after, -paid, -got), after=after),
    )
    index = positionless.index(row.token_address, facts.kind.value, *numbers)
    emission = Emission(programs.PROGRAMS[programs.PUMP], index, b"", "row")
    fields = {
        "creator": row.creator_address,
        "fee_recipient": row.fee_recipient,
        "fee_basis_points": row.fee_basis_points,
        "creator_fee_basis_points": row.creator_fee_basis_points,
    }
    header = Header(row.transaction_signature, row.block_num, row.block_time)
    return Decoded(
        outcome=Outcome.EVENTS,
        signature=header.signature,
        slot=header.slot,
        block_time=header.block_time,
        events=checked((chain_event(header, emission, facts, _LAYOUT, fields),)),
    )
