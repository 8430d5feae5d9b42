"""Events of the pump.fun curve program (IDL of October 2026; every older version is a beginning of it)."""

from typing import Any, Final

from tokens.choices import EventKind
from tokens.domain import programs
from tokens.domain.decode.borsh import Layout
from tokens.domain.decode.emissions import Emission, Facts
from tokens.domain.decode.results import Undecodable
from tokens.domain.events import BothReserves, Fees, Reserves

Fields = dict[str, Any]

INSTRUCTIONS: Final = (
    "create create_v2 buy sell buy_exact_sol_in buy_v2 sell_v2 buy_exact_quote_in_v2 buy_v3 sell_v3 "
    "buy_exact_quote_in_v3 multi_hop_curve_swap migrate migrate_v2 withdraw collect_creator_fee collect_creator_fee_v2 "
    "distribute_creator_fees distribute_creator_fees_v2 distribute_fee_to_holders sweep_protocol_fee sweep_creator_fee "
    "extend_account set_creator set_metaplex_creator admin_cto claim_cashback claim_cashback_v2 "
    "migrate_bonding_curve_creator set_mayhem_virtual_params set_virtual_quote_reserves set_params"
)


def quote(fields: Fields) -> str:
    """Return the quote mint; native SOL (the zero key, or a layout from before other quotes) is wrapped SOL."""
    mint: str = fields.get("quote_mint", programs.ZERO_KEY)
    return programs.WRAPPED_SOL if mint == programs.ZERO_KEY else mint


def _trade(fields: Fields, _: Emission) -> Facts:
    # Coins quoted in something else than SOL have zeros in the sol_* fields; SOL coins repeat theirs in quote_*.
    unit = "quote" if "real_quote_reserves" in fields else "sol"
    paid, got = fields[f"{unit}_amount"], fields["token_amount"]
    after = Reserves(
        virtual_quote=fields[f"virtual_{unit}_reserves"],
        virtual_token=fields["virtual_token_reserves"],
        real_quote=fields.get(f"real_{unit}_reserves"),  # the first layout of 2024 had no real reserves
        real_token=fields.get("real_token_reserves"),
    )
    buys = fields["is_buy"]
    return Facts(
        EventKind.BUY if buys else EventKind.SELL,
        mint=fields["mint"],
        pool=programs.bonding_curve(fields["mint"]),
        user=fields["user"],
        quote_mint=quote(fields),
        quote_amount_raw=paid,
        token_amount_raw=got,
        fees=_fees(fields),
        reserves=BothReserves(before=_before(after, paid if buys else -paid, -got if buys else got), after=after),
        block_time=fields["timestamp"],
    )


def _before(after: Reserves, quote_in: int, token_in: int) -> Reserves | None:
    """Undo a trade; ``None`` if that would leave less than nothing (bytes that no chain wrote)."""
    moved = (quote_in, token_in, quote_in, token_in)
    held = (after.virtual_quote, after.virtual_token, after.real_quote, after.real_token)
    was = [None if amount is None else amount - change for amount, change in zip(held, moved, strict=True)]
    if any(amount is not None and amount < 0 for amount in was):
        return None
    return Reserves(virtual_quote=was[0], virtual_token=was[1], real_quote=was[2], real_token=was[3])


def _fees(fields: Fields) -> Fees:
    get = fields.get
    return Fees(
        protocol=get("fee"),
        creator=get("creator_fee"),
        cashback=get("cashback"),
        buyback=get("buyback_fee"),
        holder_rewards=get("holder_rewards"),
    )


def _create(fields: Fields, _: Emission) -> Facts:
    after = None
    if "real_token_reserves" in fields:
        sol = fields["virtual_sol_reserves"]
        after = Reserves(
            virtual_quote=fields.get("virtual_quote_reserves", sol),
            virtual_token=fields["virtual_token_reserves"],
            real_quote=0,
            real_token=fields["real_token_reserves"],
        )
    return Facts(
        EventKind.CREATE,
        mint=fields["mint"],
        pool=fields["bonding_curve"],
        user=fields["user"],
        quote_mint=quote(fields),
        reserves=BothReserves(after=after),
        block_time=fields.get("timestamp"),
    )


def _complete(fields: Fields, _: Emission) -> Facts:
    return Facts(
        EventKind.COMPLETE,
        mint=fields["mint"],
        pool=fields["bonding_curve"],
        user=fields["user"],
        quote_mint=quote(fields),
        block_time=fields["timestamp"],
    )


def _post_complete_buy(fields: Fields, _: Emission) -> Facts:
    # The part of a completing buy that the graduated pool, which does not exist yet, would have filled. The curve pays
    # it out, and the migration then opens the pool with the reserves that are left.
    quote_mint = quote(fields)
    before, after = (
        Reserves(virtual_quote=q, virtual_token=b, real_quote=q, real_token=b)
        for q, b in (
            (fields[f"pool_quote_reserves_{when}"], fields[f"pool_base_reserves_{when}"]) for when in ("before", "after")
        )
    )
    paid = fields["quote_in"] - fields["fee"] - fields["creator_fee"]  # quote_in includes this part's fees
    if paid < 0:
        raise Undecodable("bad_event", "PostCompleteBuyEvent has fees above what was paid")
    return Facts(
        EventKind.BUY,
        mint=fields["mint"],
        pool=programs.graduated_pool(fields["mint"], quote_mint),
        user=fields["user"],
        quote_mint=quote_mint,
        quote_amount_raw=paid,
        token_amount_raw=fields["base_out"],
        fees=Fees(protocol=fields["fee"], creator=fields["creator_fee"], buyback=fields["buyback_fee"]),
        reserves=BothReserves(before=before, after=after),
        block_time=fields["timestamp"],
    )


def _migrate(fields: Fields, _: Emission) -> Facts:
    fields["destination"] = "pumpswap"
    return Facts(
        EventKind.MIGRATE,
        mint=fields["mint"],
        pool=fields["bonding_curve"],
        user=fields["user"],
        quote_mint=quote(fields),
        quote_amount_raw=fields["sol_amount"],  # in quote units, whatever its name says
        token_amount_raw=fields["mint_amount"],
        block_time=fields["timestamp"],
    )


def _reserves(fields: Fields, _: Emission) -> Facts:
    before, after = (
        Reserves(
            virtual_quote=fields[f"{new}virtual_sol_reserves"],
            virtual_token=fields[f"{new}virtual_token_reserves"],
            real_quote=fields["real_sol_reserves"],
            real_token=fields["real_token_reserves"],
        )
        for new in ("", "new_")
    )
    return Facts(
        EventKind.RESERVES,
        mint=fields["mint"],
        pool=programs.bonding_curve(fields["mint"]),
        reserves=BothReserves(before=before, after=after),
        block_time=fields["timestamp"],
    )


def _creator_fee(fields: Fields, _: Emission) -> Facts:
    amount = next(fields[name] for name in ("creator_fee", "distributed", "total") if name in fields)
    return Facts(
        EventKind.CREATOR_FEE,
        mint=fields.get("mint"),
        pool=fields.get("bonding_curve"),
        user=fields.get("creator"),
        quote_mint=quote(fields),
        quote_amount_raw=amount,
        block_time=fields["timestamp"],
    )


def _sweep(fields: Fields, _: Emission) -> Facts:
    return Facts(
        EventKind.SWEEP_FEE,
        mint=fields["mint"],
        pool=fields["bonding_curve"],
        user=fields["recipient"],
        quote_mint=quote(fields),
        quote_amount_raw=fields["amount"],
        block_time=fields["timestamp"],
    )


def _creator(fields: Fields, _: Emission) -> Facts:
    return Facts(
        EventKind.CREATOR,
        mint=fields.get("mint"),
        pool=fields.get("bonding_curve"),
        user=fields.get("new_creator", fields.get("creator")),
        block_time=fields["timestamp"],
    )


def _other(fields: Fields, _: Emission) -> Facts:
    return Facts(
        EventKind.OTHER, mint=fields.get("mint"), user=fields.get("user"), block_time=fields.get("timestamp")
    )


EVENTS: Final = (
    (
        Layout(
            "TradeEvent",
            "mint:pubkey sol_amount:u64 token_amount:u64 is_buy:bool user:pubkey timestamp:i64 virtual_sol_reserves:u64 "
            "virtual_token_reserves:u64 real_sol_reserves:u64 real_token_reserves:u64 fee_recipient:pubkey "
            "fee_basis_points:u64 fee:u64 creator:pubkey creator_fee_basis_points:u64 creator_fee:u64 track_volume:bool "
            "total_unclaimed_tokens:u64 total_claimed_tokens:u64 current_sol_volume:u64 last_update_timestamp:i64 "
            "ix_name:string mayhem_mode:bool cashback_fee_basis_points:u64 cashback:u64 buyback_fee_basis_points:u64 "
            "buyback_fee:u64 shareholders:shareholders quote_mint:pubkey quote_amount:u64 virtual_quote_reserves:u64 "
            "real_quote_reserves:u64 holder_rewards_bps:u64 holder_rewards:u64 creator_fee_unclaimed:u64",
            required=8,
        ),
        _trade,
    ),
    (
        Layout(
            "CreateEvent",
            "name:string symbol:string uri:string mint:pubkey bonding_curve:pubkey user:pubkey creator:pubkey "
            "timestamp:i64 virtual_token_reserves:u64 virtual_sol_reserves:u64 real_token_reserves:u64 "
            "token_total_supply:u64 token_program:pubkey is_mayhem_mode:bool is_cashback_enabled:bool quote_mint:pubkey "
            "virtual_quote_reserves:u64 creator_fee_bps:u64 is_holder_reward:bool depth:u8",
            required=6,
        ),
        _create,
    ),
    (
        Layout(
            "CompleteEvent",
            "user:pubkey mint:pubkey bonding_curve:pubkey timestamp:i64 quote_mint:pubkey",
            required=4,
        ),
        _complete,
    ),
    (
        Layout(
            "PostCompleteBuyEvent",
            "user:pubkey mint:pubkey bonding_curve:pubkey quote_mint:pubkey timestamp:i64 base_out:u64 quote_in:u64 "
            "fee_basis_points:u64 fee:u64 creator_fee_basis_points:u64 creator_fee:u64 buyback_fee:u64 "
            "pool_base_reserves_before:u64 pool_quote_reserves_before:u64 pool_base_reserves_after:u64 "
            "pool_quote_reserves_after:u64",
        ),
        _post_complete_buy,
    ),
    (
        Layout(
            "CompletePumpAmmMigrationEvent",
            "user:pubkey mint:pubkey mint_amount:u64 sol_amount:u64 pool_migration_fee:u64 bonding_curve:pubkey "
            "timestamp:i64 pool:pubkey quote_mint:pubkey",
            required=8,
        ),
        _migrate,
    ),
    (
        Layout(
            "UpdateMayhemVirtualParamsEvent",
            "timestamp:i64 mint:pubkey virtual_token_reserves:u64 virtual_sol_reserves:u64 "
            "new_virtual_token_reserves:u64 new_virtual_sol_reserves:u64 real_token_reserves:u64 real_sol_reserves:u64",
        ),
        _reserves,
    ),
    (
        Layout("CollectCreatorFeeEvent", "timestamp:i64 creator:pubkey creator_fee:u64 quote_mint:pubkey", required=3),
        _creator_fee,
    ),
    (
        Layout(
            "DistributeCreatorFeesEvent",
            "timestamp:i64 mint:pubkey bonding_curve:pubkey sharing_config:pubkey admin:pubkey "
            "shareholders:shareholders distributed:u64 quote_mint:pubkey",
            required=7,
        ),
        _creator_fee,
    ),
    (
        Layout("DistributeFeeToHoldersEvent", "timestamp:i64 mint:pubkey quote_mint:pubkey recipients:u64 total:u64"),
        _creator_fee,
    ),
    (
        Layout(
            "SweepBondingCurveFeeEvent",
            "timestamp:i64 mint:pubkey bonding_curve:pubkey quote_mint:pubkey recipient:pubkey amount:u64 bucket:u8",
        ),
        _sweep,
    ),
    (Layout("SetCreatorEvent", "timestamp:i64 mint:pubkey bonding_curve:pubkey creator:pubkey"), _creator),
    (
        Layout(
            "SetMetaplexCreatorEvent", "timestamp:i64 mint:pubkey bonding_curve:pubkey metadata:pubkey creator:pubkey"
        ),
        _creator,
    ),
    (
        Layout(
            "AdminSetCreatorEvent",
            "timestamp:i64 admin_set_creator_authority:pubkey mint:pubkey bonding_curve:pubkey old_creator:pubkey "
            "new_creator:pubkey",
        ),
        _creator,
    ),
    (
        Layout(
            "AdminCtoEvent",
            "timestamp:i64 authority:pubkey mint:pubkey bonding_curve:pubkey old_creator:pubkey new_creator:pubkey "
            "is_holder_reward:bool is_cashback_coin:bool old_creator_fee_bps:u64 new_creator_fee_bps:u64 "
            "sharing_config_reset:bool swept_to_holder_vault:u64 pool_updated:bool",
        ),
        _creator,
    ),
    (
        Layout(
            "MigrateBondingCurveCreatorEvent",
            "timestamp:i64 mint:pubkey bonding_curve:pubkey sharing_config:pubkey old_creator:pubkey new_creator:pubkey",
        ),
        _creator,
    ),
    (
        Layout(
            "UpdateCreatorFeeConfigEvent",
            "timestamp:i64 authority:pubkey creator_fee_configurable:bool max_configurable_creator_fee_bps:u64",
        ),
        _creator,
    ),
    (
        Layout("ExtendAccountEvent", "account:pubkey user:pubkey current_size:u64 new_size:u64 timestamp:i64"),
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
            "SetParamsEvent",
            "initial_virtual_token_reserves:u64 initial_virtual_sol_reserves:u64 initial_real_token_reserves:u64 "
            "final_real_sol_reserves:u64 token_total_supply:u64 fee_basis_points:u64 withdraw_authority:pubkey "
            "enable_migrate:bool pool_migration_fee:u64 creator_fee_basis_points:u64 fee_recipients:pubkey*8 "
            "timestamp:i64 set_creator_authority:pubkey admin_set_creator_authority:pubkey",
            required=12,
        ),
        _other,
    ),
    (
        Layout(
            "AddQuoteControlMintEvent",
            "quote_control:pubkey authority:pubkey quote_mint:pubkey initial_virtual_quote_reserves:u64 timestamp:i64",
        ),
        _other,
    ),
    (
        Layout(
            "SetQuoteControlMintReservesEvent",
            "quote_control:pubkey authority:pubkey quote_mint:pubkey old_initial_virtual_quote_reserves:u64 "
            "new_initial_virtual_quote_reserves:u64 timestamp:i64",
        ),
        _other,
    ),
    (Layout("AdminSetIdlAuthorityEvent", "idl_authority:pubkey"), _other),
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
            "CloseUserVolumeAccumulatorEvent",
            "user:pubkey timestamp:i64 total_unclaimed_tokens:u64 total_claimed_tokens:u64 current_sol_volume:u64 "
            "last_update_timestamp:i64",
            required=2,
        ),
        _other,
    ),
    (Layout("InitUserVolumeAccumulatorEvent", "payer:pubkey user:pubkey timestamp:i64"), _other),
    (
        Layout("MinimumDistributableFeeEvent", "minimum_required:u64 distributable_fees:u64 can_distribute:bool"),
        _other,
    ),
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
    (Layout("UpdateGlobalAuthorityEvent", "global:pubkey authority:pubkey new_authority:pubkey timestamp:i64"), _other),
)
