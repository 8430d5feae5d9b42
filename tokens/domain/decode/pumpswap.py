"""Events of PumpSwap, pump.fun's AMM (IDL of October 2026; every older version is a beginning of it).

Its trade events state the vaults *before* the trade. What prices the pool is the vault plus ``virtual_quote_reserves``,
which is signed: a boost adds to it, fees that wait in the vault to be swept are subtracted.
"""

from typing import Any, Final

from tokens.choices import EventKind
from tokens.domain import programs
from tokens.domain.decode.borsh import Layout
from tokens.domain.decode.emissions import Emission, Facts
from tokens.domain.events import BothReserves, Fees, Reserves

Fields = dict[str, Any]

INSTRUCTIONS: Final = (
    "buy sell buy_exact_quote_in buy_v2 sell_v2 buy_exact_quote_in_v2 deposit withdraw create_pool multi_hop_swap "
    "collect_coin_creator_fee init_boost boost_buy_and_burn extend_account"
)
_NAMES_MINTS: Final = frozenset(INSTRUCTIONS.split()[:8])
_BASE_MINT, _QUOTE_MINT = 3, 4  # accounts of all these instructions, in both versions


def _mints(emission: Emission) -> tuple[str | None, str | None]:
    """The events name no mint; the instruction that emitted them does, unless it is a swap over several pools."""
    accounts = emission.accounts
    if accounts is None or emission.instruction not in _NAMES_MINTS or len(accounts) <= _QUOTE_MINT:
        return None, None
    return accounts[_BASE_MINT], accounts[_QUOTE_MINT]


def _buy(fields: Fields, emission: Emission) -> Facts:
    return _trade(fields, emission, EventKind.BUY, fields["quote_amount_in"], fields["base_amount_out"])


def _sell(fields: Fields, emission: Emission) -> Facts:
    return _trade(fields, emission, EventKind.SELL, fields["quote_amount_out"], fields["base_amount_in"])


def _trade(fields: Fields, emission: Emission, kind: EventKind, quote: int, base: int) -> Facts:
    mint, quote_mint = _mints(emission)
    buys = kind is EventKind.BUY
    before = _reserves(fields)
    # The fee of the liquidity providers stays in the pool. The other fees leave it, or (v2 trades, which name nobody to
    # receive the protocol's fee) wait in the vault and are taken off the virtual reserves: the price is the same.
    quote_in = quote + fields["lp_fee"] if buys else fields["lp_fee"] - quote
    base_in = -base if buys else base
    parked = fields["protocol_fee_recipient"] == programs.ZERO_KEY
    return Facts(
        kind,
        mint=mint,
        pool=fields["pool"],
        user=fields["user"],
        quote_mint=quote_mint,
        quote_amount_raw=quote,
        token_amount_raw=base,
        fees=Fees(
            lp=fields["lp_fee"],
            protocol=fields["protocol_fee"],
            creator=fields.get("coin_creator_fee"),
            cashback=fields.get("cashback"),
            buyback=fields.get("buyback_fee"),
            holder_rewards=fields.get("holder_rewards"),
        ),
        reserves=BothReserves(before=before, after=_after(before, quote_in, base_in, parked)),
        block_time=fields["timestamp"],
    )


def _reserves(fields: Fields) -> Reserves:
    base, vault = fields["pool_base_token_reserves"], fields["pool_quote_token_reserves"]
    effective = vault + fields.get("virtual_quote_reserves", 0)
    return Reserves(virtual_quote=effective, virtual_token=base, real_quote=vault, real_token=base)


def _after(before: Reserves, quote_in: int, base_in: int, parked: bool) -> Reserves | None:
    vq, vt, rq = before.virtual_quote, before.virtual_token, before.real_quote
    if vq is None or vt is None or rq is None or vq + quote_in < 0 or vt + base_in < 0:
        return None
    return Reserves(
        virtual_quote=vq + quote_in,
        virtual_token=vt + base_in,
        # How much of the parked fees is still in the vault after the trade, the event does not say.
        real_quote=None if parked or rq + quote_in < 0 else rq + quote_in,
        real_token=vt + base_in,
    )


def _create_pool(fields: Fields, _: Emission) -> Facts:
    base, quote = fields["pool_base_amount"], fields["pool_quote_amount"]
    return Facts(
        EventKind.CREATE_POOL,
        mint=fields["base_mint"],
        pool=fields["pool"],
        user=fields["creator"],
        quote_mint=fields["quote_mint"],
        quote_amount_raw=fields["quote_amount_in"],
        token_amount_raw=fields["base_amount_in"],
        reserves=BothReserves(
            after=Reserves(virtual_quote=quote, virtual_token=base, real_quote=quote, real_token=base)
        ),
        block_time=fields["timestamp"],
    )


def _deposit(fields: Fields, emission: Emission) -> Facts:
    return _liquidity(fields, emission, EventKind.DEPOSIT, fields["quote_amount_in"], fields["base_amount_in"])


def _withdraw(fields: Fields, emission: Emission) -> Facts:
    return _liquidity(fields, emission, EventKind.WITHDRAW, fields["quote_amount_out"], fields["base_amount_out"])


def _liquidity(fields: Fields, emission: Emission, kind: EventKind, quote: int, base: int) -> Facts:
    mint, quote_mint = _mints(emission)
    sign = 1 if kind is EventKind.DEPOSIT else -1
    vault, held = fields["pool_quote_token_reserves"], fields["pool_base_token_reserves"]
    left = vault + sign * quote, held + sign * base
    return Facts(
        kind,
        mint=mint,
        pool=fields["pool"],
        user=fields["user"],
        quote_mint=quote_mint,
        quote_amount_raw=quote,
        token_amount_raw=base,
        reserves=BothReserves(  # these events do not say how much of the quote side is virtual
            before=Reserves(real_quote=vault, real_token=held, virtual_token=held),
            after=Reserves(real_quote=left[0], real_token=left[1], virtual_token=left[1]) if min(left) >= 0 else None,
        ),
        block_time=fields["timestamp"],
    )


def _boost(fields: Fields, _: Emission) -> Facts:
    vault, base = fields["real_quote_reserves_after"], fields.get("base_reserves_after")
    return Facts(
        EventKind.RESERVES,
        mint=fields["mint"],
        pool=fields["pool"],
        user=fields.get("authority"),
        quote_amount_raw=fields.get("quote_amount_in_used"),
        token_amount_raw=fields.get("base_amount_burned"),
        reserves=BothReserves(
            after=Reserves(
                virtual_quote=vault + fields["virtual_quote_reserves"],
                virtual_token=base,
                real_quote=vault,
                real_token=base,
            )
        ),
        block_time=fields["timestamp"],
    )


def _creator_fee(fields: Fields, _: Emission) -> Facts:
    return Facts(
        EventKind.CREATOR_FEE,
        user=fields["coin_creator"],
        quote_amount_raw=fields["coin_creator_fee"],
        block_time=fields["timestamp"],
    )


def _sweep(fields: Fields, _: Emission) -> Facts:
    return Facts(
        EventKind.SWEEP_FEE,
        mint=fields["base_mint"],
        pool=fields["pool"],
        user=fields["recipient"],
        quote_mint=fields["quote_mint"],
        quote_amount_raw=fields["amount"],
        block_time=fields["timestamp"],
    )


def _creator(fields: Fields, _: Emission) -> Facts:
    return Facts(
        EventKind.CREATOR,
        mint=fields["base_mint"],
        pool=fields["pool"],
        user=fields.get("new_coin_creator", fields.get("coin_creator")),
        block_time=fields["timestamp"],
    )


def _other(fields: Fields, _: Emission) -> Facts:
    return Facts(EventKind.OTHER, mint=fields.get("mint"), user=fields.get("user"), block_time=fields.get("timestamp"))


_TRADER = (
    "pool:pubkey user:pubkey user_base_token_account:pubkey user_quote_token_account:pubkey "
    "protocol_fee_recipient:pubkey protocol_fee_recipient_token_account:pubkey coin_creator:pubkey "
    "coin_creator_fee_basis_points:u64 coin_creator_fee:u64 "
)
_POOL_BEFORE = (
    "user_base_token_reserves:u64 user_quote_token_reserves:u64 pool_base_token_reserves:u64 "
    "pool_quote_token_reserves:u64 "
)
_NEWER = (
    "cashback_fee_basis_points:u64 cashback:u64 buyback_fee_basis_points:u64 buyback_fee:u64 "
    "virtual_quote_reserves:i128 can_boost:bool base_supply:u64 holder_rewards_bps:u64 holder_rewards:u64 "
    "creator_fee_unclaimed:u64"
)
_LIQUIDITY = (
    "lp_mint_supply:u64 pool:pubkey user:pubkey user_base_token_account:pubkey user_quote_token_account:pubkey "
    "user_pool_token_account:pubkey"
)
_CONFIG = (
    "timestamp:i64 admin:pubkey lp_fee_basis_points:u64 protocol_fee_basis_points:u64 "
    "protocol_fee_recipients:pubkey*8 coin_creator_fee_basis_points:u64 admin_set_coin_creator_authority:pubkey"
)

EVENTS: Final = (
    (
        Layout(
            "BuyEvent",
            f"timestamp:i64 base_amount_out:u64 max_quote_amount_in:u64 {_POOL_BEFORE} quote_amount_in:u64 "
            "lp_fee_basis_points:u64 lp_fee:u64 protocol_fee_basis_points:u64 protocol_fee:u64 "
            f"quote_amount_in_with_lp_fee:u64 user_quote_amount_in:u64 {_TRADER} track_volume:bool "
            "total_unclaimed_tokens:u64 total_claimed_tokens:u64 current_sol_volume:u64 last_update_timestamp:i64 "
            f"min_base_amount_out:u64 ix_name:string {_NEWER}",
            required=20,
        ),
        _buy,
    ),
    (
        Layout(
            "SellEvent",
            f"timestamp:i64 base_amount_in:u64 min_quote_amount_out:u64 {_POOL_BEFORE} quote_amount_out:u64 "
            "lp_fee_basis_points:u64 lp_fee:u64 protocol_fee_basis_points:u64 protocol_fee:u64 "
            f"quote_amount_out_without_lp_fee:u64 user_quote_amount_out:u64 {_TRADER} {_NEWER}",
            required=20,
        ),
        _sell,
    ),
    (
        Layout(
            "CreatePoolEvent",
            "timestamp:i64 index:u16 creator:pubkey base_mint:pubkey quote_mint:pubkey base_mint_decimals:u8 "
            "quote_mint_decimals:u8 base_amount_in:u64 quote_amount_in:u64 pool_base_amount:u64 pool_quote_amount:u64 "
            "minimum_liquidity:u64 initial_liquidity:u64 lp_token_amount_out:u64 pool_bump:u8 pool:pubkey lp_mint:pubkey "
            "user_base_token_account:pubkey user_quote_token_account:pubkey coin_creator:pubkey is_mayhem_mode:bool "
            "creator_fee_bps:u64 can_edit_creator_fee:bool is_holder_reward:bool",
            required=19,
        ),
        _create_pool,
    ),
    (
        Layout(
            "DepositEvent",
            f"timestamp:i64 lp_token_amount_out:u64 max_base_amount_in:u64 max_quote_amount_in:u64 {_POOL_BEFORE} "
            f"base_amount_in:u64 quote_amount_in:u64 {_LIQUIDITY}",
        ),
        _deposit,
    ),
    (
        Layout(
            "WithdrawEvent",
            f"timestamp:i64 lp_token_amount_in:u64 min_base_amount_out:u64 min_quote_amount_out:u64 {_POOL_BEFORE} "
            f"base_amount_out:u64 quote_amount_out:u64 {_LIQUIDITY}",
        ),
        _withdraw,
    ),
    (
        Layout(
            "InitBoostEvent",
            "timestamp:i64 mint:pubkey bonding_curve:pubkey pool:pubkey virtual_quote_reserves:i128 "
            "real_quote_reserves_after:u64",
        ),
        _boost,
    ),
    (
        Layout(
            "BoostBuyAndBurnEvent",
            "timestamp:i64 mint:pubkey bonding_curve:pubkey pool:pubkey authority:pubkey quote_amount_in_requested:u64 "
            "quote_amount_in_used:u64 base_amount_burned:u64 virtual_quote_reserves:i128 real_quote_reserves_after:u64 "
            "base_reserves_after:u64 boost_vault_remaining:u64",
        ),
        _boost,
    ),
    (
        Layout(
            "SweepPoolFeeEvent",
            "timestamp:i64 pool:pubkey base_mint:pubkey quote_mint:pubkey recipient:pubkey payer:pubkey amount:u64 "
            "bucket:u8",
        ),
        _sweep,
    ),
    (
        Layout(
            "CollectCoinCreatorFeeEvent",
            "timestamp:i64 coin_creator:pubkey coin_creator_fee:u64 coin_creator_vault_ata:pubkey "
            "coin_creator_token_account:pubkey",
        ),
        _creator_fee,
    ),
    (
        Layout(
            "AdminCtoPoolEvent",
            "timestamp:i64 base_mint:pubkey pool:pubkey old_coin_creator:pubkey new_coin_creator:pubkey "
            "is_holder_reward:bool is_cashback_coin:bool old_creator_fee_bps:u64 new_creator_fee_bps:u64",
        ),
        _creator,
    ),
    (
        Layout(
            "AdminSetCoinCreatorEvent",
            "timestamp:i64 admin_set_coin_creator_authority:pubkey base_mint:pubkey pool:pubkey "
            "old_coin_creator:pubkey new_coin_creator:pubkey",
        ),
        _creator,
    ),
    (
        Layout(
            "SetBondingCurveCoinCreatorEvent",
            "timestamp:i64 base_mint:pubkey pool:pubkey bonding_curve:pubkey coin_creator:pubkey",
        ),
        _creator,
    ),
    (
        Layout(
            "SetMetaplexCoinCreatorEvent",
            "timestamp:i64 base_mint:pubkey pool:pubkey metadata:pubkey coin_creator:pubkey",
        ),
        _creator,
    ),
    (
        Layout(
            "MigratePoolCoinCreatorEvent",
            "timestamp:i64 base_mint:pubkey pool:pubkey sharing_config:pubkey old_coin_creator:pubkey "
            "new_coin_creator:pubkey",
        ),
        _creator,
    ),
    (
        Layout(
            "AdminUpdateTokenIncentivesEvent",
            "start_time:i64 end_time:i64 day_number:u64 token_supply_per_day:u64 mint:pubkey seconds_in_a_day:i64 "
            "timestamp:i64",
            required=4,
        ),
        _other,
    ),
    (
        Layout(
            "ClaimCashbackEvent", "user:pubkey amount:u64 timestamp:i64 total_claimed:u64 total_cashback_earned:u64"
        ),
        _other,
    ),
    (
        Layout(
            "ClaimTokenIncentivesEvent",
            "user:pubkey mint:pubkey amount:u64 timestamp:i64 total_claimed_tokens:u64 current_sol_volume:u64",
            required=3,
        ),
        _other,
    ),
    (
        Layout(
            "CloseUserVolumeAccumulatorEvent",
            "user:pubkey timestamp:i64 total_unclaimed_tokens:u64 total_claimed_tokens:u64 current_sol_volume:u64 "
            "last_update_timestamp:i64",
            required=2,
        ),
        _other,
    ),
    (Layout("CreateConfigEvent", _CONFIG, required=5), _other),
    (
        Layout(
            "DisableEvent",
            "timestamp:i64 admin:pubkey disable_create_pool:bool disable_deposit:bool disable_withdraw:bool "
            "disable_buy:bool disable_sell:bool",
        ),
        _other,
    ),
    (
        Layout("ExtendAccountEvent", "timestamp:i64 account:pubkey user:pubkey current_size:u64 new_size:u64"),
        _other,
    ),
    (Layout("InitUserVolumeAccumulatorEvent", "payer:pubkey user:pubkey timestamp:i64"), _other),
    (
        Layout(
            "ReservedFeeRecipientsEvent",
            "timestamp:i64 reserved_fee_recipient:pubkey reserved_fee_recipients:pubkey*7",
        ),
        _other,
    ),
    (
        Layout(
            "SyncUserVolumeAccumulatorEvent",
            "user:pubkey total_claimed_tokens_before:u64 total_claimed_tokens_after:u64 timestamp:i64",
            required=3,
        ),
        _other,
    ),
    (Layout("UpdateAdminEvent", "timestamp:i64 admin:pubkey new_admin:pubkey"), _other),
    (Layout("UpdateFeeConfigEvent", _CONFIG, required=5), _other),
)
