"""The fields of every event, as text; each IDL version before October 2026 is a beginning of these.

A layout is a line with the event's name, the number of fields that its oldest version had (none: all of them), and a
colon; the lines below it are its fields, ``name:type``, in Borsh order. Source: the programs' IDLs and documents.
"""

import re
from collections.abc import Iterator
from typing import Final

from tokens.domain.decode.borsh import Layout

PUMPFUN: Final = """
TradeEvent 8:
    mint:pubkey sol_amount:u64 token_amount:u64 is_buy:bool user:pubkey timestamp:i64 virtual_sol_reserves:u64
    virtual_token_reserves:u64 real_sol_reserves:u64 real_token_reserves:u64 fee_recipient:pubkey
    fee_basis_points:u64 fee:u64 creator:pubkey creator_fee_basis_points:u64 creator_fee:u64 track_volume:bool
    total_unclaimed_tokens:u64 total_claimed_tokens:u64 current_sol_volume:u64 last_update_timestamp:i64
    ix_name:string mayhem_mode:bool cashback_fee_basis_points:u64 cashback:u64 buyback_fee_basis_points:u64
    buyback_fee:u64 shareholders:shareholders quote_mint:pubkey quote_amount:u64 virtual_quote_reserves:u64
    real_quote_reserves:u64 holder_rewards_bps:u64 holder_rewards:u64 creator_fee_unclaimed:u64
CreateEvent 6:
    name:string symbol:string uri:string mint:pubkey bonding_curve:pubkey user:pubkey creator:pubkey timestamp:i64
    virtual_token_reserves:u64 virtual_sol_reserves:u64 real_token_reserves:u64 token_total_supply:u64
    token_program:pubkey is_mayhem_mode:bool is_cashback_enabled:bool quote_mint:pubkey virtual_quote_reserves:u64
    creator_fee_bps:u64 is_holder_reward:bool depth:u8
CompleteEvent 4:
    user:pubkey mint:pubkey bonding_curve:pubkey timestamp:i64 quote_mint:pubkey
PostCompleteBuyEvent:
    user:pubkey mint:pubkey bonding_curve:pubkey quote_mint:pubkey timestamp:i64 base_out:u64 quote_in:u64
    fee_basis_points:u64 fee:u64 creator_fee_basis_points:u64 creator_fee:u64 buyback_fee:u64
    pool_base_reserves_before:u64 pool_quote_reserves_before:u64 pool_base_reserves_after:u64
    pool_quote_reserves_after:u64
CompletePumpAmmMigrationEvent 8:
    user:pubkey mint:pubkey mint_amount:u64 sol_amount:u64 pool_migration_fee:u64 bonding_curve:pubkey timestamp:i64
    pool:pubkey quote_mint:pubkey
UpdateMayhemVirtualParamsEvent:
    timestamp:i64 mint:pubkey virtual_token_reserves:u64 virtual_sol_reserves:u64 new_virtual_token_reserves:u64
    new_virtual_sol_reserves:u64 real_token_reserves:u64 real_sol_reserves:u64
CollectCreatorFeeEvent 3:
    timestamp:i64 creator:pubkey creator_fee:u64 quote_mint:pubkey
DistributeCreatorFeesEvent 7:
    timestamp:i64 mint:pubkey bonding_curve:pubkey sharing_config:pubkey admin:pubkey shareholders:shareholders
    distributed:u64 quote_mint:pubkey
DistributeFeeToHoldersEvent:
    timestamp:i64 mint:pubkey quote_mint:pubkey recipients:u64 total:u64
SweepBondingCurveFeeEvent:
    timestamp:i64 mint:pubkey bonding_curve:pubkey quote_mint:pubkey recipient:pubkey amount:u64 bucket:u8
SetCreatorEvent:
    timestamp:i64 mint:pubkey bonding_curve:pubkey creator:pubkey
SetMetaplexCreatorEvent:
    timestamp:i64 mint:pubkey bonding_curve:pubkey metadata:pubkey creator:pubkey
AdminSetCreatorEvent:
    timestamp:i64 admin_set_creator_authority:pubkey mint:pubkey bonding_curve:pubkey old_creator:pubkey
    new_creator:pubkey
AdminCtoEvent:
    timestamp:i64 authority:pubkey mint:pubkey bonding_curve:pubkey old_creator:pubkey new_creator:pubkey
    is_holder_reward:bool is_cashback_coin:bool old_creator_fee_bps:u64 new_creator_fee_bps:u64
    sharing_config_reset:bool swept_to_holder_vault:u64 pool_updated:bool
MigrateBondingCurveCreatorEvent:
    timestamp:i64 mint:pubkey bonding_curve:pubkey sharing_config:pubkey old_creator:pubkey new_creator:pubkey
UpdateCreatorFeeConfigEvent:
    timestamp:i64 authority:pubkey creator_fee_configurable:bool max_configurable_creator_fee_bps:u64
ExtendAccountEvent:
    account:pubkey user:pubkey current_size:u64 new_size:u64 timestamp:i64
ClaimCashbackEvent:
    user:pubkey amount:u64 timestamp:i64 total_claimed:u64 total_cashback_earned:u64
ClaimTokenIncentivesEvent 3:
    user:pubkey mint:pubkey amount:u64 timestamp:i64 total_claimed_tokens:u64 current_sol_volume:u64
SetParamsEvent 12:
    initial_virtual_token_reserves:u64 initial_virtual_sol_reserves:u64 initial_real_token_reserves:u64
    final_real_sol_reserves:u64 token_total_supply:u64 fee_basis_points:u64 withdraw_authority:pubkey
    enable_migrate:bool pool_migration_fee:u64 creator_fee_basis_points:u64 fee_recipients:pubkey*8 timestamp:i64
    set_creator_authority:pubkey admin_set_creator_authority:pubkey
AddQuoteControlMintEvent:
    quote_control:pubkey authority:pubkey quote_mint:pubkey initial_virtual_quote_reserves:u64 timestamp:i64
SetQuoteControlMintReservesEvent:
    quote_control:pubkey authority:pubkey quote_mint:pubkey old_initial_virtual_quote_reserves:u64
    new_initial_virtual_quote_reserves:u64 timestamp:i64
RemoveQuoteControlMintEvent:
    quote_control:pubkey authority:pubkey quote_mint:pubkey timestamp:i64
SetQuoteControlAdminEvent:
    quote_control:pubkey authority:pubkey old_admin:pubkey new_admin:pubkey timestamp:i64
SetQuoteControlReservesAdminEvent:
    quote_control:pubkey authority:pubkey old_reserves_admin:pubkey new_reserves_admin:pubkey timestamp:i64
AdminSetIdlAuthorityEvent:
    idl_authority:pubkey
AdminUpdateTokenIncentivesEvent 4:
    start_time:i64 end_time:i64 day_number:u64 token_supply_per_day:u64 mint:pubkey seconds_in_a_day:i64
    timestamp:i64
CloseUserVolumeAccumulatorEvent 2:
    user:pubkey timestamp:i64 total_unclaimed_tokens:u64 total_claimed_tokens:u64 current_sol_volume:u64
    last_update_timestamp:i64
InitUserVolumeAccumulatorEvent:
    payer:pubkey user:pubkey timestamp:i64
MinimumDistributableFeeEvent:
    minimum_required:u64 distributable_fees:u64 can_distribute:bool
ReservedFeeRecipientsEvent:
    timestamp:i64 reserved_fee_recipient:pubkey reserved_fee_recipients:pubkey*7
SyncUserVolumeAccumulatorEvent 3:
    user:pubkey total_claimed_tokens_before:u64 total_claimed_tokens_after:u64 timestamp:i64
UpdateGlobalAuthorityEvent:
    global:pubkey authority:pubkey new_authority:pubkey timestamp:i64
"""

PUMPSWAP: Final = """
BuyEvent 20:
    timestamp:i64 base_amount_out:u64 max_quote_amount_in:u64 user_base_token_reserves:u64
    user_quote_token_reserves:u64 pool_base_token_reserves:u64 pool_quote_token_reserves:u64 quote_amount_in:u64
    lp_fee_basis_points:u64 lp_fee:u64 protocol_fee_basis_points:u64 protocol_fee:u64
    quote_amount_in_with_lp_fee:u64 user_quote_amount_in:u64 pool:pubkey user:pubkey user_base_token_account:pubkey
    user_quote_token_account:pubkey protocol_fee_recipient:pubkey protocol_fee_recipient_token_account:pubkey
    coin_creator:pubkey coin_creator_fee_basis_points:u64 coin_creator_fee:u64 track_volume:bool
    total_unclaimed_tokens:u64 total_claimed_tokens:u64 current_sol_volume:u64 last_update_timestamp:i64
    min_base_amount_out:u64 ix_name:string cashback_fee_basis_points:u64 cashback:u64 buyback_fee_basis_points:u64
    buyback_fee:u64 virtual_quote_reserves:i128 can_boost:bool base_supply:u64 holder_rewards_bps:u64
    holder_rewards:u64 creator_fee_unclaimed:u64
SellEvent 20:
    timestamp:i64 base_amount_in:u64 min_quote_amount_out:u64 user_base_token_reserves:u64
    user_quote_token_reserves:u64 pool_base_token_reserves:u64 pool_quote_token_reserves:u64 quote_amount_out:u64
    lp_fee_basis_points:u64 lp_fee:u64 protocol_fee_basis_points:u64 protocol_fee:u64
    quote_amount_out_without_lp_fee:u64 user_quote_amount_out:u64 pool:pubkey user:pubkey
    user_base_token_account:pubkey user_quote_token_account:pubkey protocol_fee_recipient:pubkey
    protocol_fee_recipient_token_account:pubkey coin_creator:pubkey coin_creator_fee_basis_points:u64
    coin_creator_fee:u64 cashback_fee_basis_points:u64 cashback:u64 buyback_fee_basis_points:u64 buyback_fee:u64
    virtual_quote_reserves:i128 can_boost:bool base_supply:u64 holder_rewards_bps:u64 holder_rewards:u64
    creator_fee_unclaimed:u64
CreatePoolEvent 19:
    timestamp:i64 index:u16 creator:pubkey base_mint:pubkey quote_mint:pubkey base_mint_decimals:u8
    quote_mint_decimals:u8 base_amount_in:u64 quote_amount_in:u64 pool_base_amount:u64 pool_quote_amount:u64
    minimum_liquidity:u64 initial_liquidity:u64 lp_token_amount_out:u64 pool_bump:u8 pool:pubkey lp_mint:pubkey
    user_base_token_account:pubkey user_quote_token_account:pubkey coin_creator:pubkey is_mayhem_mode:bool
    creator_fee_bps:u64 can_edit_creator_fee:bool is_holder_reward:bool
DepositEvent:
    timestamp:i64 lp_token_amount_out:u64 max_base_amount_in:u64 max_quote_amount_in:u64
    user_base_token_reserves:u64 user_quote_token_reserves:u64 pool_base_token_reserves:u64
    pool_quote_token_reserves:u64 base_amount_in:u64 quote_amount_in:u64 lp_mint_supply:u64 pool:pubkey user:pubkey
    user_base_token_account:pubkey user_quote_token_account:pubkey user_pool_token_account:pubkey
WithdrawEvent:
    timestamp:i64 lp_token_amount_in:u64 min_base_amount_out:u64 min_quote_amount_out:u64
    user_base_token_reserves:u64 user_quote_token_reserves:u64 pool_base_token_reserves:u64
    pool_quote_token_reserves:u64 base_amount_out:u64 quote_amount_out:u64 lp_mint_supply:u64 pool:pubkey
    user:pubkey user_base_token_account:pubkey user_quote_token_account:pubkey user_pool_token_account:pubkey
InitBoostEvent:
    timestamp:i64 mint:pubkey bonding_curve:pubkey pool:pubkey virtual_quote_reserves:i128
    real_quote_reserves_after:u64
BoostBuyAndBurnEvent:
    timestamp:i64 mint:pubkey bonding_curve:pubkey pool:pubkey authority:pubkey quote_amount_in_requested:u64
    quote_amount_in_used:u64 base_amount_burned:u64 virtual_quote_reserves:i128 real_quote_reserves_after:u64
    base_reserves_after:u64 boost_vault_remaining:u64
SweepPoolFeeEvent:
    timestamp:i64 pool:pubkey base_mint:pubkey quote_mint:pubkey recipient:pubkey payer:pubkey amount:u64 bucket:u8
CollectCoinCreatorFeeEvent:
    timestamp:i64 coin_creator:pubkey coin_creator_fee:u64 coin_creator_vault_ata:pubkey
    coin_creator_token_account:pubkey
AdminCtoPoolEvent:
    timestamp:i64 base_mint:pubkey pool:pubkey old_coin_creator:pubkey new_coin_creator:pubkey is_holder_reward:bool
    is_cashback_coin:bool old_creator_fee_bps:u64 new_creator_fee_bps:u64
AdminSetCoinCreatorEvent:
    timestamp:i64 admin_set_coin_creator_authority:pubkey base_mint:pubkey pool:pubkey old_coin_creator:pubkey
    new_coin_creator:pubkey
AdminSetCoinCreatorFeeEditableEvent:
    timestamp:i64 admin_set_coin_creator_authority:pubkey base_mint:pubkey pool:pubkey
SetCoinCreatorFeeBpsEvent:
    timestamp:i64 authority:pubkey base_mint:pubkey pool:pubkey old_creator_fee_bps:u64 new_creator_fee_bps:u64
UpdateCreatorFeeConfigEvent:
    timestamp:i64 admin:pubkey creator_fee_configurable:bool max_configurable_creator_fee_bps:u64
SetBoostAuthorityEvent:
    timestamp:i64 admin:pubkey old_boost_authority:pubkey new_boost_authority:pubkey
SetBondingCurveCoinCreatorEvent:
    timestamp:i64 base_mint:pubkey pool:pubkey bonding_curve:pubkey coin_creator:pubkey
SetMetaplexCoinCreatorEvent:
    timestamp:i64 base_mint:pubkey pool:pubkey metadata:pubkey coin_creator:pubkey
MigratePoolCoinCreatorEvent:
    timestamp:i64 base_mint:pubkey pool:pubkey sharing_config:pubkey old_coin_creator:pubkey new_coin_creator:pubkey
AdminUpdateTokenIncentivesEvent 4:
    start_time:i64 end_time:i64 day_number:u64 token_supply_per_day:u64 mint:pubkey seconds_in_a_day:i64
    timestamp:i64
ClaimCashbackEvent:
    user:pubkey amount:u64 timestamp:i64 total_claimed:u64 total_cashback_earned:u64
ClaimTokenIncentivesEvent 3:
    user:pubkey mint:pubkey amount:u64 timestamp:i64 total_claimed_tokens:u64 current_sol_volume:u64
CloseUserVolumeAccumulatorEvent 2:
    user:pubkey timestamp:i64 total_unclaimed_tokens:u64 total_claimed_tokens:u64 current_sol_volume:u64
    last_update_timestamp:i64
CreateConfigEvent 5:
    timestamp:i64 admin:pubkey lp_fee_basis_points:u64 protocol_fee_basis_points:u64
    protocol_fee_recipients:pubkey*8 coin_creator_fee_basis_points:u64 admin_set_coin_creator_authority:pubkey
DisableEvent:
    timestamp:i64 admin:pubkey disable_create_pool:bool disable_deposit:bool disable_withdraw:bool disable_buy:bool
    disable_sell:bool
ExtendAccountEvent:
    timestamp:i64 account:pubkey user:pubkey current_size:u64 new_size:u64
InitUserVolumeAccumulatorEvent:
    payer:pubkey user:pubkey timestamp:i64
ReservedFeeRecipientsEvent:
    timestamp:i64 reserved_fee_recipient:pubkey reserved_fee_recipients:pubkey*7
SyncUserVolumeAccumulatorEvent 3:
    user:pubkey total_claimed_tokens_before:u64 total_claimed_tokens_after:u64 timestamp:i64
UpdateAdminEvent:
    timestamp:i64 admin:pubkey new_admin:pubkey
UpdateFeeConfigEvent 5:
    timestamp:i64 admin:pubkey lp_fee_basis_points:u64 protocol_fee_basis_points:u64
    protocol_fee_recipients:pubkey*8 coin_creator_fee_basis_points:u64 admin_set_coin_creator_authority:pubkey
"""


def parse(text: str) -> Iterator[Layout]:
    """Yield the layouts of a text."""
    for block in re.findall(r"(?<![^\n])\S.*\n(?: .*\n)+", text):
        head, _, fields = block.partition(":\n")
        name, _, oldest = head.partition(" ")
        yield Layout(name, fields, required=int(oldest or 0))
