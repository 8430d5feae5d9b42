"""Who is no holder, and why."""

import pytest
from solders.pubkey import Pubkey

from holders.choices import Exclusion
from holders.domain import exclusions
from holders.domain.exclusions import Venues
from tests.holders.listing import wallet
from tokens.domain import programs

CURVE, POOL, VAULT, AUTHORITY = (wallet(name) for name in ("curve", "pool", "vault", "authority"))
VENUES = Venues(curves={CURVE}, pools={POOL, VAULT})


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
        (str(Pubkey.find_program_address([b"vault"], Pubkey.default())[0]), (), Exclusion.PROGRAM),
    ],
)
def test_an_account_is_left_out_with_its_reason(
    owner: str, accounts: tuple[str, ...], reason: Exclusion | None
) -> None:
    """Own curve and pools by owner or vault, burns, exchanges, and whatever has no key; a wallet is a holder."""
    assert exclusions.reason(owner=owner, accounts=accounts, venues=VENUES) == reason


@pytest.mark.parametrize("address", exclusions.EXCHANGES)
def test_exchanges_are_wallets_with_a_key(address: str) -> None:
    """Each address of the list is 32 bytes on the curve: a mistyped one would be neither."""
    assert Pubkey.from_string(address).is_on_curve()


def test_what_is_no_address_is_no_program() -> None:
    """Text that is not 32 bytes cannot be judged and is left alone."""
    assert not exclusions.is_program("abc")
