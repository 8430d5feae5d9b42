"""Addresses of the launchpads and of what they touch, and the addresses that are derived from them.

Sources: the programs' published IDLs and documents (pump-public-docs, raydium launchpad 0.2.0); every derivation was
checked against recorded transactions.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from solders.pubkey import Pubkey

from tokens.choices import Program, Venue

PUMP: Final = "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"
PUMPSWAP: Final = "pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA"
LAUNCHLAB: Final = "LanMV9sAd7wArD4vJFi2qDdfnVhFxYSUg6eADduJ3uj"
RAYDIUM_AMM: Final = "675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8"

PROGRAMS: Final = {PUMP: Program.PUMPFUN, PUMPSWAP: Program.PUMPSWAP, LAUNCHLAB: Program.LAUNCHLAB}
ADDRESSES: Final = {program: address for address, program in PROGRAMS.items()}
VENUES: Final = {
    Program.PUMPFUN: Venue.PUMPFUN,
    Program.PUMPSWAP: Venue.PUMPSWAP,
    Program.LAUNCHLAB: Venue.RAYDIUM_LAUNCHPAD,
}
"""Whose pools a program's events are about, as a rule."""

PUMP_MIGRATION_ACCOUNT: Final = "39azUYFWPz3VHgKCf3VChUwbpURdCHRxjWVowf5jUJjg"
"""The wallet that moved completed pump curves to Raydium AMM v4 until 2025-03-20."""

MAYHEM_AGENT: Final = "BwWK17cbHxwWBKZkUYvzxLcNQ1YVyaFezduWbtm2de6s"
"""The wallet with which the mayhem program trades its coins: no holder and no demand (T15)."""

WRAPPED_SOL: Final = "So11111111111111111111111111111111111111112"
USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
USDT: Final = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"
USD1: Final = "USD1ttGY1N17NEEHLmELoaybftRBUSErhqYiQzvEmuB"


class Quote(NamedTuple):
    """A currency: its sign, and how many decimals a whole one has."""

    symbol: str
    decimals: int


QUOTES: Final = {
    WRAPPED_SOL: Quote("SOL", 9),
    USDC: Quote("USDC", 6),
    USDT: Quote("USDT", 6),
    USD1: Quote("USD1", 6),
}
"""The only list of the currencies in which coins are quoted, by mint: none of them is a launchpad's coin. Against a coin these
are the quote, whichever side of the pool they are on."""
QUOTE_MINTS: Final = frozenset(QUOTES)
QUOTE_DECIMALS: Final = {mint: quote.decimals for mint, quote in QUOTES.items()}
ZERO_KEY: Final = "11111111111111111111111111111111"
"""How the programs write "none"; as a quote mint it means native SOL."""

PRECOMPILES: Final = frozenset(
    {
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    }
)
"""Checked outside the virtual machine: they never show in a log."""

_NATIVE: Final = "1" * 8
"""How the addresses of native programs and of sysvars end, and "none" too; no mint's key ends so but by design."""
_NO_MINTS: Final = frozenset(
    {
        *PROGRAMS,
        *PRECOMPILES,
        RAYDIUM_AMM,
        PUMP_MIGRATION_ACCOUNT,
        MAYHEM_AGENT,
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
        "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
        "metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s",
    }
)
"""Programs, and wallets of the launchpads, that stand beside mints in instructions."""

EVENT_TAG: Final = bytes.fromhex("e445a52e51cb9a1d")
"""First eight bytes of the instruction by which an Anchor program records an event by calling itself."""

PUMP_FEES: Final = "pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ"

_PUMP, _PUMPSWAP, _PUMP_FEES = (Pubkey.from_string(address) for address in (PUMP, PUMPSWAP, PUMP_FEES))


@lru_cache(maxsize=1 << 16)
def address(key: bytes) -> str:
    """Return the base58 form of a 32-byte key."""
    return str(Pubkey.from_bytes(key))


@lru_cache(maxsize=1)
def telling_accounts() -> dict[str, Program]:
    """Return the programs' addresses and those of the accounts that each of their trades names: events, settings, vaults."""
    seeds = {Program.PUMPFUN: "global", Program.PUMPSWAP: "global_config", Program.LAUNCHLAB: "vault_auth_seed"}
    found = dict(PROGRAMS)
    for program, seed in seeds.items():
        owner = Pubkey.from_string(ADDRESSES[program])
        for name in ("__event_authority", seed):
            found[str(Pubkey.find_program_address([name.encode()], owner)[0])] = program
    return found


class NotAnAddress(ValueError):
    """A text that is not the base58 form of 32 bytes."""


def _key(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError as refusal:
        raise NotAnAddress(f"{text[:100]!r} is no address") from refusal


@lru_cache(maxsize=1 << 16)
def bonding_curve(mint: str) -> str:
    """Return the address of a mint's pump.fun curve. Raises :class:`NotAnAddress`."""
    return str(Pubkey.find_program_address([b"bonding-curve", bytes(_key(mint))], _PUMP)[0])


@lru_cache(maxsize=1 << 14)
def graduated_pool(mint: str, quote_mint: str) -> str:
    """Return the address of the PumpSwap pool into which a pump.fun coin graduates. Raises :class:`NotAnAddress`."""
    base, quote = _key(mint), _key(quote_mint)
    creator = Pubkey.find_program_address([b"pool-authority", bytes(base)], _PUMP)[0]
    seeds = [b"pool", b"\0\0", bytes(creator), bytes(base), bytes(quote)]
    return str(Pubkey.find_program_address(seeds, _PUMPSWAP)[0])


@lru_cache(maxsize=1 << 14)
def payout_accounts(mint: str) -> frozenset[str]:
    """Return the accounts of programs that events name as a coin's creator once its fees are paid on: its sharing
    configuration's and its holders' rewards'. Nobody created the coin with them. Raises :class:`NotAnAddress`."""
    key = bytes(_key(mint))
    sharing = Pubkey.find_program_address([b"sharing-config", key], _PUMP_FEES)[0]
    rewards = Pubkey.find_program_address([b"holder-rewards", key], _PUMP)[0]
    return frozenset((str(sharing), str(rewards)))


def is_no_mint(key: str) -> bool:
    """Say whether an address is known to be something else than a mint: a program, a sysvar, one of the launchpads' own."""
    return key.endswith(_NATIVE) or key in _NO_MINTS


@lru_cache(maxsize=1 << 16)
def is_address(text: str) -> bool:
    """Say whether a text is the base58 form of 32 bytes."""
    try:
        return str(Pubkey.from_string(text)) == text
    except ValueError:
        return False
