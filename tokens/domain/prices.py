"""Which of several sources' prices of one coin to believe.

A price is used only if nothing speaks against it. First each price stands for itself: a positive number, young, sure enough,
still moving. Then they are compared:

* Two or more: those within 5 % of the median are used if they are the majority; with two sources that means, if the two
  agree. Otherwise the price that was used last decides, if it is young: those within 5 % of it are used if they agree with one
  another. So of two sources that fall out, the one that goes on where both were is believed, and if both or neither do,
  nobody is: a missing price is filled in later, a wrong one is not found again.
* One alone: used unless it is more than 10 % away from a young last price. A real jump of that size, seen by one source, is
  believed ten minutes later.

One liar among three changes nothing for the two others: the median of three is a price between theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from tokens.choices import PriceDrop

FUTURE = timedelta(seconds=15)
"""How far a source's clock and a slow answer may run ahead of ours."""
STALE = timedelta(seconds=60)
FROZEN_REPEATS = 5
"""So many times in a row the same price of the same moment."""
FROZEN = timedelta(minutes=5)
"""Unmoved for longer, while another source moved."""
FROZEN_ALONE = timedelta(minutes=15)
"""Unmoved for longer, whatever the others did: no price stands still to the last digit."""
CONFIDENCE = Fraction(1, 100)
APART = Fraction(5, 100)
STEP = Fraction(10, 100)
YOUNG = timedelta(minutes=10)
"""How long the price that was used last can be a witness."""

LEAST, MOST = Decimal("0.0000005"), Decimal(10**14)
"""What six decimals and twenty digits hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One source's price of one whole coin. ``at`` is when the source says it held."""

    source: str
    price_usd: Decimal
    at: datetime
    confidence: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What is remembered of one source: its newest price as text, and for how long it has been that."""

    price: str
    at: datetime | None
    unmoved_since: datetime
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The price that was used last, and of when it is."""

    price_usd: Decimal
    at: datetime


def followed(track: Track | None, quote: Quote, *, now: datetime) -> Track:
    """Return the track of a source with its newest answer."""
    price = str(quote.price_usd)[:60]
    if track is None or track.price != price:
        return Track(price=price, at=quote.at, unmoved_since=now, repeats=1)
    repeats = track.repeats + 1 if track.at == quote.at else 1
    return Track(price=price, at=quote.at, unmoved_since=track.unmoved_since, repeats=repeats)


def judged(
    quotes: Sequence[Quote], *, tracks: Mapping[str, Track], last: Used | None, now: datetime
) -> Mapping[str, PriceDrop | None]:
    """Return what speaks against each source's price, ``None`` for a price to be used; in no order.

    ``quotes`` are one a source; ``tracks`` include them.
    """
    verdicts: dict[str, PriceDrop | None] = {quote.source: _fault(quote, tracks, now) for quote in quotes}
    sound = {quote.source: Fraction(quote.price_usd) for quote in quotes if verdicts[quote.source] is None}
    young = Fraction(last.price_usd) if last is not None and now - last.at <= YOUNG else None
    return {**verdicts, **_compared(sound, young)}


def _fault(quote: Quote, tracks: Mapping[str, Track], now: datetime) -> PriceDrop | None:
    """Return what speaks against a price by itself."""
    price, confidence = quote.price_usd, quote.confidence
    if not price.is_finite() or not LEAST <= price < MOST:
        return PriceDrop.NOT_POSITIVE
    if quote.at > now + FUTURE:
        return PriceDrop.FROM_FUTURE
    if _is_frozen(quote.source, tracks, now):
        return PriceDrop.FROZEN
    if now - quote.at > STALE:
        return PriceDrop.STALE
    if confidence is not None and not (
        confidence.is_finite() and 0 <= Fraction(confidence) <= CONFIDENCE * Fraction(price)
    ):
        return PriceDrop.UNSURE
    return None


def _is_frozen(source: str, tracks: Mapping[str, Track], now: datetime) -> bool:
    track = tracks.get(source)
    if track is None:
        return False
    unmoved = now - track.unmoved_since
    others_moved = any(other.unmoved_since > track.unmoved_since for other in tracks.values())
    return track.repeats >= FROZEN_REPEATS or unmoved > FROZEN_ALONE or (unmoved > FROZEN and others_moved)


def _compared(sound: Mapping[str, Fraction], last: Fraction | None) -> Mapping[str, PriceDrop | None]:
    if len(sound) == 1:
        ((source, price),) = sound.items()
        jumped = last is not None and abs(price - last) > STEP * last
        return {source: PriceDrop.JUMPED if jumped else None}
    agreed = _agreed(sound)
    if agreed:
        return {source: None if source in agreed else PriceDrop.FAR_OFF for source in sound}
    near = {} if last is None else {s: price for s, price in sound.items() if abs(price - last) <= APART * last}
    if near and _agree(near):
        return {source: None if source in near else PriceDrop.FAR_OFF for source in sound}
    return dict.fromkeys(sound, PriceDrop.DISPUTED)


def _agreed(sound: Mapping[str, Fraction]) -> frozenset[str]:
    """Return the majority that agrees, nobody if there is none."""
    if len(sound) < 3:
        return frozenset(sound) if _agree(sound) else frozenset()
    prices = sorted(sound.values())
    median = (prices[(len(prices) - 1) // 2] + prices[len(prices) // 2]) / 2
    near = frozenset(source for source, price in sound.items() if abs(price - median) <= APART * median)
    return near if 2 * len(near) > len(sound) else frozenset()


def _agree(sound: Mapping[str, Fraction]) -> bool:
    """Say whether all prices are within 5 % of the lowest."""
    prices = sound.values()
    return not prices or max(prices) - min(prices) <= APART * min(prices)
