"""Why a wallet is what it is called: each verdict carries the signals that speak for it, with their numbers, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Evidence:
    """One signal that was seen. ``weight`` is ``None`` where the signal alone decides."""

    signal: str
    words: str
    weight: Decimal | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the signal as it is stored: numbers are text."""
        weight = None if self.weight is None else str(self.weight)
        return {"signal": self.signal, "weight": weight, "numbers": dict(self.numbers), "words": self.words}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a wallet belongs to the class ``kind``, and why. ``score`` is the part of all weights that was seen, 0 to 1;
    ``None`` where the class is not weighed."""

    kind: str
    holds: bool
    evidence: tuple[Evidence, ...] = ()
    score: Decimal | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as it is stored."""
        score = None if self.score is None else str(self.score)
        return {"class": self.kind, "score": score, "evidence": [item.as_json() for item in self.evidence]}


def weighed(kind: str, seen: Iterable[Evidence], weights: Mapping[str, Decimal], *, threshold: Decimal) -> Verdict:
    """Return the verdict of signals whose weights are added and divided by the sum of all ``weights``."""
    evidence = tuple(seen)
    score = sum((item.weight or Decimal(0) for item in evidence), Decimal(0)) / sum(weights.values())
    return Verdict(kind, score >= threshold, evidence, round(score, 4))


def decided(kind: str, seen: Iterable[Evidence]) -> Verdict:
    """Return the verdict of signals of which each alone decides."""
    evidence = tuple(seen)
    return Verdict(kind, bool(evidence), evidence)
