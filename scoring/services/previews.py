"""What another version of the rules would make of the newest scores: how many tokens would move, by how much, and which
most. Both versions compute the same stored inputs, so that only the rules differ; nothing is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from scoring.domain import total
from scoring.domain.policy import Policy
from scoring.domain.rescoring import Rules, total_again
from scoring.domain.total import Total
from scoring.models import LatestTokenScore, TokenScore
from scoring.selectors import sources
from scoring.services import policies
from tokens.models import Token

LIMIT = 1_000
"""Tokens that a page compares: the ones whose score changed last."""
SHOWN = 20
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One token by both versions; ``None`` is no total at all."""

    token: Token
    score: TokenScore
    before: Total
    after: Total

    @property
    def by(self) -> int:
        """Points of ``total_adjusted``, signed."""
        return self.after.adjusted - self.before.adjusted

    @property
    def raised(self) -> Sequence[str]:
        """Red flags that only the second version raises."""
        return sorted({flag.name for flag in self.after.raised} - {flag.name for flag in self.before.raised})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Two versions side by side over the newest scores."""

    first: int
    second: int
    """0 for terms that are not published."""
    compared: int
    up: int
    down: int
    high_before: int
    high_after: int
    """Tokens above the ratio that each version calls high."""
    disqualified_before: int
    disqualified_after: int
    mean_change: float
    """Points, signed, over all that were compared."""
    largest: tuple[Move, ...]
    """The moves of most points, either way."""

    @property
    def moved(self) -> int:
        """Tokens whose total would be another."""
        return self.up + self.down


def preview(*, terms: object, limit: int = LIMIT) -> Preview:
    """Return what ``terms`` would make of the newest scores, against the active version. Raises ``PolicyMalformed``."""
    return _compare(policies.active(), policies.checked(terms), limit)


def side_by_side(*, first: int, second: int, limit: int = LIMIT) -> Preview:
    """Return what two published versions make of the newest scores. Raises ``policies.NoPolicy``."""
    found = policies.many({first, second})
    return _compare(found[first], found[second], limit)


def _compare(first: Policy, second: Policy, limit: int) -> Preview:
    old, new = Rules.of(first), Rules.of(second)
    moves = list(_moves(old, new, limit))
    changed = [move for move in moves if move.by]
    return Preview(
        first=first.version,
        second=second.version,
        compared=len(moves),
        up=sum(move.by > 0 for move in changed),
        down=sum(move.by < 0 for move in changed),
        high_before=sum(total.is_high(move.before.ratio, old.total) for move in moves),
        high_after=sum(total.is_high(move.after.ratio, new.total) for move in moves),
        disqualified_before=sum(move.before.is_disqualified for move in moves),
        disqualified_after=sum(move.after.is_disqualified for move in moves),
        mean_change=fmean(move.by for move in moves) if moves else 0.0,
        largest=tuple(sorted(changed, key=lambda move: (-abs(move.by), str(move.token.pk)))[:SHOWN]),
    )


def _moves(old: Rules, new: Rules, limit: int) -> Iterator[Move]:
    newest = (
        LatestTokenScore.objects.filter(score__isnull=False)
        .select_related("score", "token")
        .defer("score__score_details", "token__metadata")
        .order_by("-calculated_at", "-token")[:limit]
    )
    rows = [row.score for row in newest if row.score is not None]
    named = {row.score_id: row.token for row in newest}
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        found = sources.of(some)
        for score in some:
            parts = {name: source.inputs if source else None for name, source in found[score.pk].items()}
            before, after = total_again(score.inputs, parts, old), total_again(score.inputs, parts, new)
            if before is not None and after is not None:
                yield Move(token=named[score.pk], score=score, before=before, after=after)
