"""Accounts that hold a token for nobody in particular, and are left out before anything is measured.

The list of exchanges is data: hot wallets by the labels of public explorers (read 2026-11). A wallet that is missing from
it counts as a holder.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from holders.choices import Exclusion
from tokens.domain.programs import MAYHEM_AGENT

BURNS: Final = frozenset(
    {
        "1nc1nerator11111111111111111111111111111111",
        "11111111111111111111111111111111",
        "burn111111111111111111111111111111111111111",
        "dead111111111111111111111111111111111111111",
    }
)
"""Nobody has their keys: what is sent there is gone, though the supply still counts it."""

EXCHANGES: Final[Mapping[str, str]] = {
    "5tzFkiKscXHK5ZXCGbXZxdw7gTjjD1mBwuoFbhUvuAi9": "Binance",
    "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM": "Binance",
    "2ojv9BAiHUrvsm9gxDe7fJSzbNZSJcxZvf8dqmWGHG8S": "Binance",
    "H8sMJSCQxfKiFTCfDR3DUMLPwcRbM61LGFJ8N4dK3WjS": "Coinbase",
    "2AQdpHJ2JpcEgPiATUXjQxA8QmafFegfQwSLWSprPicm": "Coinbase",
    "FWznbcNXWQuHTawe9RxvQ2LdCENssh12dsznf4RiouN5": "Kraken",
    "5VCwKtCXgCJ6kit5FybXjvriW3xELsFDhYrPSqtJNmcD": "OKX",
    "AC5RDfQFmDS1deWZos921JfqscXdByf8BKHs5ACWjtW2": "Bybit",
    "BmFdpraQhkiDQE6SnfG5omcA1VwzqfXrwtNYBwWTymy6": "KuCoin",
    "u6PJ8DtQuPFnfmwHbGFULQ4u4EgjDiyYKjVEsynXq2w": "Gate.io",
    "ASTyfSima4LLAdDgoFGkgqoKowG1LZFDr9fAQrg7iaJZ": "MEXC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Venues:
    """Addresses of one token's own curve and pools: the pools themselves and their vaults."""

    curves: Collection[str] = ()
    pools: Collection[str] = ()


def reason(*, owner: str, accounts: Collection[str] = (), venues: Venues) -> Exclusion | None:
    """Return why ``owner`` is left out, ``None`` for a holder. ``accounts`` are its token accounts, where they are known.

    Whatever has an address off the curve has no key and is a program's: pools of other venues, lockers, vaults.
    """
    own = {owner, *accounts}
    if not own.isdisjoint(venues.curves):
        return Exclusion.CURVE
    if not own.isdisjoint(venues.pools):
        return Exclusion.POOL
    if owner in BURNS:
        return Exclusion.BURN
    if owner in EXCHANGES:
        return Exclusion.EXCHANGE
    if owner == MAYHEM_AGENT:
        return Exclusion.AGENT
    return Exclusion.PROGRAM if is_program(owner) else None


def is_program(address: str) -> bool:
    """Say whether nobody can have the key of ``address``; ``False`` for what is no address at all."""
    try:
        return not Pubkey.from_string(address).is_on_curve()
    except ValueError:
        return False
