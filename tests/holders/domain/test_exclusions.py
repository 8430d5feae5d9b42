"""Who is no holder, and why."""

import pytest
from solders.pubkey import Pubkey

from holders.choices import Exclusion
from holders.domain import exclusions
from holders.domain.exclusions import Venues
from tests.holders.listing import wallet
from tokens.domain import programs

CURVE, POOL, VAULT, AUTHORITY = (wallet(name) for name in ("curve", "pool", "vault", "authority"))
LOCKED = wallet("locker")
VENUES = Venues(curves={CURVE}, pools={POOL, VAULT}, lockers={LOCKED})
VAULT_OF_A_PROGRAM = str(Pubkey.find_program_address([b"vault"], Pubkey.default())[0])


@pytest.mark.parametrize(
    ("owner", "accounts", "reason"),
    [
        (wallet("ann"), (), None),
        (CURVE, (), Exclusion.CURVE),
        (POOL, (), Exclusion.POOL),
        (AUTHORITY, (VAULT,), Exclusion.POOL),
        ("1nc1nerator11111111111111111111111111111111", (), Exclusion.BURN),
        ("5tzFkiKscXHK5ZXCGbXZxdw7gTjjD1mBwuoFbhUvuAi9", (), Exclusion.EXCHANGE),
        (programs.MAYHEM_AGENT, (), Exclusion.AGENT),
        (VAULT_OF_A_PROGRAM, (), None),
        (VAULT_OF_A_PROGRAM, (LOCKED,), Exclusion.LOCKER),
        (LOCKED, (), Exclusion.LOCKER),
        *((market, (), Exclusion.POOL) for market in exclusions.MARKETS),
    ],
)
def test_an_account_is_left_out_with_its_reason(
    owner: str, accounts: tuple[str, ...], reason: Exclusion | None
) -> None:
    """Own curve and pools by owner or vault, other markets, known lockers, burns, exchanges; a wallet is a holder, and so is a
    program that nobody knows."""
    assert exclusions.reason(owner=owner, accounts=accounts, venues=VENUES) == reason


@pytest.mark.parametrize("address", exclusions.EXCHANGES)
def test_exchanges_are_wallets_with_a_key(address: str) -> None:
    """Each address of the list is 32 bytes on the curve: a mistyped one would be neither."""
    assert Pubkey.from_string(address).is_on_curve()


def test_what_is_no_address_is_no_program() -> None:
    """Text that is not 32 bytes cannot be judged and is left alone."""
    assert not exclusions.is_program("abc")


@pytest.mark.parametrize(
    ("program", "seed"),
    [
        ("LanMV9sAd7wArD4vJFi2qDdfnVhFxYSUg6eADduJ3uj", b"vault_auth_seed"),
        ("675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8", b"amm authority"),
        ("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C", b"vault_and_lp_mint_auth_seed"),
        ("cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG", b"pool_authority"),
        ("dbcij3LWUppWqq96dh6gJWwBifmcGfLSB5D4DuSMaqN", b"pool_authority"),
    ],
)
def test_truth_19_markets_are_the_authorities_of_their_programs(program: str, seed: bytes) -> None:
    """Each address of the list follows from a program's own: none is a wallet that somebody took for a market."""
    assert str(Pubkey.find_program_address([seed], Pubkey.from_string(program))[0]) in exclusions.MARKETS
