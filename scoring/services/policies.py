"""The rules by which tokens are scored: which version holds, what a version says, and a new one published.

A version never changes, so what was read once is kept; which one is active is asked each time.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction

from megatron.core import audit, locks
from scoring.domain.policy import DEFAULT_TERMS, Policy
from scoring.domain.rescoring import Rules
from scoring.models import ScorePolicy

KEPT = 64
"""Versions that a process remembers."""


class NoPolicy(LookupError):
    """No version is active, or there is no such version: run the migrations, or look at the list of policies."""


class PolicyMoved(RuntimeError):
    """Somebody published a version meanwhile: look at it, then publish yours on top of it."""


class PolicyUnchanged(ValueError):
    """The terms are those of the active version: there is nothing to publish."""


def active() -> Policy:
    """Return the version that new scores are made by. Raises :class:`NoPolicy`."""
    found = ScorePolicy.objects.filter(active=True).values_list("pk", "version").first()
    if found is None:
        raise NoPolicy("No score policy is active: run the migrations.")
    return _read(*found)


def of(version: int) -> Policy:
    """Return the given version. Raises :class:`NoPolicy`."""
    return many([version])[version]


def many(versions: "list[int] | set[int]") -> dict[int, Policy]:
    """Return the given versions, with one query for all. Raises :class:`NoPolicy` for one that does not exist."""
    keys = dict(ScorePolicy.objects.filter(version__in=versions).values_list("version", "pk"))
    if missing := sorted(set(versions) - keys.keys()):
        raise NoPolicy(f"There is no version {missing[0]} of the score policy.")
    return {version: _read(key, version) for version, key in keys.items()}


def checked(terms: object, *, version: int = 0) -> Policy:
    """Return the policy of ``terms`` that somebody wrote, every section of it tried.

    Raises ``PolicyMalformed`` with a sentence that says which term is wrong and what to write.
    """
    policy = Policy.of(version, terms)
    Rules.of(policy)
    return policy


@transaction.atomic
def publish(
    *, terms: Mapping[str, Any], operator: str, reason: str, now: datetime, on_top_of: int | None = None
) -> ScorePolicy:
    """Make ``terms`` the active version, with an entry in the audit log of what differs; scores from now on point to it.

    ``on_top_of`` is the version that the operator began with: :class:`PolicyMoved` when another one is active by now.
    Raises ``PolicyMalformed`` for terms that are none, :class:`PolicyUnchanged` for the same again and ``ValueError``
    without a reason.
    """
    checked(terms)
    if not (reason := reason.strip()):
        raise ValueError("Say why: the version and the audit log keep the reason.")
    locks.hold_until_commit("score_policy.publish")
    before = ScorePolicy.objects.filter(active=True).first()
    if on_top_of is not None and (before is None or before.version != on_top_of):
        raise PolicyMoved(f"Version {before.version if before else 'none'} is active by now, not {on_top_of}.")
    if before is not None and before.terms == terms:
        raise PolicyUnchanged(f"These are the terms of version {before.version}: change something, or leave it.")
    newest = ScorePolicy.objects.order_by("-version").values_list("version", flat=True).first() or 0
    ScorePolicy.objects.filter(active=True).update(active=False)
    made = ScorePolicy.objects.create(
        version=newest + 1, active=True, terms=terms, reason=reason.replace("\0", ""), created_by=operator
    )
    old, new = differences(first=before.terms if before else {}, second=terms)
    audit.record(
        actor=operator,
        action="score_policy.publish",
        kind=made._meta.label_lower,
        key=made.version,
        reason=reason,
        before={"version": before.version if before else None, "terms": old},
        after={"version": made.version, "terms": new},
        now=now,
    )
    return made


def differences(*, first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the terms that differ, by their road (``holder.window.holders_at_least``), as each of the two says them."""
    old, new = _flat(first), _flat(second)
    roads = [road for road in {**old, **new} if old.get(road) != new.get(road)]
    return {road: old.get(road) for road in roads}, {road: new.get(road) for road in roads}


def _flat(terms: Mapping[str, Any], road: str = "") -> dict[str, Any]:
    """Return ``terms`` by their roads; a table is one term."""
    found: dict[str, Any] = {}
    for name, value in terms.items():
        here = f"{road}.{name}" if road else name
        found |= _flat(value, here) if isinstance(value, Mapping) else {here: value}
    return found


@lru_cache(KEPT)
def _read(key: UUID, version: int) -> Policy:
    terms = ScorePolicy.objects.values_list("terms", flat=True).get(pk=key)
    return Policy(version, _completed(terms, DEFAULT_TERMS))


def _completed(terms: Any, model: Any) -> Any:
    """Return ``terms`` with what a later release of the code added at its default, so that an old version still reads."""
    if not isinstance(model, Mapping) or not isinstance(terms, Mapping):
        return terms
    return {name: _completed(terms[name], inner) if name in terms else inner for name, inner in model.items()}
