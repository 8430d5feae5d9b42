"""What the parts of totals were made from: the stored inputs of the rows that each total names, for many at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from scoring.models import TokenScore

NAMES = ("technical", "holder", "social", "risk")


@dataclass(frozen=True, slots=True)
class Source:
    """The row behind one part of a total."""

    at: datetime
    policy_version: int
    inputs: Mapping[str, Any] | None
    """None when the row is not there any more."""


_INPUTS = """
SELECT a.id,
       coalesce(tech.inputs, s.inputs #> '{kept,technical}') AS technical,
       coalesce(hold.inputs, CASE WHEN frozen.score_time = a.holder_at THEN frozen.score -> 'inputs' END) AS holder,
       coalesce(soc.inputs, s.inputs #> '{kept,social}') AS social,
       coalesce(risk.inputs, CASE WHEN (frozen.risk ->> 'timestamp')::timestamptz = a.risk_at
                                  THEN frozen.risk -> 'inputs' END) AS risk
  FROM (
    SELECT id, token_id, (inputs #>> '{sources,technical,at}')::timestamptz AS technical_at,
           (inputs #>> '{sources,holder,at}')::timestamptz AS holder_at,
           (inputs #>> '{sources,social,at}')::timestamptz AS social_at,
           (inputs #>> '{sources,risk,at}')::timestamptz AS risk_at
      FROM token_scores WHERE id = ANY(%s)
  ) a
  JOIN token_scores s ON s.id = a.id
  JOIN tokens t ON t.id = a.token_id
  LEFT JOIN technical_scores tech ON tech.token_mint = t.mint_address AND tech.timestamp = a.technical_at
  LEFT JOIN holder_scores hold ON hold.token_mint = t.mint_address AND hold.timestamp = a.holder_at
  LEFT JOIN social_scores soc ON soc.token_id = t.id AND soc.calculated_at = a.social_at
  LEFT JOIN risk_metrics risk ON risk.token_mint = t.mint_address AND risk.timestamp = a.risk_at
  LEFT JOIN holder_score_freezes frozen ON frozen.token_mint = t.mint_address
"""


def of(scores: Sequence[TokenScore]) -> dict[UUID, dict[str, Source | None]]:
    """Return by score what each of its parts (:data:`NAMES`) was made from; None for a part that had no row."""
    with connection.cursor() as cursor:
        cursor.execute(_INPUTS, [[score.pk for score in scores]])
        found = {key: dict(zip(NAMES, inputs, strict=True)) for key, *inputs in _decoded(cursor.fetchall())}
    return {score.pk: {name: _source(score, name, found[score.pk][name]) for name in NAMES} for score in scores}


def _source(score: TokenScore, name: str, inputs: Mapping[str, Any] | None) -> Source | None:
    named = score.inputs.get("sources", {}).get(name)
    return named and Source(datetime.fromisoformat(named["at"]), named["policy_version"], inputs)


def _decoded(rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
    """Decode what Django leaves as text in the answer to a raw statement."""
    return [(key, *(json.loads(it) if isinstance(it, str) else it for it in inputs)) for key, *inputs in rows]
