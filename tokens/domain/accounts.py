"""The accounts in which venues keep their program and their settings, from bytes to what an operator compares.

Layouts: pump.fun Global and FeeConfig, PumpSwap GlobalConfig, LaunchLab GlobalConfig (IDLs of October 2026). Settings are
extended before they are filled, so a shorter account is read as if zeros followed; a longer one tells how much is unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from tokens.choices import Program
from tokens.domain import programs
from tokens.domain.decode.borsh import Layout
from tokens.domain.decode.results import Undecodable

Details = dict[str, Any]

HEAD_BYTES: Final = 4096
"""Bytes of a program's code that are compared beside the slot of its deployment and its length."""
_PROGRAM_TAG, _PROGRAM_DATA_TAG = (2).to_bytes(4, "little"), (3).to_bytes(4, "little")
_CODE_AT: Final = 45  # tag, slot, an optional upgrade authority


@dataclass(frozen=True, slots=True)
class Watched:
    """An account that is looked at each hour: what it is to its venue, and how it is read."""

    venue: Program
    role: str
    address: str
    read: Callable[[bytes], Details]


def program_data_address(data: bytes) -> str:
    """Return where an upgradeable program's code is kept. Raises :class:`Undecodable` for another kind of account."""
    if len(data) < 36 or data[:4] != _PROGRAM_TAG:
        raise Undecodable("bad_account", f"{len(data)} bytes are no upgradeable program")
    return programs.address(data[4:36])


def program_data(data: bytes) -> Details:
    """Return the slot of the newest deployment, who may upgrade (``None``: nobody), and the digest of the code's head."""
    if len(data) < _CODE_AT or data[:4] != _PROGRAM_DATA_TAG:
        raise Undecodable("bad_account", f"{len(data)} bytes are no program data")
    return {
        "deployed_slot": int.from_bytes(data[4:12], "little"),
        "upgrade_authority": programs.address(data[13:45]) if data[12] else None,
        "head_sha256": sha256(data[_CODE_AT : _CODE_AT + HEAD_BYTES]).hexdigest(),
    }


def _tiers(data: bytes, at: int) -> tuple[list[str], int]:
    """Read ``vec<{threshold u128, lp u64, protocol u64, creator u64}>``, each as "from <threshold>: lp/protocol/creator bps"."""
    count = int.from_bytes(data[at : at + 4], "little")
    start, end = at + 4, at + 4 + 40 * count
    if end > len(data):
        raise Undecodable("bad_account", f"names {count} fee tiers")
    tiers = []
    for place in range(start, end, 40):
        threshold = int.from_bytes(data[place : place + 16], "little")
        fees = (int.from_bytes(data[i : i + 8], "little") for i in range(place + 16, place + 40, 8))
        tiers.append(f"from {threshold}: {'/'.join(map(str, fees))} bps")
    return tiers, end


def _settings(name: str, fields: str, *, ignored: tuple[str, ...] = ()) -> Callable[[bytes], Details]:
    layout = Layout(name, fields, readers={"tiers": _tiers})
    tag, padding = sha256(f"account:{name}".encode()).digest()[:8], bytes(2048)

    def read(data: bytes) -> Details:
        if data[:8] != tag:
            raise Undecodable("bad_account", f"{len(data)} bytes do not begin as a {name}")
        found, left = layout.read(data + padding)
        beyond = data[len(data) + len(padding) - left :]
        details = {field: value for field, value in found.items() if field not in ignored}
        if any(beyond):  # settings that we do not know yet
            details["unknown_bytes"] = len(beyond)
            details["unknown_sha256"] = sha256(beyond).hexdigest()
        return details

    return read


_GLOBAL: Final = _settings(
    "Global",
    "initialized:bool authority:pubkey fee_recipient:pubkey initial_virtual_token_reserves:u64 "
    "initial_virtual_sol_reserves:u64 initial_real_token_reserves:u64 token_total_supply:u64 fee_basis_points:u64 "
    "withdraw_authority:pubkey enable_migrate:bool pool_migration_fee:u64 creator_fee_basis_points:u64 "
    "fee_recipients:pubkey*7 set_creator_authority:pubkey admin_set_creator_authority:pubkey create_v2_enabled:bool "
    "whitelist_pda:pubkey reserved_fee_recipient:pubkey mayhem_mode_enabled:bool reserved_fee_recipients:pubkey*7 "
    "is_cashback_enabled:bool buyback_fee_recipients:pubkey*8 buyback_basis_points:u64 "
    "initial_virtual_quote_reserves:u64 whitelisted_quote_mint:pubkey creator_fee_configurable:bool "
    "max_configurable_creator_fee_bps:u64 holder_reward_claim_authority:pubkey is_holder_reward_enabled:bool "
    "max_curve_depth:u8",
)
_PUMPSWAP_CONFIG: Final = _settings(
    "GlobalConfig",
    "admin:pubkey lp_fee_basis_points:u64 protocol_fee_basis_points:u64 disable_flags:u8 "
    "protocol_fee_recipients:pubkey*8 coin_creator_fee_basis_points:u64 admin_set_coin_creator_authority:pubkey "
    "whitelist_pda:pubkey reserved_fee_recipient:pubkey mayhem_mode_enabled:bool reserved_fee_recipients:pubkey*7 "
    "is_cashback_enabled:bool buyback_fee_recipients:pubkey*8 buyback_basis_points:u64 boost_authority:pubkey "
    "boost_enabled:bool creator_fee_configurable:bool max_configurable_creator_fee_bps:u64",
)
_LAUNCHLAB_CONFIG: Final = _settings(
    "GlobalConfig",
    "epoch:u64 curve_type:u8 index:u16 migrate_fee:u64 trade_fee_rate:u64 max_share_fee_rate:u64 min_base_supply:u64 "
    "max_lock_rate:u64 min_base_sell_rate:u64 min_base_migrate_rate:u64 min_quote_fund_raising:u64 quote_mint:pubkey "
    "protocol_fee_owner:pubkey migrate_fee_owner:pubkey migrate_to_amm_wallet:pubkey migrate_to_cpswap_wallet:pubkey",
    ignored=("epoch",),  # counts on by itself
)
_FEE_CONFIG: Final = _settings(
    "FeeConfig",
    "bump:u8 admin:pubkey flat_lp_bps:u64 flat_protocol_bps:u64 flat_creator_bps:u64 fee_tiers:tiers "
    "stable_fee_tiers:tiers exotic_lp_bps:u64 exotic_protocol_bps:u64 exotic_creator_bps:u64",
)

SETTINGS: Final = (
    Watched(Program.PUMPFUN, "global", "4wTV1YmiEkRvAtNtsSGPtUrqRYQMe5SKy2uB4Jjaxnjf", _GLOBAL),
    Watched(Program.PUMPFUN, "fee_config", "8Wf5TiAheLUqBrKXeYg2JtAFFMWtKdG2BSFgqUcPVwTt", _FEE_CONFIG),
    Watched(Program.PUMPSWAP, "global_config", "ADyA8hdefvWN2dbGGWFotbzWxrAvLW83WG6QCVXvJKqw", _PUMPSWAP_CONFIG),
    Watched(Program.PUMPSWAP, "fee_config", "5PHirr8joyTMp9JMm6nW7hNDVyEYdkzDqazxPD7RaTjx", _FEE_CONFIG),
    Watched(Program.LAUNCHLAB, "global_config", "6s1xP3hpbAfFoNtUNF8mfHsjr2Bd97JxFJRWLbL6aHuX", _LAUNCHLAB_CONFIG),
)
"""The accounts of settings. Pump's programs keep theirs at derived addresses; LaunchLab's is the one for SOL."""

_RECIPIENTS: Final = (
    "fee_recipient",
    "fee_recipients",
    "protocol_fee_recipients",
    "reserved_fee_recipient",
    "reserved_fee_recipients",
    "buyback_fee_recipients",
    "protocol_fee_owner",
)


def recipients(details: Mapping[str, Any]) -> set[str]:
    """Return the addresses to which settings say that fees are paid."""
    found: set[str] = set()
    for name in _RECIPIENTS:
        value = details.get(name, ())
        found.update([value] if isinstance(value, str) else value)
    return found - {programs.ZERO_KEY}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what differs, in words and in the order of the names."""
    told = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, list) and isinstance(new, list):
            told += [f"{name} without {item}" for item in old if item not in new]
            told += [f"{name} with {item}" for item in new if item not in old]
            told += [f"{name} in another order"] if sorted(old) == sorted(new) else []
        else:
            told.append(f"{name} was {_said(old)}, is {_said(new)}")
    return told


def _said(value: object) -> str:
    return "unknown" if value is None else str(value)
