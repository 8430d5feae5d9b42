"""Events of the pump.fun curve program (IDL of October 2026; every older version is a beginning of it)."""

from typing import Any, Final

from tokens.choices import EventKind
from tokens.domain import programs
from tokens.domain.decode.emissions import Emission, Facts
from tokens.domain.events import BothReserves, Fees, Reserves

Fields = dict[str, Any]

INSTRUCTIONS: Final = (
    "create create_v2 buy sell buy_exact_sol_in buy_v2 sell_v2 buy_exact_quote_in_v2 buy_v3 sell_v3 "
    "buy_exact_quote_in_v3 multi_hop_curve_swap migrate migrate_v2 withdraw collect_creator_fee collect_creator_fee_v2 "
    "distribute_creator_fees distribute_creator_fees_v2 distribute_fee_to_holders sweep_protocol_fee sweep_creator_fee "
    "extend_account set_creator set_metaplex_creator admin_cto claim_cashback claim_cashback_v2 "
    "migrate_bonding_curve_creator set_mayhem_virtual_params set_virtual_quote_reserves set_params "
    "remove_quote_control_mint set_quote_control_admin"
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
            (fields[f"pool_quote_reserves_{when}"], fields[f"pool_base_reserves_{when}"])
            for when in ("before", "after")
        )
    )
    return Facts(
        EventKind.BUY,
        mint=fields["mint"],
        pool=programs.graduated_pool(fields["mint"], quote_mint),
        user=fields["user"],
        quote_mint=quote_mint,
        quote_amount_raw=fields["quote_in"],  # without this part's fees: what the pool gains, and no more
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


MEANINGS: Final = {
    "TradeEvent": _trade,
    "CreateEvent": _create,
    "CompleteEvent": _complete,
    "PostCompleteBuyEvent": _post_complete_buy,
    "CompletePumpAmmMigrationEvent": _migrate,
    "UpdateMayhemVirtualParamsEvent": _reserves,
    "CollectCreatorFeeEvent": _creator_fee,
    "DistributeCreatorFeesEvent": _creator_fee,
    "DistributeFeeToHoldersEvent": _creator_fee,
    "SweepBondingCurveFeeEvent": _sweep,
    "SetCreatorEvent": _creator,
    "SetMetaplexCreatorEvent": _creator,
    "AdminSetCreatorEvent": _creator,
    "AdminCtoEvent": _creator,
    "MigrateBondingCurveCreatorEvent": _creator,
    "UpdateCreatorFeeConfigEvent": _creator,
}
"""What the events mean that are of consequence; the program's other events have no meaning of their own."""
