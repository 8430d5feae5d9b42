"""Accounts that hold a token for nobody in particular, and are left out before anything is measured.

The list of exchanges is data: hot wallets by the labels of public explorers (read 2026-11). A wallet that is missing from
it counts as a holder. So does an owner that is a program, unless it is known for a curve, a pool or a locker: the vault of
a multisig is people, and a vault that nobody knows may be sold from like any wallet.
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

LAUNCHLAB_AUTHORITY: Final = "WLHv2UAZm6z4KyaaELi5pjdbJh6RESMva1Rnn8pJVVh"
"""Owns the vaults of all LaunchLab pools."""
MARKETS: Final[Mapping[str, str]] = {
    LAUNCHLAB_AUTHORITY: "Raydium LaunchLab",
    "5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1": "Raydium AMM",
    "GpMZbSM2GgvTKHJirzeGfMFoaZ8UR2X7F4v8vHTvxFbL": "Raydium CPMM",
    "HLnpSz9h2S4hiLQ43rnSD9XkcUThA7B8hQMKmDaiTLcC": "Meteora DAMM",
    "FhVo3mqL8PW5pH5U2CN4XE33DokiyZnUwuGpH2hmHLuM": "Meteora DBC",
}
"""Authorities of programs that keep the vaults of all their pools under one address: what they own is liquidity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venues:
    """Addresses of one token's own curve and pools: the pools themselves and their vaults; and of ``lockers``, which an
    operator knows to hold what nobody can sell yet (owners or their token accounts)."""

    curves: Collection[str] = ()
    pools: Collection[str] = ()
    lockers: Collection[str] = ()


def reason(*, owner: str, accounts: Collection[str] = (), venues: Venues) -> Exclusion | None:
    """Return why ``owner`` is left out, ``None`` for a holder. ``accounts`` are its token accounts, where they are known."""
    own = {owner, *accounts}
    if not own.isdisjoint(venues.curves):
        return Exclusion.CURVE
    if not own.isdisjoint(venues.pools) or owner in MARKETS:
        return Exclusion.POOL
    if not own.isdisjoint(venues.lockers):
        return Exclusion.LOCKER
    if owner in BURNS:
        return Exclusion.BURN
    if owner == MAYHEM_AGENT:
        return Exclusion.AGENT
    return Exclusion.EXCHANGE if owner in EXCHANGES else None


def name(owner: str) -> str | None:
    """Return what an excluded ``owner`` is called, ``None`` where its reason says all."""
    return EXCHANGES.get(owner) or MARKETS.get(owner)


def is_program(address: str) -> bool:
    """Say whether nobody can have the key of ``address``; ``False`` for what is no address at all."""
    try:
        return not Pubkey.from_string(address).is_on_curve()
    except ValueError:
        return False
