"""The books beside a simulated hundred days: which rows there must be, computed from the events by plain arithmetic.

They hold events as Python objects and know nothing of the database.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tokens.choices import EventKind
from tokens.domain.events import ChainEvent

DAY = timedelta(days=1)
NINE = "nine decimals"
"""The coin whose creation comes last, and says that it does not have six decimals."""
FRESH = 120
"""Seconds for which a SOL price holds (T8)."""
DUST = 100
"""Base units below which a trade forms no price (T16)."""
CHUNKS = {
    "transactions": DAY,
    "price_candles_1m": DAY,
    "price_candles_5m": 7 * DAY,
    "price_candles_1h": 30 * DAY,
}
"""What falls at once where rows are dropped: by hand here, a table that is cut otherwise fails."""


@dataclass(slots=True)
class Trade:
    """A stored trade as the books know it: its event and SOL in USD·10⁶ at its time, once a price was known."""

    event: ChainEvent
    coin: str
    usd: int | None = None

    @property
    def at(self) -> datetime:
        """Return its block time."""
        return datetime.fromtimestamp(self.event.block_time or 0, UTC)

    @property
    def buys(self) -> bool:
        """Return whether it is a buy."""
        return self.event.kind is EventKind.BUY

    def row(self, decimals: int) -> dict[str, Any]:
        """Return the stored row."""
        quote, token = self.event.quote_amount_raw or 0, self.event.token_amount_raw or 0
        sides = [(quote, 9), (token, decimals)] if self.buys else [(token, decimals), (quote, 9)]
        price = _half_up(Decimal(quote) * Decimal(10) ** (20 + decimals - 9) / token, 0) * Decimal("1e-20")
        sol = Decimal(quote).scaleb(-9)
        dollars = None if self.usd is None else Decimal(self.usd).scaleb(-6)
        return {
            "mint": self.event.mint,
            "slot": self.event.slot,
            "block_time": self.at,
            "type": self.event.kind.value,
            "user_address": self.event.user,
            "amount_in": sides[0][0],
            "amount_in_decimals": sides[0][1],
            "amount_out": sides[1][0],
            "amount_out_decimals": sides[1][1],
            "sol_amount": sol,
            "token_amount": Decimal(token).scaleb(-decimals),
            "price_per_token": price,
            "price_per_token_usd": None if dollars is None else _half_up(price * dollars, 18),
            "sol_amount_usd": None if dollars is None else sol * dollars,
        }


def _half_up(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


@dataclass(slots=True)
class Books:
    """What is true, kept beside the database: trades, SOL prices, decimals, and how far each table was dropped."""

    trades: dict[tuple[str, int, int], Trade] = field(default_factory=dict)
    samples: dict[int, int] = field(default_factory=dict)
    nine: int = 6
    cutoffs: dict[str, datetime] = field(default_factory=dict)
    exported: int = 0

    def store(self, event: ChainEvent, coin: str) -> None:
        """Note a trade once, with the price that is known."""
        key = self._key(event)
        self.trades.setdefault(key, Trade(event, coin, self._price(event.block_time or 0)))

    def forget(self, event: ChainEvent) -> None:
        """Note that the chain dropped a transaction where it stood."""
        del self.trades[self._key(event)]

    def learn(self, at: datetime, usd: Decimal) -> None:
        """Note what SOL was worth; what a source said first is kept."""
        self.samples.setdefault(int(at.timestamp()), int(usd * 10**6))

    def fill(self) -> None:
        """Give a value to each trade that has none and may have one now."""
        for one in self.trades.values():
            if one.usd is None and not self.is_dropped("transactions", one.at):
                one.usd = self._price(one.event.block_time or 0)

    def drop(self, table: str, cutoff: datetime) -> None:
        """Note that all chunks of ``table`` went that end by ``cutoff``."""
        self.cutoffs[table] = max(cutoff, self.cutoffs.get(table, cutoff))

    def is_dropped(self, table: str, at: datetime) -> bool:
        """Return whether what stands at a time lies in a chunk that was dropped."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        if table not in self.cutoffs:
            return False
        end = epoch + ((at - epoch) // CHUNKS[table] + 1) * CHUNKS[table]
        return end <= self.cutoffs[table]

    def kept(self) -> Iterator[Trade]:
        """Yield the trades that are not dropped."""
        return (one for one in self.trades.values() if not self.is_dropped("transactions", one.at))

    def rows(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Return the rows that the table of trades must have."""
        return {(one.event.signature, one.event.event_index): one.row(self._decimals(one.coin)) for one in self.kept()}

    def pools(self) -> dict[str, dict[str, Any]]:
        """Return where each coin's pool must stand, by mint."""
        newest: dict[str, Trade] = {}
        for one in sorted(self.trades.values(), key=_place):
            newest[one.event.mint or ""] = one
        found = {}
        for mint, one in newest.items():
            price = self._spot(one)
            usd = None if one.usd is None else _half_up(price * Decimal(one.usd).scaleb(-6), 18)
            found[mint] = {
                "last_signature": one.event.signature,
                "last_slot": one.event.slot,
                "last_trade_at": one.at,
                "latest_price": price,
                "latest_price_usd": usd,
            }
        return found

    def candles(self, width: int) -> dict[tuple[str, datetime], dict[str, Any]]:
        """Return every candle of a width over all trades that are true, also those that were dropped since."""
        minutes = {key: self._minute(group) for key, group in self._grouped(60).items()}
        if width == 60:
            return minutes
        return {
            (mint, bucket): _longer([minutes[mint, at] for at in sorted({_bucket(one.at, 60) for one in group})], group)
            for (mint, bucket), group in self._grouped(width).items()
        }

    def sol_minutes(self) -> dict[datetime, dict[str, Any]]:
        """Return the minutes of SOL's price."""
        groups: dict[datetime, list[tuple[int, Decimal]]] = defaultdict(list)
        for second, micro in self.samples.items():
            groups[_bucket(datetime.fromtimestamp(second, UTC), 60)].append((second, Decimal(micro).scaleb(-6)))
        found = {}
        for bucket, samples in groups.items():
            values = [value for _, value in sorted(samples)]
            found[bucket] = {
                "open": values[0],
                "high": max(values),
                "low": min(values),
                "close": values[-1],
                "sample_count": len(values),
            }
        return found

    def _key(self, event: ChainEvent) -> tuple[str, int, int]:
        return event.signature, event.event_index, event.slot or 0

    def _price(self, second: int) -> int | None:
        known = [at for at in range(second - FRESH, second + 1) if at in self.samples]
        return self.samples[known[-1]] if known else None

    def _decimals(self, coin: str) -> int:
        return self.nine if coin == NINE else 6

    def _grouped(self, width: int) -> dict[tuple[str, datetime], list[Trade]]:
        groups: dict[tuple[str, datetime], list[Trade]] = defaultdict(list)
        for one in self.trades.values():
            groups[one.event.mint or "", _bucket(one.at, width)].append(one)
        return groups

    def _minute(self, group: list[Trade]) -> dict[str, Any]:
        group = sorted(group, key=_place)
        rows = [one.row(self._decimals(one.coin)) for one in group]
        large = [row for row in rows if min(row["amount_in"], row["amount_out"]) >= DUST]
        made = [row["price_per_token"] for row in large]
        if not made:
            made = [self._spot(group[-1])]
        dollars = [row["price_per_token_usd"] for row in large if row["price_per_token_usd"] is not None]
        valued = [row["sol_amount_usd"] for row in rows if row["sol_amount_usd"] is not None]
        wash, wash_usd = self._wash(group)
        return {
            "open": made[0],
            "high": max(made),
            "low": min(made),
            "close": made[-1],
            "open_usd": dollars[0] if dollars else None,
            "high_usd": max(dollars, default=None),
            "low_usd": min(dollars, default=None),
            "close_usd": dollars[-1] if dollars else None,
            "volume_token": sum((row["token_amount"] for row in rows), Decimal(0)),
            "volume_sol": sum((row["sol_amount"] for row in rows), Decimal(0)),
            "volume_usd": sum(valued, Decimal(0)) if valued else None,
            "wash_volume_sol": wash,
            "wash_volume_usd": wash_usd if valued else None,
            **_counts(group),
        }

    def _spot(self, one: Trade) -> Decimal:
        after = one.event.reserves.after
        assert after is not None
        quote, token = after.virtual_quote or 0, after.virtual_token or 1
        scaled = Decimal(quote) * Decimal(10) ** (20 + self._decimals(one.coin) - 9)
        return _half_up(scaled / token, 0) * Decimal("1e-20")

    def _wash(self, group: list[Trade]) -> tuple[Decimal, Decimal]:
        lamports = dollars = 0
        for wallet in {one.event.user for one in group}:
            sides = [[one for one in group if one.event.user == wallet and one.buys is buys] for buys in (True, False)]
            tokens = [sum(one.event.token_amount_raw or 0 for one in side) for side in sides]
            for side, raw in zip(sides, tokens, strict=True):
                if all(sides) and raw:
                    paid = sum(one.event.quote_amount_raw or 0 for one in side)
                    worth = sum((one.event.quote_amount_raw or 0) * (one.usd or 0) * 1_000 for one in side)
                    lamports += paid * min(tokens) // raw
                    dollars += worth * min(tokens) // raw
        return Decimal(lamports).scaleb(-9), Decimal(dollars).scaleb(-18)


def _place(one: Trade) -> tuple[Any, ...]:
    """Return a trade's place in its minute (docs/adr/0006)."""
    after = one.event.reserves.after
    product = 0 if after is None else (after.virtual_quote or 0) * (after.virtual_token or 0)
    return one.event.slot, product, one.event.event_index, one.event.signature


def _bucket(at: datetime, width: int) -> datetime:
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % width, UTC)


def _counts(group: Sequence[Trade]) -> dict[str, int]:
    return {
        "trade_count": len(group),
        "buyer_count": len({one.event.user for one in group if one.buys}),
        "seller_count": len({one.event.user for one in group if not one.buys}),
    }


def _longer(minutes: Sequence[dict[str, Any]], group: Sequence[Trade]) -> dict[str, Any]:
    """Return a longer candle from its minutes, in their order; traders are counted anew."""

    def known(name: str) -> list[Decimal]:
        return [minute[name] for minute in minutes if minute[name] is not None]

    found: dict[str, Any] = {}
    for suffix in ("", "_usd"):
        found[f"open{suffix}"] = next(iter(known(f"open{suffix}")), None)
        found[f"high{suffix}"] = max(known(f"high{suffix}"), default=None)
        found[f"low{suffix}"] = min(known(f"low{suffix}"), default=None)
        found[f"close{suffix}"] = next(iter(reversed(known(f"close{suffix}"))), None)
    for name in ("volume_token", "volume_sol", "volume_usd", "wash_volume_sol", "wash_volume_usd"):
        found[name] = sum(known(name), Decimal(0)) if known(name) else None
    return found | _counts(group)
