"""The total of 999 points of many tokens: computed from the newest row of each part, written when something changed."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from megatron.core import ids
from scoring.domain import total
from scoring.domain.policy import Policy
from scoring.domain.total import Total
from scoring.selectors import totals as reads
from scoring.selectors.totals import CARRIED, STANDING, Gathered
from scoring.services import cache, policies

AT_ONCE = 2_000
"""Tokens that one statement reads and writes."""


@transaction.atomic
def refresh(*, mints: Collection[str], now: datetime) -> int:
    """Compute the totals of ``mints`` anew and write those that changed; return how many. For the transaction that wrote
    their parts: call it once, last.

    An unchanged total writes nothing. Two workers never compute the same token at once: the second waits, and then sees
    what the first one wrote. Mints that are no token are passed over. A token of which no part is known any more has no
    total from then on: its history stays, and nothing of it is the newest.
    """
    policy, written = policies.active(), 0
    for tokens in _batches(_tokens(mints)):
        _lock(tokens)
        rows, unknown = [], []
        for one in reads.gathered(tokens=tokens, terms=policy.total):
            found = total.score(one.inputs, policy.total)
            if found is None:
                unknown += [] if one.standing is None else [one.token_id]
            elif (row := _changed(one, found, policy, now)) is not None:
                rows.append(row)
        _write(rows)
        _forget_the_unknown(tokens, unknown)
        changed = [*(row["token_id"] for row in rows), *unknown]
        written += len(changed)
        if changed:
            transaction.on_commit(partial(cache.scored, ids=changed, now=now), robust=True)
    return written


def details_of(found: Total) -> dict[str, Any]:
    """Return what a row keeps in words: the multipliers that hold, the raised flags, and what nobody knows."""
    verdicts = (*found.multipliers, *found.flags)
    return {
        "multipliers": [one.as_json() for one in found.multipliers if one.holds],
        "flags": [one.as_json() for one in found.raised],
        "unknown": [one.name for one in verdicts if one.holds is None],
    }


def _changed(one: Gathered, found: Total, policy: Policy, now: datetime) -> dict[str, Any] | None:
    """Return the row to write; None when the standing one says the same."""
    row: dict[str, Any] = {
        "technical_score": found.technical,
        "holder_score": found.holder,
        "social_score": found.social,
        **one.blocks,
        "available_max": found.available_max,
        "completeness": found.completeness,
        "score_multiplier": found.multiplier,
        "is_disqualified": found.is_disqualified,
        "red_flags": [flag.name for flag in found.raised],
        "policy_version": policy.version,
    }
    standing = one.standing
    if standing is not None and all(standing[name] == row[name] for name in STANDING):
        return None
    return row | {
        "id": ids.new_id(),
        "token_id": one.token_id,
        # Whoever came second under the lock is later, whatever his clock said.
        "calculated_at": now if standing is None else max(now, standing["calculated_at"]),
        **{name: standing[name] if standing else None for name in CARRIED},
        "inputs": {**one.inputs.as_json(), "sources": one.sources},
        "score_details": details_of(found),
    }


_TYPES = {
    "id": "uuid",
    "token_id": "uuid",
    "calculated_at": "timestamptz",
    **dict.fromkeys(STANDING, "numeric"),
    "available_max": "integer",
    "is_disqualified": "boolean",
    "red_flags": "text[]",
    "policy_version": "integer",
    "ml_graduation_probability": "numeric",
    "ml_confidence_score": "numeric",
    "ml_model_version": "text",
    "inputs": "jsonb",
    "score_details": "jsonb",
}
_WRITE = f"""
WITH made AS (
    INSERT INTO token_scores ({", ".join(_TYPES)})
    SELECT {", ".join(_TYPES)}
      FROM jsonb_to_recordset(%s::jsonb) AS r({", ".join(f"{name} {kind}" for name, kind in _TYPES.items())})
    RETURNING id, token_id, calculated_at, technical_score, holder_score, social_score, total_adjusted, total_ratio
)
UPDATE latest_token_scores l
   SET score_id = made.id, calculated_at = made.calculated_at, technical_score = made.technical_score,
       holder_score = made.holder_score, social_score = made.social_score, total_adjusted = made.total_adjusted,
       total_ratio = made.total_ratio
  FROM made WHERE l.token_id = made.token_id
"""  # the names are ours


def _write(rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [json.dumps(rows, cls=DjangoJSONEncoder)])


def _tokens(mints: Collection[str]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM tokens WHERE mint_address = ANY(%s) ORDER BY id", [list(mints)])
        return [key for (key,) in cursor.fetchall()]


def _batches(tokens: list[UUID]) -> Iterator[list[UUID]]:
    yield from (tokens[start : start + AT_ONCE] for start in range(0, len(tokens), AT_ONCE))


def _lock(tokens: list[UUID]) -> None:
    """Hold the row of each token's newest score until the commit, in the order of their ids; make it where there is none.

    What another worker wrote meanwhile is visible to the next statement.
    """
    held = 0
    with connection.cursor() as cursor:
        # A row that was there is gone when a clean-up removes it in between.
        while held < len(tokens):
            cursor.execute(
                "INSERT INTO latest_token_scores (token_id) SELECT id FROM unnest(%s::uuid[]) AS t(id) ORDER BY id"
                " ON CONFLICT DO NOTHING",
                [tokens],
            )
            cursor.execute(
                "SELECT token_id FROM latest_token_scores WHERE token_id = ANY(%s) ORDER BY token_id FOR NO KEY UPDATE",
                [tokens],
            )
            held = len(cursor.fetchall())


def _forget_the_unknown(tokens: list[UUID], unknown: list[UUID]) -> None:
    """Let ``tokens`` without a total have none in the lists, and ``unknown`` ones none any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM latest_token_scores WHERE token_id = ANY(%s) AND (score_id IS NULL OR token_id = ANY(%s))",
            [tokens, unknown],
        )
