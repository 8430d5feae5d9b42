"""Holders of one token by a loop over the ORM's objects: what the set-based derivation must give, written plainly."""

from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import groupby
from operator import attrgetter

from holders.domain import positions
from holders.domain.positions import Position, Trade
from holders.models import TokenHolder
from tokens.models import Pool, Token, Transaction
from tokens.selectors.tokens import current_of

_WRITTEN = (
    *("current_balance", "initial_balance", "peak_balance", "traded_balance", "first_transaction_time"),
    *(
        "last_transaction_time",
        "held_since",
        "held_until",
        "hold_hours",
        "total_bought",
        "total_sold",
        "untracked_sold",
    ),
    *("buy_count", "sell_count", "transaction_count", "cost_sol", "cost_usd", "avg_buy_price", "avg_sell_price"),
    *("realized_pnl_sol", "realized_pnl", "unrealized_pnl_sol", "unrealized_pnl", "diamond_hands_score", "sold_ratio"),
    *("sold_cost_sol", "fees_sol", "network_fees_unknown"),
    "last_updated",
)
SOL = "So11111111111111111111111111111111111111112"


def derive(mint: str, now: datetime) -> None:
    """Write the row of each wallet that traded ``mint``, whether there is one or not."""
    for holder in holders(mint, now):
        key = {"token_mint": holder.token_mint, "wallet_address": holder.wallet_address}
        told = {name: getattr(holder, name) for name in _WRITTEN}
        TokenHolder.objects.update_or_create(**key, defaults=told)


def create(mint: str, now: datetime) -> None:
    """Create the row of each wallet that traded ``mint``, all at once; there is none yet."""
    TokenHolder.objects.bulk_create(holders(mint, now))


def holders(mint: str, now: datetime) -> Iterator[TokenHolder]:
    """Yield the row of each wallet that traded ``mint``."""
    token = Token.objects.get(mint_address=mint)
    pool = current_of(Pool.objects.filter(token=token))
    rows = Transaction.objects.filter(token=token, type__in=("buy", "sell")).select_related("pool")
    ordered = sorted(
        rows,
        key=lambda row: (
            row.user_address,
            row.slot,
            (row.quote_reserves or 0) * (row.token_reserves or 0) if row.quote_reserves and row.token_reserves else 0,
            row.event_index,
            row.signature,
        ),
    )
    for wallet, trades in groupby(ordered, key=attrgetter("user_address")):
        position = Position()
        for one in positions.rounds(_trades(trades)):
            position.settle(one)
        yield _holder(token, pool, wallet, position, now)


def _trades(rows: Iterator[Transaction]) -> Iterator[Trade]:
    # The network charges a transaction once: the first of the wallet's trades in it bears that.
    of_wallet = list(rows)
    first: dict[str, int] = {}
    for row in of_wallet:
        first[row.signature] = min(row.event_index, first.get(row.signature, row.event_index))
    for row in of_wallet:
        buys = row.type == "buy"
        is_first = first[row.signature] == row.event_index
        paid_by_another = "fee_payer" in (row.raw_data or {})
        network = 0 if paid_by_another or not is_first else row.transaction_fee
        lamports = None if row.sol_amount is None else int(row.sol_amount.scaleb(9))
        yield Trade(
            buys=buys,
            at=row.block_time,
            raw=int(row.amount_out if buys else row.amount_in),
            lamports=lamports,
            net_lamports=_net(lamports, _venue(row), network or 0, buys=buys),
            net_usd_nano=_net(_usd(row), _usd_of(row, _venue(row)), _usd_of_network(row, network), buys=buys),
            is_network_fee_known=network == 0 or (network is not None and lamports is not None),
        )


def _venue(row: Transaction) -> int | None:
    if row.protocol_fee is None or row.pool.mints_flipped:
        return None
    total = int(row.protocol_fee) + sum(int(fee or 0) for fee in (row.platform_fee, row.creator_fee, row.share_fee))
    return total if total < 10**15 else None


def _usd(row: Transaction) -> int | None:
    if row.sol_amount_usd is None:
        return None
    return int((row.sol_amount_usd * 10**9).quantize(Decimal(1), ROUND_HALF_UP))


def _usd_of(row: Transaction, fee: int | None) -> int | None:
    """Return what ``fee`` base units of the quote were worth at the price of the trade, billionths of a USD."""
    moved = int(row.amount_in if row.type == "buy" else row.amount_out)
    if not fee:
        return fee
    if row.sol_amount_usd is None or not moved:
        return None
    value = Fraction(row.sol_amount_usd) * 10**9 * fee / moved
    return int(value + Fraction(1, 2))


def _usd_of_network(row: Transaction, fee: int | None) -> int:
    return 0 if row.sol_amount is None else _usd_of(row, fee) or 0


def _net(amount: int | None, *fees: int | None, buys: bool) -> int | None:
    total = amount
    for fee in fees:
        total = None if total is None or fee is None else total + fee if buys else total - fee
    return total


def _holder(token: Token, pool: Pool | None, wallet: str, position: Position, now: datetime) -> TokenHolder:
    def whole(raw: int) -> Decimal:
        return Decimal(raw).scaleb(-token.decimals)

    def money(amount: int | None) -> Decimal | None:
        return None if amount is None else Decimal(amount).scaleb(-9)

    def gain(cost: int | None, price: Decimal | None) -> Decimal | None:
        return positions.unrealized(
            cost=cost, held=position.held, still=position.held, price=price, decimals=token.decimals
        )

    hours = positions.hold_hours(since=position.held_since, until=position.held_until, now=positions.micros(now))
    ratio = positions.sold_ratio(bought=position.bought, sold=position.sold)
    return TokenHolder(
        token_mint=token.mint_address,
        wallet_address=wallet,
        current_balance=whole(position.held),
        initial_balance=whole(position.initial or 0),
        peak_balance=whole(position.peak),
        traded_balance=whole(position.held),
        first_transaction_time=positions.moment(position.first_at),
        last_transaction_time=positions.moment(position.last_at),
        held_since=positions.moment(position.held_since),
        held_until=positions.moment(position.held_until),
        hold_hours=hours,
        total_bought=whole(position.bought),
        total_sold=whole(position.sold),
        untracked_sold=whole(position.untracked),
        buy_count=position.buys,
        sell_count=position.sells,
        transaction_count=position.buys + position.sells,
        cost_sol=money(position.cost),
        cost_usd=money(position.cost_usd),
        avg_buy_price=positions.price(lamports=position.spent, raw=position.bought, decimals=token.decimals),
        avg_sell_price=positions.price(lamports=position.earned, raw=position.sold, decimals=token.decimals),
        realized_pnl_sol=money(position.realized),
        realized_pnl=money(position.realized_usd),
        sold_cost_sol=money(position.sold_cost),
        fees_sol=money(position.fees),
        network_fees_unknown=position.without_network_fee,
        unrealized_pnl_sol=gain(position.cost, pool.latest_price if pool and pool.quote_mint == SOL else None),
        unrealized_pnl=gain(position.cost_usd, pool.latest_price_usd if pool else None),
        diamond_hands_score=positions.diamond_hands(hours=hours, sold=ratio),
        sold_ratio=ratio,
        last_updated=now,
    )


IGNORED = {"id", "created_at", "updated_at", "last_updated", "trades_digest"}


def rows(mint: str) -> list[dict[str, object]]:
    """Return what the table says of the holders of ``mint``, in order, without keys and audit times."""
    names = [field.attname for field in TokenHolder._meta.concrete_fields if field.attname not in IGNORED]
    return list(TokenHolder.objects.filter(token_mint=mint).order_by("wallet_address").values(*names))
