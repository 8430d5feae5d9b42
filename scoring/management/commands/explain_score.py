"""``manage.py explain_score``: why a token has its score, line by line."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from megatron.core.clock import utc_now
from megatron.core.commands import MINT_LENGTH, DoorCommand, time_of, words
from scoring.domain.points import Component, text
from scoring.domain.verdicts import Verdict
from scoring.services import explain
from scoring.services.explain import Explanation, PartExplained
from tokens.models import Token
from tokens.selectors import tokens

_EXAMPLES = """\
  manage.py explain_score MINT                               why it has its score now
  manage.py explain_score MINT --at 2026-07-04T12:30:00Z     why it had its score then
  manage.py explain_score MINT --json                        the same for programs

Exit codes: 0 explained, 1 computing it again gave another number, 2 there is no such token or no score at that time.
"""
_WIDE = 24
_TITLES = {"technical": "Technical", "holder": "Holders", "social": "Social"}


class Command(DoorCommand):
    """Prints every line of a score, what is unknown and why, and computes it again."""

    help = "Say why a token has its score: every line with its inputs, points and reason."

    examples = _EXAMPLES

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("mint", type=words(MINT_LENGTH), metavar="MINT", help="the token's address")
        parser.add_argument(
            "--at", type=time_of, metavar="TIME", help="as it was then, ISO-8601; UTC without an offset"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Explain, and exit with 1 when computing again gives something else."""
        try:
            token = tokens.get_token(options["mint"])
            explained = explain.explain(token=token, at=options["at"], now=utc_now())
        except Token.DoesNotExist:
            raise CommandError(f"No token {options['mint']} is known.", returncode=2) from None
        except explain.NotScored as refusal:
            raise CommandError(str(refusal), returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps(explain.as_json(explained), cls=DjangoJSONEncoder, indent=2))
        else:
            self.stdout.write("\n".join(_lines(explained)))
        if not explained.is_same:
            raise CommandError("Computed again from its stored inputs it is another number.", returncode=1)


def _lines(explained: Explanation) -> Iterator[str]:
    score = explained.score
    yield str(explained.token)
    yield f"Score of {score.calculated_at:%Y-%m-%d %H:%M:%S} UTC, policy version {score.policy_version}"
    yield ""
    yield f"TOTAL {score.total_adjusted} of {score.available_max} ({_ratio(score.total_ratio)})"
    yield (
        f"  {text(score.total_raw)} points × {text(score.score_multiplier)}"
        f"{', and 0 because of a hard red flag' if score.is_disqualified else ''};"
        f" {score.completeness:.1f} % of the data for 999 points was there"
    )
    for part in explained.parts:
        yield ""
        yield from _part(part)
    yield ""
    yield "MULTIPLIERS"
    yield from (_verdict(one, f"× {text(one.factor)}" if one.holds else "") for one in explained.multipliers)
    yield ""
    yield "RED FLAGS"
    yield from (_verdict(one, ("hard" if one.hard else "soft") if one.holds else "") for one in explained.flags)
    yield ""
    yield _checked(explained)


def _part(part: PartExplained) -> Iterator[str]:
    title = _TITLES[part.name].upper()
    if part.points is None:
        yield f"{title} unknown"
        yield f"  {part.why_unknown}"
        return
    signed = ""
    if part.stored.points is not None and part.stored.points < 0:
        signed = f" (counted {text(part.stored.points)}; what is below zero adds nothing)"
    yield f"{title} {text(part.points)} of {text(part.stored.available)}{signed}"
    yield f"  measured {part.at:%Y-%m-%d %H:%M:%S} UTC, policy version {part.policy_version}"
    if not part.blocks:
        yield "  Its lines are not stored any more; the points are as they were stored."
    for block in part.blocks:
        yield f"  {_name(block.name)}: {_points(block.points)} of {text(block.most)}"
        yield from (_line(line) for line in block.components)


def _line(line: Component) -> str:
    given = "—" if line.points is None else f"{line.points.quantize(Decimal('0.01')):f}"
    return f"    {_name(line.name):<{_WIDE - 2}}{given:>8} of {text(line.most):<6} {line.reason}"


def _verdict(one: Verdict, mark: str) -> str:
    state = "unknown" if one.holds is None else "yes" if one.holds else "no"
    return f"  {_name(one.name):<{_WIDE}}{state:<8}{mark:<8} {one.reason.removeprefix('Unknown: ')}"


def _checked(explained: Explanation) -> str:
    gone = [_TITLES[part.name] for part in explained.parts if part.points is not None and part.is_same is None]
    without = f" The lines of {' and '.join(gone)} are not stored any more and were taken as they were." if gone else ""
    if explained.is_same:
        return f"Computed again from its stored inputs: {explained.again.adjusted}, the same.{without}"
    return f"Computed again from its stored inputs: {explained.again.adjusted}, NOT the same.{without}"


def _points(points: Decimal | None) -> str:
    return "unknown" if points is None else f"{points.quantize(Decimal('0.01')):f}"


def _name(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _ratio(ratio: Decimal | None) -> str:
    return "nothing was to be had" if ratio is None else f"{ratio * 100:.1f} % of what was to be had"
