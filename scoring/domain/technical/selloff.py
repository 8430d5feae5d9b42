"""The answer to sell-offs, -60 to 75 points: pressure of falling prices (40 at most) and recovery (35).

Repaired (G2): an absent event is no event; a long fall is never better than a short one; a fall that ended more than
five minutes ago still counts; every candle red is as many red ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from scoring.domain.points import ZERO, Component, Part, Steps, rounded, text
from scoring.domain.technical import trading
from scoring.domain.terms import PolicyMalformed, Section

DEFAULTS: dict[str, Any] = {
    # What a fall is called, by the deepest of 5, 15 and 30 minutes (percent).
    "severity": {"minor": "5", "moderate": "15", "severe": "30"},
    # An open event has recovered after so many minutes at so much of its top, and expires else.
    "event": {"recovered_at": "0.9", "recovered_minutes": "2", "expires_minutes": "60"},
    # A sell-off is going on when a fall is deeper than one of these (percent), so many candles are red, or one is open.
    "active_5m": "10",
    "active_15m": "15",
    "active_30m": "20",
    "active_red": "3",
    # The fall that counts is that of five minutes, or so much of that of fifteen.
    "share_15m": "0.6",
    "calm": "40",
    # Falls below both bounds, in percent.
    "slight": {"below_5m": "5", "below_15m": "10", "points": "30"},
    "mild": {"below_5m": "10", "below_15m": "15", "points": "15"},
    # Below: start less slope a percent, not less than least.
    "steep": {"below_5m": "20", "start": "10", "slope": "2", "least": "-20"},
    "hard": {"below_5m": "30", "points": "-30"},
    "crash": {"above_15m": "25", "points_15m": "-40", "points": "-40"},
    # One point for each two minutes that an event is open.
    "minutes_a_point": "2",
    "most_for_duration": "20",
    # For trades younger than 5, 15 and 30 minutes.
    "weights": ["1.5", "1.0", "0.5"],
    "quiet": "35",
    "recovery": [
        {"to": "0.5", "points": "0"},
        {"to": "0.8", "points": "2"},
        {"to": "1", "points": "5"},
        {"to": "1.2", "points": "10"},
        {"to": "1.5", "points": "15"},
        {"to": "2", "points": "20"},
        {"to": "3", "points": "30"},
        {"points": "35"},
    ],
    "no_red": "5",
    "least": "-60",
    "most": "75",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The section of a policy that this part reads, read once."""

    active: tuple[Decimal, Decimal, Decimal]
    active_red: int
    share_15m: Decimal
    calm: Decimal
    slight: tuple[Decimal, Decimal, Decimal]
    mild: tuple[Decimal, Decimal, Decimal]
    steep: tuple[Decimal, Decimal, Decimal, Decimal]
    hard: tuple[Decimal, Decimal]
    crash: tuple[Decimal, Decimal, Decimal]
    minutes_a_point: int
    most_for_duration: Decimal
    weights: tuple[Decimal, ...]
    quiet: Decimal
    recovery: Steps
    no_red: Decimal
    least: Decimal
    most: Decimal

    @classmethod
    def of(cls, section: Section) -> Self:
        """Return the terms in ``section``."""
        if section.whole("minutes_a_point") < 1:
            raise PolicyMalformed(f"{section.name}.minutes_a_point: write 1 or more.")
        slight, mild, steep = section.section("slight"), section.section("mild"), section.section("steep")
        hard, crash = section.section("hard"), section.section("crash")
        return cls(
            active=(section.number("active_5m"), section.number("active_15m"), section.number("active_30m")),
            active_red=section.whole("active_red"),
            share_15m=section.number("share_15m"),
            calm=section.number("calm"),
            slight=(slight.number("below_5m"), slight.number("below_15m"), slight.number("points")),
            mild=(mild.number("below_5m"), mild.number("below_15m"), mild.number("points")),
            steep=(
                steep.number("below_5m"),
                steep.number("start"),
                steep.number("slope"),
                steep.number("least"),
            ),
            hard=(hard.number("below_5m"), hard.number("points")),
            crash=(crash.number("above_15m"), crash.number("points_15m"), crash.number("points")),
            minutes_a_point=section.whole("minutes_a_point"),
            most_for_duration=section.number("most_for_duration"),
            weights=trading.weights_of(section, 3),
            quiet=section.number("quiet"),
            recovery=Steps.of(section.rows("recovery"), name=f"{section.name}.recovery"),
            no_red=section.number("no_red"),
            least=section.number("least"),
            most=section.number("most"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """What the market did: falls in percent (0 or more), red candles in a row, how long an event is open, recovery."""

    drop_5m: Decimal
    drop_15m: Decimal
    drop_30m: Decimal
    red: int
    minutes: int | None
    """Since the open event began; None without one."""
    recovery: Decimal
    """Weighted buys over sells of half an hour; 1 without trades."""

    def is_active(self, terms: Terms) -> bool:
        """Return whether a sell-off is going on; an absent event is no event (G2, defect 1)."""
        deep = (self.drop_5m, self.drop_15m, self.drop_30m)
        return (
            any(drop > bound for drop, bound in zip(deep, terms.active, strict=True))
            or self.red >= terms.active_red
            or (self.minutes or 0) > 0
        )


def drop(*, first: Decimal | None, last: Decimal | None) -> Decimal | None:
    """Return by how many percent ``last`` is below ``first``, 0 when it is not; None when a price is not known."""
    if not first or last is None:
        return None
    return max(ZERO, (first - last) / first * 100)


def red_in_a_row(candles: Iterable[tuple[Decimal, Decimal]]) -> int:
    """Return how many of the newest ``candles`` (open, close; newest first) closed lower before one that did not.

    All red are as many as there are (G2, defect 4).
    """
    count = 0
    for opened, closed in candles:
        if closed >= opened:
            break
        count += 1
    return count


def recovery(terms: Terms, *, buys: Sequence[Decimal], sells: Sequence[Decimal]) -> Decimal:
    """Return weighted buys over sells of half an hour, at most 999; 1 without trades."""
    found = trading.ratio(terms.weights, buys=buys[:3], sells=sells[:3])
    return Decimal(1) if found is None else found


def score(terms: Terms, fall: Fall | None, *, is_silent: bool = False) -> Part:
    """Return the lines; all unknown when ``fall`` is None because a price is not known, none with points when nobody
    traded for an hour: silence is no strength (G16)."""
    if fall is None or is_silent:
        reason = "No price is known to compare with."
        points, inputs = None, {}
        if fall is not None:
            reason = "No trade of the last hour forms a price: silence is no strength."
            points, inputs = ZERO, {"is_silent": "true"}
        lines_of_none = (("pressure", terms.calm), ("recovery", terms.quiet))
        silent = tuple(Component(name, points, most, reason, inputs) for name, most in lines_of_none)
        return Part("selloff_response", silent, terms.most)
    active = fall.is_active(terms)
    lines = [_pressure(terms, fall)]
    if (fall.minutes or 0) > 0:
        lines.append(_duration(terms, fall.minutes or 0))
    lines.append(_recovery(terms, fall, active))
    if active and fall.red == 0:
        lines.append(Component("no_red", terms.no_red, ZERO, "The newest minute did not close lower.", {"red": "0"}))
    total = sum((line.points or ZERO for line in lines), ZERO)
    kept = max(terms.least, min(terms.most, total))
    if kept != total:
        reason = f"This part is kept within {terms.least} and {terms.most}."
        lines.append(Component("limit", kept - total, ZERO, reason, {}))
    return Part("selloff_response", tuple(lines), terms.most)


def _pressure(terms: Terms, fall: Fall) -> Component:
    points, words = _fallen(terms, fall)
    inputs = {"drop_5m": text(fall.drop_5m), "drop_15m": text(fall.drop_15m)}
    said = (
        f"The price is {fall.drop_5m:.2f} % below the highest of five minutes and {fall.drop_15m:.2f} % below that of"
        f" fifteen: {words}."
    )
    return Component("pressure", rounded(points), terms.calm, said, inputs)


def _fallen(terms: Terms, fall: Fall) -> tuple[Decimal, str]:
    if fall.drop_5m <= 0 and fall.drop_15m <= 0:
        return terms.calm, "no fall"
    # A fall of fifteen minutes is looked at first: with it a deeper one is never better (G2, defect 2).
    if fall.drop_15m > terms.crash[0]:
        return terms.crash[1], f"more than {terms.crash[0]} % in fifteen minutes"
    # What ended six minutes ago still counts (G2, defect 3).
    deep = max(fall.drop_5m, fall.drop_15m * terms.share_15m)
    for (below_5m, below_15m, points), words in ((terms.slight, "a slight fall"), (terms.mild, "a mild fall")):
        if deep < below_5m and fall.drop_15m < below_15m:
            return points, words
    below_5m, start, slope, least = terms.steep
    if deep < below_5m:
        return max(least, start - slope * deep), f"a steep fall that counts as {deep:.2f} %"
    if deep < terms.hard[0]:
        return terms.hard[1], f"a hard fall that counts as {deep:.2f} %"
    return terms.crash[2], f"a crash that counts as {deep:.2f} %"


def _duration(terms: Terms, minutes: int) -> Component:
    lost = min(terms.most_for_duration, Decimal(minutes // terms.minutes_a_point))
    said = f"The sell-off has been going on for {minutes} minutes."
    return Component("duration", -lost, ZERO, said, {"minutes": str(minutes)})


def _recovery(terms: Terms, fall: Fall, active: bool) -> Component:
    inputs = {
        "recovery": text(fall.recovery),
        "red": str(fall.red),
        "drop_30m": text(fall.drop_30m),
        "active": "true" if active else "false",
    }
    if not active:
        return Component("recovery", terms.quiet, terms.quiet, "No sell-off is going on.", inputs)
    read = terms.recovery.at(fall.recovery)
    said = f"Weighted buys are {fall.recovery:.2f} times the sells of half an hour, which is {read.words}."
    return Component("recovery", rounded(read.points), terms.quiet, said, inputs)
