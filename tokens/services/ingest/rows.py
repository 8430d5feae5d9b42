"""Trades as rows of ``transactions``: the text that COPY and INSERT take, exact to the last digit."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from megatron.core.ids import event_id_hex
from tokens.choices import TransactionType
from tokens.domain.events import POSITIONLESS
from tokens.domain.facts import TradeFact
from tokens.domain.numbers import PRICE_PLACES, USD_PLACES, decimal_text, price_scaled, usd_scaled
from tokens.services.ingest.parents import Sides
from tokens.services.prices import Window

COLUMNS = (
    "id",
    "signature",
    "event_index",
    "pool_id",
    "token_id",
    "block_time",
    "slot",
    "commitment",
    "type",
    "user_address",
    "amount_in",
    "amount_in_decimals",
    "amount_out",
    "amount_out_decimals",
    "sol_amount",
    "token_amount",
    "price_per_token",
    "price_per_token_usd",
    "sol_amount_usd",
    "protocol_fee",
    "platform_fee",
    "creator_fee",
    "share_fee",
    "transaction_fee",
    "quote_reserves",
    "token_reserves",
    "raw_data",
)

_GIVES_QUOTE = frozenset({TransactionType.BUY, TransactionType.ADD_LIQUIDITY})
_NULL = r"\N"
_PLAIN_LAYOUTS = ("TradeEvent/", "BuyEvent/", "SellEvent/")


class Row(NamedTuple):
    """One trade with its identity; ``id`` as 32 hexadecimal digits, whose order is the order of block time."""

    id: str
    fact: TradeFact


def identified(trades: Iterable[TradeFact]) -> list[Row]:
    """Return each trade once, in the order of ids."""
    rows = {}
    for fact in trades:
        event = fact.event
        key = event_id_hex((event.block_time or 0) * 1000, f"{event.signature}:{event.event_index}")
        rows[key] = Row(key, fact)
    return [rows[key] for key in sorted(rows)]


class Writer:
    """Turns rows into text. Remembers what many rows share: a second's timestamp, a pool's ids."""

    def __init__(self, sides: dict[str, Sides], usd: Window) -> None:
        self._sides = {address: (side, str(side.pool_id), str(side.token_id)) for address, side in sides.items()}
        self._usd = usd
        self._times: dict[int, str] = {}

    def line(self, row: Row) -> str:
        """Return one row in COPY's text format, without its line end. Nothing in it needs escaping but the JSON, which is."""
        fact = row.fact
        event = fact.event
        side, pool, token = self._sides[fact.pool]
        quote, base, seconds = fact.quote_raw, fact.token_raw, event.block_time or 0
        places, token_places = side.quote_decimals, side.token_decimals
        sol = price = price_usd = sol_usd = _NULL
        micro = self._usd.at(seconds) if side.in_sol else None
        if base and places is not None:
            scaled = price_scaled(quote, base, places, token_places)
            price = decimal_text(scaled, PRICE_PLACES)
            if micro is not None:
                price_usd = decimal_text(usd_scaled(scaled, PRICE_PLACES, micro), USD_PLACES)
        if side.in_sol:
            sol = decimal_text(quote, 9)
            if micro is not None:
                sol_usd = decimal_text(quote * micro, 15)
        at = self._times.get(seconds)
        if at is None:
            at = self._times[seconds] = datetime.fromtimestamp(seconds, UTC).isoformat()
        fees, after = event.fees, fact.after
        creator = fees.creator if not fees.cashback else (fees.creator or 0) + fees.cashback
        quote_side, token_side = f"{quote}\t{_or_null(places)}", f"{base}\t{token_places}"
        amounts = f"{quote_side}\t{token_side}" if fact.type in _GIVES_QUOTE else f"{token_side}\t{quote_side}"
        return (
            f"{row.id}\t{event.signature}\t{event.event_index}\t{pool}\t{token}\t{at}\t{event.slot}\t{fact.commitment}\t"
            f"{fact.type}\t{event.user}\t{amounts}\t{sol}\t{decimal_text(base, token_places)}\t{price}\t{price_usd}\t"
            f"{sol_usd}\t{_or_null(fees.protocol)}\t{_or_null(fees.lp if fees.platform is None else fees.platform)}\t"
            f"{_or_null(creator)}\t{_or_null(fees.share)}\t{_or_null(fact.transaction_fee)}\t"
            f"{_or_null(after.virtual_quote)}\t{_or_null(after.virtual_token)}\t{_raw(event.raw)}"
        )

    def values(self, row: Row) -> list[str | None]:
        """Return one value a column of :data:`COLUMNS`, for INSERT."""
        return [None if value == _NULL else value for value in self.line(row).split("\t")]

    def copy_text(self, rows: Iterable[Row]) -> str:
        """Return rows in COPY's text format."""
        return "\n".join(map(self.line, rows)) + "\n"


def _or_null(value: int | None) -> int | str:
    return _NULL if value is None else value


def _raw(raw: dict[str, Any]) -> str:
    """Keep the layout only where it tells something that the columns do not: most rows need no JSON at all."""
    layout: str = raw.get("layout", "")
    if not layout or (layout.startswith(_PLAIN_LAYOUTS) and not raw.get("unknown_bytes")):
        return _NULL
    return msgspec.json.encode({"layout": layout}).decode()


def positionless(rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose source did not say where in the transaction they happened."""
    return [row for row in rows if row.fact.event.event_index >= POSITIONLESS]
