"""What is read from programs' accounts, and differences in words."""

import pytest
from solders.pubkey import Pubkey

from tests.tokens.domain.decode.building import discriminator, key
from tokens.choices import Program
from tokens.domain import accounts, programs
from tokens.domain.decode import Undecodable

SETTINGS = {(watched.venue, watched.role): watched for watched in accounts.SETTINGS}


def test_fee_tiers_are_read_and_zeros_after_an_old_layout_are_nothing() -> None:
    """Two tiers, then the padding of an account that was extended before it was filled."""
    rows = ((0, 2, 93, 30), (420 * 10**9, 20, 5, 95))
    sizes = (16, 8, 8, 8)
    tiers = b"".join(value.to_bytes(size, "little") for row in rows for value, size in zip(row, sizes, strict=True))
    flat = b"".join(fee.to_bytes(8, "little") for fee in (25, 5, 0))
    data = discriminator("FeeConfig", "account") + b"\xfe" + bytes(32) + flat + (2).to_bytes(4, "little") + tiers
    read = SETTINGS[Program.PUMPSWAP, "fee_config"].read(data + bytes(100))
    assert read["fee_tiers"] == ["from 0: 2/93/30 bps", "from 420000000000: 20/5/95 bps"]
    assert (read["flat_lp_bps"], read["flat_protocol_bps"], read["flat_creator_bps"]) == (25, 5, 0)
    assert (read["stable_fee_tiers"], read["exotic_lp_bps"]) == ([], 0)
    assert "unknown_bytes" not in read


@pytest.mark.parametrize("watched", accounts.SETTINGS, ids=lambda watched: f"{watched.venue}-{watched.role}")
def test_an_account_of_another_kind_is_refused(watched: accounts.Watched) -> None:
    """By its discriminator, whatever its length."""
    with pytest.raises(Undecodable, match="do not begin as a"):
        watched.read(bytes(2000))


def test_a_count_of_tiers_beyond_the_account_is_refused() -> None:
    """Damaged or unknown bytes raise nothing else."""
    data = discriminator("FeeConfig", "account") + bytes(1 + 32 + 24) + b"\xff" * 4
    with pytest.raises(Undecodable, match="fee tiers"):
        SETTINGS[Program.PUMPFUN, "fee_config"].read(data)


def test_launchlab_counts_epochs_without_changing() -> None:
    """The epoch in its settings moves by itself; the rates and owners are compared."""
    tag = discriminator("GlobalConfig", "account")
    read = SETTINGS[Program.LAUNCHLAB, "global_config"].read
    assert read(tag + (900).to_bytes(8, "little") + bytes(355)) == read(tag + (901).to_bytes(8, "little") + bytes(355))


def test_the_derived_settings_are_at_their_derived_addresses() -> None:
    """The addresses of pump's settings follow from the programs'."""
    fees = Pubkey.from_string("pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ")
    pump, swap = Pubkey.from_string(programs.PUMP), Pubkey.from_string(programs.PUMPSWAP)
    lab = Pubkey.from_string(programs.LAUNCHLAB)
    derived = {
        (Program.PUMPFUN, "global"): ([b"global"], pump),
        (Program.PUMPFUN, "fee_config"): ([b"fee_config", bytes(pump)], fees),
        (Program.PUMPSWAP, "global_config"): ([b"global_config"], swap),
        (Program.PUMPSWAP, "fee_config"): ([b"fee_config", bytes(swap)], fees),
        (Program.LAUNCHLAB, "global_config"): (
            [b"global_config", bytes(Pubkey.from_string(programs.WRAPPED_SOL)), bytes(1), bytes(2)],
            lab,
        ),
    }
    for place, (seeds, program) in derived.items():
        assert SETTINGS[place].address == str(Pubkey.find_program_address(seeds, program)[0])


def test_only_program_accounts_are_programs() -> None:
    """Neither a buffer nor a wallet names where code is kept."""
    for data in (b"", bytes(36), (1).to_bytes(4, "little") + bytes(41)):
        with pytest.raises(Undecodable):
            accounts.program_data_address(data)
        with pytest.raises(Undecodable):
            accounts.program_data(data)
    frozen = (3).to_bytes(4, "little") + (7).to_bytes(8, "little") + bytes(33)
    assert accounts.program_data(frozen)["upgrade_authority"] is None


def test_changes_are_told_item_by_item() -> None:
    """Lists by what went and came, other values by both; what is new was unknown."""
    one, two, three = key("1"), key("2"), key("3")
    before = {"fee_recipients": [one, two], "fee_basis_points": 95, "kept": 1}
    after = {"fee_recipients": [two, three], "fee_basis_points": 93, "kept": 1, "max_curve_depth": 1}
    assert accounts.changes(before, after) == [
        "fee_basis_points was 95, is 93",
        f"fee_recipients without {one}",
        f"fee_recipients with {three}",
        "max_curve_depth was unknown, is 1",
    ]
    assert accounts.changes({"x": [one, two]}, {"x": [two, one]}) == ["x in another order"]
