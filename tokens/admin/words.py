"""What selectors found out, in words that a person understands."""

from dataclasses import dataclass

from tokens.models import Pool
from tokens.selectors.completeness import Completeness, Evidence

_REASONS = {
    Evidence.CONSERVATION: "each stored trade follows from the one before",
    Evidence.COVERAGE: "its venue was compared with the finalized chain",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One pool's completeness as a line, why it is so, and what is in doubt; ``tone`` is good, warn or empty."""

    pool: Pool
    line: str
    why: str
    doubts: str
    tone: str


def of_completeness(pool: Pool, known: Completeness) -> Said:
    """Return what is known of ``pool`` in words."""
    doubts = ", ".join(
        f"{hole.slot_from:,} to {hole.slot_to:,} ({hole.cause.label.lower()}{', accepted' if hole.is_accepted else ''})"
        for hole in known.holes[-3:]
    )
    if len(known.holes) > 3:
        doubts = f"{doubts} and {len(known.holes) - 3} earlier ones"
    if known.span is None:
        return Said(pool, "Not known to be complete", _why_not(known), doubts, "warn" if known.holes else "")
    line = f"Complete from slot {known.span.slot_from:,} to slot {known.span.slot_to:,}"
    if known.span.from_start:
        line = f"{line}, from its creation on"
    why = " and ".join(_REASONS[kind] for kind in known.span.by)
    # What follows from itself is whole; whether more came after it only a venue that is watched tells.
    tone = "warn" if known.holes else "good" if known.is_watched else ""
    return Said(pool, line, f"{why[:1].upper()}{why[1:]}.", doubts, tone)


def _why_not(known: Completeness) -> str:
    if known.waiting:
        messages = "message waits" if known.waiting == 1 else "messages wait"
        return f"{known.waiting} rejected {messages} for it: one of them may be a trade."
    if known.is_held:
        return "Its venue is quarantined, or what was kept meanwhile is not stored yet."
    if not known.is_watched:
        return "Nobody compares its venue with the chain, and no stored trades follow from each other."
    return "Open gaps cover all that was compared with the chain."
