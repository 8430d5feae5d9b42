"""What a landed wish looks like on chain: instructions, calls, events and log, in the forms that the programs write."""

from functools import lru_cache
from typing import Any

from tests.cluster.landing import Landing, err
from tests.cluster.market import (
    CURVE_FEES_BPS,
    POOL_FEES_BPS,
    Claimed,
    Completed,
    Created,
    CurveTrade,
    Migrated,
    PoolTrade,
    pool_address,
)
from tests.cluster.wishes import BYSTANDER, CLAIM, CREATE, MIGRATE, Wish
from tests.tokens.domain.decode.building import Call, Transaction, discriminator, key, payload
from tokens.choices import Program
from tokens.domain import curve, programs

BUDGET = "ComputeBudget111111111111111111111111111111"
SYSTEM = "11111111111111111111111111111111"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
ATA = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
FEES = "pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ"
GLOBAL = "4wTV1YmiEkRvAtNtsSGPtUrqRYQMe5SKy2uB4Jjaxnjf"
FEE_RECIPIENT = "62qc2CNXwrYqQScmEdiZFFAnJR262PxWEuNQtxfafNgV"
WITHDRAW = programs.PUMP_MIGRATION_ACCOUNT
POOL_CONFIG = "ADyA8hdefvWN2dbGGWFotbzWxrAvLW83WG6QCVXvJKqw"
ROUTER = key("a router")


def transaction(landing: Landing) -> Transaction:
    """Return the transaction that carries a landing."""
    wish = landing.wish
    calls = [Call(BUDGET, data=b"\2\x40\x0d\3\0"), Call(BUDGET, data=b"\3\x10\x27\0\0\0\0\0\0"), *_calls(landing)]
    if landing.failed and wish.kind != BYSTANDER:
        calls = [*calls[:2], _attempt(wish)]
    built = Transaction(
        *calls,
        err=err(landing),
        signature=landing.signature,
        slot=landing.slot,
        block_time=landing.block_time,
        payer=wish.user,
    )
    if landing.failed:
        built.lines[-1] = f"Program {calls[-1].program} failed: custom program error: {landing.error:#x}"
    return built


def _calls(landing: Landing) -> list[Call]:
    wish, at = landing.wish, landing.block_time
    if wish.kind == BYSTANDER:
        return [
            Call(
                key("a bot"), [programs.PUMP, programs.PUMPSWAP, programs.bonding_curve(wish.mint)], b"\1", ["too late"]
            )
        ]
    calls: list[Call] = []
    for what in landing.happened:
        if isinstance(what, CurveTrade):
            calls.append(_curve_trade(what, landing))
        elif isinstance(what, Completed):
            calls[-1].does.append(_event("CompleteEvent", at, what.mint, user=what.user))
        elif isinstance(what, PoolTrade):
            calls.append(_pool_trade(what, at))
        elif isinstance(what, Created):
            calls.append(_create(what, at))
        elif isinstance(what, Migrated):
            calls.append(_migrate(what, at))
        elif isinstance(what, Claimed):
            fields = {"timestamp": at, "creator": what.creator, "creator_fee": what.lamports}
            accounts = [what.creator, key(f"vault {what.creator}"), SYSTEM, key("event authority"), programs.PUMP]
            event = payload(Program.PUMPFUN, "CollectCreatorFeeEvent", **fields)
            calls.append(
                Call(
                    programs.PUMP,
                    accounts,
                    discriminator("collect_creator_fee"),
                    ["Instruction: CollectCreatorFee", event],
                )
            )
    if wish.routed:
        return [Call(ROUTER, [wish.user], b"\7", ["Instruction: Route", *calls])]
    return calls


def _attempt(wish: Wish) -> Call:
    """Return the instruction that failed before it had any effect."""
    name = {CREATE: "create_v2", MIGRATE: "migrate", CLAIM: "collect_creator_fee"}.get(wish.kind, "buy")
    accounts = _trade_accounts(wish.mint, wish.user)
    text = "Instruction: " + "".join(part.title() for part in name.split("_"))
    attempt = Call(programs.PUMP, accounts, discriminator(name) + bytes(16), [text])
    return Call(ROUTER, [wish.user], b"\7", ["Instruction: Route", attempt]) if wish.routed else attempt


@lru_cache(maxsize=4096)
def _held(owner: str, mint: str) -> str:
    """Return a token account. It is none that the token program would derive: nobody asks for it."""
    return key(f"{owner} holds {mint}")


def _trade_accounts(mint: str, user: str) -> list[str]:
    pool = programs.bonding_curve(mint)
    accounts = [GLOBAL, FEE_RECIPIENT, mint, pool, _held(pool, mint), _held(user, mint), user, SYSTEM, TOKEN_2022]
    return [*accounts, key("creator vault"), key("event authority"), programs.PUMP, key("volume"), FEES]


def _moves(program: str, name: str, count: int = 1) -> list[Call | bytes | str]:
    return [Call(program, data=b"\x0c" + bytes(9), does=[f"Instruction: {name}"]) for _ in range(count)]


def _event(name: str, at: int, mint: str, **fields: Any) -> bytes:
    curve_address = programs.bonding_curve(mint)
    return payload(Program.PUMPFUN, name, timestamp=at, mint=mint, bonding_curve=curve_address, **fields)


def _curve_trade(what: CurveTrade, landing: Landing) -> Call:
    name = "buy" if what.buys else "sell"
    data = discriminator(name) + what.token.to_bytes(8, "little") + what.quote.to_bytes(8, "little")
    return Call(
        programs.PUMP,
        _trade_accounts(what.mint, what.user),
        data,
        [
            f"Instruction: {name.title()}",
            Call(FEES, data=discriminator("get_fees")),
            *_moves(TOKEN_2022, "TransferChecked"),
            *_moves(SYSTEM, "Transfer") * 2 * what.buys,
            curve_event(what, landing.block_time),
        ],
    )


def curve_event(what: CurveTrade, at: int) -> bytes:
    """Return the TradeEvent of a trade on a curve."""
    after, quote = what.after, what.quote
    protocol, creator = CURVE_FEES_BPS
    return payload(
        Program.PUMPFUN,
        "TradeEvent",
        mint=what.mint,
        sol_amount=quote,
        token_amount=what.token,
        is_buy=what.buys,
        user=what.user,
        timestamp=at,
        virtual_sol_reserves=after.virtual_quote,
        virtual_token_reserves=after.virtual_token,
        real_sol_reserves=after.real_quote,
        real_token_reserves=after.real_token,
        fee_recipient=FEE_RECIPIENT,
        fee_basis_points=protocol,
        fee=curve.fee(quote, protocol),
        creator=after.creator,
        creator_fee_basis_points=creator,
        creator_fee=curve.fee(quote, creator),
        ix_name="buy" if what.buys else "sell",
        quote_amount=quote,
        virtual_quote_reserves=after.virtual_quote,
        real_quote_reserves=after.real_quote,
    )


def _create(what: Created, at: int) -> Call:
    mint, user = what.mint, what.user
    event = payload(
        Program.PUMPFUN,
        "CreateEvent",
        name=f"Coin {mint[:6]}",
        symbol=mint[:4].upper(),
        uri=f"https://metadata.example/{mint}.json",
        mint=mint,
        bonding_curve=programs.bonding_curve(mint),
        user=user,
        creator=user,
        timestamp=at,
        virtual_token_reserves=curve.PUMP_VIRTUAL_TOKEN_RAW,
        virtual_sol_reserves=curve.PUMP_VIRTUAL_LAMPORTS,
        real_token_reserves=curve.PUMP_SOLD_RAW,
        token_total_supply=curve.PUMP_SUPPLY_RAW,
        token_program=TOKEN_2022,
        virtual_quote_reserves=curve.PUMP_VIRTUAL_LAMPORTS,
    )
    accounts = [mint, key("mint authority"), programs.bonding_curve(mint), _held("curve", mint), GLOBAL, user, SYSTEM]
    does = ["Instruction: CreateV2", *_moves(TOKEN_2022, "InitializeMint2"), *_moves(TOKEN_2022, "MintTo"), event]
    return Call(programs.PUMP, [*accounts, TOKEN_2022, ATA], discriminator("create_v2") + bytes(40), does)


def _migrate(what: Migrated, at: int) -> Call:
    mint, user, pool, amm = what.mint, what.user, pool_address(what.mint), what.opened
    opened = amm.vault + amm.virtual
    base_authority = key(f"pool authority {mint}")
    create = payload(
        Program.PUMPSWAP,
        "CreatePoolEvent",
        timestamp=at,
        creator=base_authority,
        base_mint=mint,
        quote_mint=programs.WRAPPED_SOL,
        base_mint_decimals=6,
        quote_mint_decimals=9,
        base_amount_in=amm.base,
        quote_amount_in=opened,
        pool_base_amount=amm.base,
        pool_quote_amount=opened,
        minimum_liquidity=100,
        lp_token_amount_out=4 * 10**12,
        pool=pool,
        lp_mint=key(f"lp {mint}"),
        coin_creator=what.creator,
    )
    accounts = [pool, POOL_CONFIG, base_authority, mint, programs.WRAPPED_SOL, key(f"lp {mint}"), TOKEN_2022, TOKEN]
    inner: list[Call | bytes | str] = ["Instruction: CreatePool", *_moves(TOKEN_2022, "TransferChecked"), create]
    does: list[Call | bytes | str] = [
        "Instruction: Migrate",
        Call(programs.PUMPSWAP, accounts, discriminator("create_pool") + bytes(18), inner),
    ]
    if amm.virtual:
        boost = payload(
            Program.PUMPSWAP,
            "InitBoostEvent",
            timestamp=at,
            mint=mint,
            bonding_curve=programs.bonding_curve(mint),
            pool=pool,
            virtual_quote_reserves=amm.virtual,
            real_quote_reserves_after=amm.vault,
        )
        does.append(
            Call(programs.PUMPSWAP, accounts[:5], discriminator("init_boost"), ["Instruction: InitBoost", boost])
        )
    fee = curve.PUMP_MIGRATION_FEE_LAMPORTS
    does.append(
        _event(
            "CompletePumpAmmMigrationEvent",
            at,
            mint,
            user=user,
            mint_amount=amm.base,
            sol_amount=opened,
            pool_migration_fee=fee,
            pool=pool,
        )
    )
    named = [GLOBAL, WITHDRAW, mint, programs.bonding_curve(mint), _held("curve", mint), user, SYSTEM, TOKEN_2022]
    return Call(programs.PUMP, [*named, programs.PUMPSWAP, pool], discriminator("migrate"), does)


def _pool_trade(what: PoolTrade, at: int) -> Call:
    mint, user, pool, before, quote = what.mint, what.user, pool_address(what.mint), what.before, what.quote
    lp, protocol, creator = (curve.fee(quote, bps) for bps in POOL_FEES_BPS)
    fields = {
        "timestamp": at,
        "pool_base_token_reserves": before.base,
        "pool_quote_token_reserves": before.vault,
        "lp_fee_basis_points": POOL_FEES_BPS[0],
        "lp_fee": lp,
        "protocol_fee_basis_points": POOL_FEES_BPS[1],
        "protocol_fee": protocol,
        "pool": pool,
        "user": user,
        "protocol_fee_recipient": FEE_RECIPIENT,
        "coin_creator": what.creator,
        "coin_creator_fee_basis_points": POOL_FEES_BPS[2],
        "coin_creator_fee": creator,
        "virtual_quote_reserves": before.virtual,
        "base_supply": curve.PUMP_SUPPLY_RAW,
    }
    if what.buys:
        paid = quote + lp + protocol + creator
        fields |= {"base_amount_out": what.token, "max_quote_amount_in": paid, "quote_amount_in": quote}
        fields |= {"quote_amount_in_with_lp_fee": quote + lp, "user_quote_amount_in": paid, "ix_name": "buy"}
    else:
        fields |= {"base_amount_in": what.token, "quote_amount_out": quote}
        fields |= {
            "quote_amount_out_without_lp_fee": quote - lp,
            "user_quote_amount_out": quote - lp - protocol - creator,
        }
    name = "buy" if what.buys else "sell"
    accounts = [pool, user, POOL_CONFIG, mint, programs.WRAPPED_SOL, _held(user, mint), _held(user, "sol")]
    event = payload(Program.PUMPSWAP, "BuyEvent" if what.buys else "SellEvent", **fields)
    does: list[Call | bytes | str] = [f"Instruction: {name.title()}", Call(FEES, data=discriminator("get_fees"))]
    does += [*_moves(TOKEN_2022, "TransferChecked"), *_moves(TOKEN, "TransferChecked") * 3, event]
    data = discriminator(name) + what.token.to_bytes(8, "little") + quote.to_bytes(8, "little")
    return Call(programs.PUMPSWAP, [*accounts, TOKEN_2022, TOKEN, SYSTEM, ATA], data, does)
