"""Trades as rows of ``transactions``: the text that COPY and INSERT take, exact to the last digit."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tokens.choices import TransactionType
from tokens.domain.events import POSITIONLESS, Fees
from tokens.domain.facts import TradeFact
from tokens.domain.numbers import PRICE_PLACES, USD_PLACES, price_scaled, usd_scaled
from tokens.models.transaction import FEE_COLUMNS, FEES_IN_TOKEN
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
    "real_quote_reserves",
    "real_token_reserves",
    "transaction_index",
)

_GIVES_QUOTE = frozenset({TransactionType.BUY.value, TransactionType.ADD_LIQUIDITY.value})
_NULL = r"\N"
_PLAIN_LAYOUTS = ("TradeEvent/", "BuyEvent/", "SellEvent/")


def ordered(trades: Sequence[TradeFact]) -> list[TradeFact]:
    """Return each trade once, in an order that is the same for every writer: block time, signature, place."""
    if len({(fact.event.signature, fact.event.event_index) for fact in trades}) < len(trades):
        trades = list({(fact.event.signature, fact.event.event_index): fact for fact in trades}.values())
    return sorted(trades, key=_place)


def _place(fact: TradeFact) -> tuple[int, str, int]:
    return fact.block_time, fact.event.signature, fact.event.event_index


class Writer:
    """Turns trades into rows. Remembers what many rows share: a second's timestamp and SOL price, a pool's ids."""

    def __init__(self, sides: dict[str, Sides], usd: Window) -> None:
        self._sides = sides
        self._usd = usd
        self._seconds: dict[int, tuple[str, int | None]] = {}

    def line(self, fact: TradeFact) -> str:
        """Return one row in COPY's text format, without its line end. Nothing in it needs escaping but the JSON, which is."""
        event = fact.event
        side = self._sides[fact.pool]
        quote, base = fact.quote_raw, fact.token_raw
        places, token_places = side.quote_decimals, side.token_decimals
        shared = self._seconds.get(fact.block_time)
        if shared is None:
            shared = self._second(fact.block_time)
        at, micro = shared
        if not side.in_sol:
            micro = self._usd.of(side.quote_mint).at(fact.block_time)
        sol = price = price_usd = sol_usd = _NULL
        if base and places is not None:
            scaled = price_scaled(quote, base, places, token_places)
            price = f"{scaled}e-{PRICE_PLACES}"
            if micro is not None:
                price_usd = f"{usd_scaled(scaled, PRICE_PLACES, micro)}e-{USD_PLACES}"
        if side.in_sol:
            sol = f"{quote}e-9"
            if micro is not None:
                sol_usd = f"{quote * micro}e-15"
        elif micro is not None and places is not None:
            sol_usd = f"{usd_scaled(quote, places, micro)}e-{USD_PLACES}"
        after = fact.after
        protocol, lp, creator, share = charged = _fees(event.fees)
        raw = _raw(event.raw)
        if side.fees_in_token:
            protocol = lp = creator = share = None
            raw = _raw(event.raw, charged)
        quote_side, token_side = f"{quote}\t{_NULL if places is None else places}", f"{base}\t{token_places}"
        amounts = f"{quote_side}\t{token_side}" if fact.type in _GIVES_QUOTE else f"{token_side}\t{quote_side}"
        return (
            f"{fact.id}\t{event.signature}\t{event.event_index}\t{side.pool_id}\t{side.token_id}\t{at}\t{fact.slot}\t"
            f"{fact.commitment}\t{fact.type}\t{event.user}\t{amounts}\t{sol}\t{base}e-{token_places}\t{price}\t"
            f"{price_usd}\t{sol_usd}\t{_NULL if protocol is None else protocol}\t{_NULL if lp is None else lp}\t"
            f"{_NULL if creator is None else creator}\t{_NULL if share is None else share}\t"
            f"{_NULL if fact.transaction_fee is None else fact.transaction_fee}\t"
            f"{_NULL if after.virtual_quote is None else after.virtual_quote}\t"
            f"{_NULL if after.virtual_token is None else after.virtual_token}\t{raw}\t"
            f"{_NULL if fact.real is None or fact.real.real_quote is None else fact.real.real_quote}\t"
            f"{_NULL if fact.real is None or fact.real.real_token is None else fact.real.real_token}\t"
            f"{_NULL if fact.transaction_index is None else fact.transaction_index}"
        )

    def _second(self, block_time: int) -> tuple[str, int | None]:
        at = datetime.fromtimestamp(block_time, UTC).isoformat()
        self._seconds[block_time] = shared = (at, self._usd.at(block_time))
        return shared

    def values(self, fact: TradeFact) -> list[str | None]:
        """Return one value a column of :data:`COLUMNS`, for INSERT."""
        return [None if value == _NULL else value for value in self.line(fact).split("\t")]

    def copy_text(self, facts: Iterable[TradeFact]) -> str:
        """Return rows in COPY's text format."""
        return "\n".join(map(self.line, facts)) + "\n"


_Charged = tuple[int | None, int | None, int | None, int | None]


def _fees(fees: Fees) -> _Charged:
    """Return a trade's fees in the order of the columns: protocol, platform or liquidity providers, creator, share."""
    creator = (fees.creator or 0) + fees.cashback if fees.cashback else fees.creator
    return fees.protocol, fees.lp if fees.platform is None else fees.platform, creator, fees.share


def _raw(raw: dict[str, Any], in_token: _Charged | None = None) -> str:
    """Keep what tells something that the columns do not, the layout and who else paid the network: most rows need no JSON at all.

    ``in_token`` are fees that were charged in the token: the fee columns are in the quote.
    """
    kept: dict[str, Any] = {name: raw[name] for name in ("layout", "fee_payer") if raw.get(name)}
    layout: str = kept.get("layout", "")
    if layout.startswith(_PLAIN_LAYOUTS) and not raw.get("unknown_bytes"):
        del kept["layout"]
    if in_token is not None:
        known = zip(FEE_COLUMNS, in_token, strict=True)
        kept[FEES_IN_TOKEN] = {name: str(amount) for name, amount in known if amount is not None}
    return msgspec.json.encode(kept).decode() if kept else _NULL


def positionless(facts: Iterable[TradeFact]) -> list[TradeFact]:
    """Return the trades whose source did not say where in the transaction they happened."""
    return [fact for fact in facts if fact.event.event_index >= POSITIONLESS]
