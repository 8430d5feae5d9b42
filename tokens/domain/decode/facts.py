"""What instructions say themselves: LaunchLab's migrations, those of pump.fun's coins to Raydium until March 2025."""

from collections.abc import Iterator
from struct import Struct
from typing import Any, Final

from tokens.choices import EventKind, Program
from tokens.domain import programs
from tokens.domain.decode import launchlab
from tokens.domain.decode.emissions import Emission, Facts, Header, chain_event
from tokens.domain.decode.instructions import TO_RAYDIUM, Call
from tokens.domain.events import ChainEvent

_INITIALIZE2: Final = Struct("<BBQQQ")  # tag 1, nonce, open time, amounts of pc and coin (AMM v4 has no discriminators)


def read(header: Header, calls: dict[int, Call], told: set[int]) -> Iterator[ChainEvent]:
    """Yield what the instructions say themselves, each with the place of its instruction and ordinal 0.

    ``told`` are the places of the calls that emitted events. A launch whose event is not at hand is told from its
    instruction, with the index that the event has, so that both are the same.
    """
    for place, call in calls.items():
        emission = Emission(call.program, place, call.data, "instruction", None, call.name)
        if call.name in launchlab.INITIALIZES and place not in told:
            emission = emission._replace(place=place + 1, accounts=call.accounts())
            found = launchlab.initialized(emission)
        else:
            found = _migration(call) if call.name in launchlab.MIGRATES else _pump(call)
        if found is not None:
            name, facts, fields = found
            yield chain_event(header, emission, facts, name, fields)


def _migration(call: Call) -> tuple[str, Facts, dict[str, Any]] | None:
    if call.name is None or call.program is not Program.LAUNCHLAB:
        return None
    destination, mint, quote_mint, pool, curve = launchlab.MIGRATES[call.name]
    accounts = call.accounts()
    if len(accounts) <= max(mint, quote_mint, pool, curve):
        return None
    facts = Facts(
        EventKind.MIGRATE,
        mint=accounts[mint],
        pool=accounts[curve],
        user=accounts[0],
        quote_mint=accounts[quote_mint],
        pool_accounts=launchlab.opened(call.name, accounts),
    )
    return call.name, facts, {"destination": destination, "pool": accounts[pool]}


def _pump(call: Call) -> tuple[str, Facts, dict[str, Any]] | None:
    if call.program is Program.PUMPFUN and call.name == "withdraw":
        return _withdraw(call.accounts())
    if call.name == TO_RAYDIUM:
        return _raydium(call)
    return None


def _withdraw(accounts: tuple[str, ...]) -> tuple[str, Facts, dict[str, Any]] | None:
    """The curve's reserves are taken out to be brought to Raydium. The mint stood at place 1, later at 2."""
    for mint, curve in ((1, 2), (2, 3)):
        if curve < len(accounts) and programs.bonding_curve(accounts[mint]) == accounts[curve]:
            facts = Facts(EventKind.MIGRATE, mint=accounts[mint], pool=accounts[curve], quote_mint=programs.WRAPPED_SOL)
            return "withdraw", facts, {"destination": "raydium"}
    return None


def _raydium(call: Call) -> tuple[str, Facts, dict[str, Any]] | None:
    """``initialize2`` by the migration wallet: the pool of a coin that left its curve."""
    accounts = call.accounts()
    if len(call.data) != _INITIALIZE2.size or len(accounts) < 18 or accounts[17] != programs.PUMP_MIGRATION_ACCOUNT:
        return None
    _, _, _, pc, coin = _INITIALIZE2.unpack(call.data)
    sides = {accounts[8]: coin, accounts[9]: pc}
    quote = sides.pop(programs.WRAPPED_SOL, None)
    if quote is None or not sides:
        return None
    mint, amount = sides.popitem()
    facts = Facts(
        EventKind.MIGRATE,
        mint=mint,
        pool=programs.bonding_curve(mint),
        user=accounts[17],
        quote_mint=programs.WRAPPED_SOL,
        quote_amount_raw=quote,
        token_amount_raw=amount,
    )
    return TO_RAYDIUM, facts, {"destination": "raydium", "pool": accounts[4]}
