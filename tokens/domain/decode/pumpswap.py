"""Events of PumpSwap, pump.fun's AMM (IDL of October 2026; every older version is a beginning of it).

Its trade events state the vaults *before* the trade. What prices the pool is the vault plus ``virtual_quote_reserves``,
which is signed: a boost adds to it, fees that wait in the vault to be swept are subtracted.
"""

from typing import Any, Final, NamedTuple

from tokens.choices import EventKind
from tokens.domain import programs
from tokens.domain.decode.emissions import Emission, Facts
from tokens.domain.events import BothReserves, Fees, PoolAccounts, Reserves

Fields = dict[str, Any]

INSTRUCTIONS: Final = (
    "buy sell buy_exact_quote_in buy_v2 sell_v2 buy_exact_quote_in_v2 deposit withdraw create_pool multi_hop_swap "
    "collect_coin_creator_fee init_boost boost_buy_and_burn extend_account set_boost_authority "
    "admin_set_coin_creator_fee_editable set_coin_creator_fee_bps update_creator_fee_config"
)
_TRADES: Final = frozenset(INSTRUCTIONS.split()[:6])
_LIQUIDITY: Final = frozenset(INSTRUCTIONS.split()[6:9])
_BASE_MINT, _QUOTE_MINT = 3, 4  # accounts of all these instructions, in both versions
_MULTI_HOP: Final = "multi_hop_swap"
_FIRST_HOP, _HOP = 16, 5  # its fixed accounts, then for each hop: base mint, quote mint, pool, base vault, quote vault


class _Named(NamedTuple):
    """What an instruction names of one pool; the events name neither mint."""

    base_mint: str | None = None
    quote_mint: str | None = None
    accounts: PoolAccounts | None = None


def _named(emission: Emission, pool: str) -> _Named:
    accounts, instruction = emission.accounts, emission.instruction
    if accounts is None or instruction is None:
        return _Named()
    if instruction == _MULTI_HOP:
        for at in range(_FIRST_HOP, len(accounts) - _HOP + 1, _HOP):
            base_mint, quote_mint, address, base, quote = accounts[at : at + _HOP]
            if address == pool:
                return _Named(base_mint, quote_mint, PoolAccounts(base_vault=base, quote_vault=quote))
        return _Named()
    if len(accounts) <= _QUOTE_MINT:
        return _Named()
    mints = accounts[_BASE_MINT], accounts[_QUOTE_MINT]
    if instruction in _TRADES:
        return _Named(
            *mints, PoolAccounts(base_vault=accounts[7], quote_vault=accounts[8]) if len(accounts) > 8 else None
        )
    if instruction in _LIQUIDITY:
        held = accounts[9:11] if len(accounts) > 10 else (None, None)
        lp_mint = accounts[5] if len(accounts) > 5 else None
        return _Named(*mints, PoolAccounts(base_vault=held[0], quote_vault=held[1], lp_mint=lp_mint))
    return _Named()


def _buy(fields: Fields, emission: Emission) -> Facts:
    return _trade(fields, emission, EventKind.BUY, fields["quote_amount_in"], fields["base_amount_out"])


def _sell(fields: Fields, emission: Emission) -> Facts:
    return _trade(fields, emission, EventKind.SELL, fields["quote_amount_out"], fields["base_amount_in"])


def _trade(fields: Fields, emission: Emission, kind: EventKind, quote: int, base: int) -> Facts:
    mint, quote_mint, accounts = _named(emission, fields["pool"])
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
        pool_accounts=accounts,
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


def _create_pool(fields: Fields, emission: Emission) -> Facts:
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
        pool_accounts=_named(emission, fields["pool"]).accounts,
    )


def _deposit(fields: Fields, emission: Emission) -> Facts:
    return _liquidity(fields, emission, EventKind.DEPOSIT, fields["quote_amount_in"], fields["base_amount_in"])


def _withdraw(fields: Fields, emission: Emission) -> Facts:
    return _liquidity(fields, emission, EventKind.WITHDRAW, fields["quote_amount_out"], fields["base_amount_out"])


def _liquidity(fields: Fields, emission: Emission, kind: EventKind, quote: int, base: int) -> Facts:
    mint, quote_mint, accounts = _named(emission, fields["pool"])
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
        pool_accounts=accounts,
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


MEANINGS: Final = {
    "BuyEvent": _buy,
    "SellEvent": _sell,
    "CreatePoolEvent": _create_pool,
    "DepositEvent": _deposit,
    "WithdrawEvent": _withdraw,
    "InitBoostEvent": _boost,
    "BoostBuyAndBurnEvent": _boost,
    "SweepPoolFeeEvent": _sweep,
    "CollectCoinCreatorFeeEvent": _creator_fee,
    "AdminCtoPoolEvent": _creator,
    "AdminSetCoinCreatorEvent": _creator,
    "SetBondingCurveCoinCreatorEvent": _creator,
    "SetMetaplexCoinCreatorEvent": _creator,
    "MigratePoolCoinCreatorEvent": _creator,
}
"""What the events mean that are of consequence; the program's other events have no meaning of their own."""
