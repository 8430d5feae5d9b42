"""Candles, in plain Python: what the SQL of ``candles.roll`` must equal for any trades in any order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tokens.choices import TransactionType
from tokens.domain.numbers import forms_price
from tokens.domain.programs import MAYHEM_AGENT

TRADES = (TransactionType.BUY, TransactionType.SELL)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Trade:
    """What a candle needs of one trade. ``invariant`` is its place in its slot if it has one, else the product of the virtual
    reserves after it, 0 if unknown."""

    block_time: datetime
    slot: int
    invariant: int
    event_index: int
    signature: str
    type: str
    user: str
    price: Decimal | None
    price_usd: Decimal | None
    token_amount: Decimal | None
    sol_amount: Decimal | None
    sol_amount_usd: Decimal | None
    quote_raw: int
    token_raw: int
    spot: Decimal | None
    """What the pool asks after it, by its reserves; ``None`` where they are not known or are no price."""

    @property
    def forms_price(self) -> bool:
        """Whether the trade's price is one (T16): rounding alone moves that of a smaller trade by more than 1 %."""
        return forms_price(self.quote_raw, self.token_raw)

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Where the trade stands among its pool's trades.

        Sources rarely say where in its slot a transaction ran. On a constant-product curve every trade rounds in the
        pool's favour, so the product of the reserves never falls and gives the order inside a slot. On the curve of a
        mayhem coin it may fall: there its place is found from the chain of reserves.
        """
        return (self.slot, self.invariant, self.event_index, self.signature)


@dataclass(frozen=True, slots=True)
class Candle:
    """One bucket. Prices in the quote per whole token and in USD; ``volume_usd`` is ``None`` if no trade had one.

    A minute without a trade that forms a price stands where its last trade left the pool, without prices in USD; where that
    is not known either, there are only counts and volumes.
    """

    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    open_usd: Decimal | None
    high_usd: Decimal | None
    low_usd: Decimal | None
    close_usd: Decimal | None
    volume_token: Decimal
    volume_sol: Decimal
    volume_usd: Decimal | None
    wash_volume_sol: Decimal
    wash_volume_usd: Decimal | None
    trade_count: int
    buyer_count: int
    seller_count: int


def bucket_of(at: datetime, width: timedelta) -> datetime:
    """Return the start of the bucket that holds ``at``; buckets are half-open and aligned to Monday 2000-01-03."""
    origin = datetime(2000, 1, 3, tzinfo=at.tzinfo)
    return at - (at - origin) % width


def candles(trades: Iterable[Trade], width: timedelta) -> Mapping[datetime, Candle]:
    """Return the candle of each bucket with at least one priced buy or sell, by the start of the bucket.

    The prices of a longer candle are those of its minutes.
    """
    buckets: dict[datetime, dict[datetime, list[Trade]]] = {}
    for trade in trades:
        if trade.type in TRADES and trade.price:
            minutes = buckets.setdefault(bucket_of(trade.block_time, width), {})
            minutes.setdefault(bucket_of(trade.block_time, MINUTE), []).append(trade)
    return {start: _candle([minutes[at] for at in sorted(minutes)]) for start, minutes in sorted(buckets.items())}


def _candle(minutes: list[list[Trade]]) -> Candle:
    minutes = [sorted(minute, key=lambda trade: trade.order) for minute in minutes]
    trades = [trade for minute in minutes for trade in minute]
    forming = [trade for trade in trades if trade.forms_price]
    prices = [price for minute in minutes for price in _prices(minute)]
    dollars = [trade.price_usd for trade in forming if trade.price_usd is not None]
    volumes = [trade.sol_amount_usd for trade in trades if trade.sol_amount_usd is not None]
    return Candle(
        open=prices[0] if prices else None,
        high=max(prices, default=None),
        low=min(prices, default=None),
        close=prices[-1] if prices else None,
        open_usd=dollars[0] if dollars else None,
        high_usd=max(dollars, default=None),
        low_usd=min(dollars, default=None),
        close_usd=dollars[-1] if dollars else None,
        volume_token=sum((trade.token_amount or Decimal(0) for trade in trades), Decimal(0)),
        volume_sol=sum((trade.sol_amount or Decimal(0) for trade in trades), Decimal(0)),
        volume_usd=sum(volumes, Decimal(0)) if volumes else None,
        wash_volume_sol=_wash(trades, "sol_amount", 9),
        wash_volume_usd=_wash(trades, "sol_amount_usd", 18) if volumes else None,
        trade_count=len(trades),
        buyer_count=len({trade.user for trade in trades if trade.type == TransactionType.BUY} - {MAYHEM_AGENT}),
        seller_count=len({trade.user for trade in trades if trade.type == TransactionType.SELL} - {MAYHEM_AGENT}),
    )


def _prices(minute: list[Trade]) -> list[Decimal]:
    forming = [trade.price for trade in minute if trade.forms_price and trade.price is not None]
    return forming or [trade.spot for trade in minute if trade.spot is not None][-1:]


def _wash(trades: list[Trade], amount: str, places: int) -> Decimal:
    """Return what wallets both bought and sold within a minute, both legs, each at its own mean price, rounded down."""
    minutes: dict[tuple[datetime, str], list[Trade]] = {}
    for trade in trades:
        minutes.setdefault((bucket_of(trade.block_time, MINUTE), trade.user), []).append(trade)
    scaled = 0
    for group in minutes.values():
        legs = [[trade for trade in group if (trade.type == TransactionType.BUY) is buys] for buys in (True, False)]
        tokens = [sum(trade.token_raw for trade in leg) for leg in legs]
        for leg, total in zip(legs, tokens, strict=True):
            value = sum(int((getattr(trade, amount) or Decimal(0)).scaleb(places)) for trade in leg)
            scaled += value * min(tokens) // total if min(tokens) else 0
    return Decimal(scaled).scaleb(-places)
