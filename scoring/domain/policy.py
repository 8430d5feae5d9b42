"""A version of the rules by which tokens are scored: every breakpoint and weight, validated, as typed sections.

Each part of the score owns the defaults of its section; here they are put together. A number is text, a table is a list
of rows as ``points.Ramp`` reads it, a switch is true or false.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from scoring.domain import holder, risk, social, technical, total
from scoring.domain.points import Ramp
from scoring.domain.terms import PolicyMalformed, Section, decimal

DEFAULT_TERMS: dict[str, dict[str, Any]] = {
    "technical": technical.DEFAULTS,
    "holder": holder.DEFAULTS,
    "risk": risk.DEFAULTS,
    "social": social.DEFAULTS,
    "total": total.DEFAULTS,
}
"""What version 1 says."""


@dataclass(frozen=True)
class Policy:
    """One version's terms; :meth:`of` has compared them with :data:`DEFAULT_TERMS`: the same names, values that fit."""

    version: int
    terms: Mapping[str, Any]

    @classmethod
    def of(cls, version: int, terms: object) -> Self:
        """Return the policy of the stored ``terms``; ``PolicyMalformed`` says which term is wrong and what to write."""
        _compare(terms, DEFAULT_TERMS, "")
        assert isinstance(terms, Mapping)
        return cls(version, terms)

    @property
    def technical(self) -> Section:
        """Terms of the technical score."""
        return self._section("technical")

    @property
    def holder(self) -> Section:
        """Terms of the holder score."""
        return self._section("holder")

    @property
    def risk(self) -> Section:
        """Terms of the risk metrics."""
        return self._section("risk")

    @property
    def social(self) -> Section:
        """Terms of the social score."""
        return self._section("social")

    @property
    def total(self) -> Section:
        """Terms of the total: multipliers, red flags, bands."""
        return self._section("total")

    def _section(self, name: str) -> Section:
        return Section("", self.terms).section(name)


def _compare(value: object, model: object, name: str) -> None:
    """Refuse ``value`` unless it has the shape of ``model``."""
    if isinstance(model, Mapping):
        if not isinstance(value, Mapping):
            raise PolicyMalformed(f"{name or 'The terms'}: write a group of terms, not {value!r}.")
        if missing := sorted(set(model) - set(value)):
            raise PolicyMalformed(f"{_road(name, missing[0])} is missing: copy it from the version before.")
        if unknown := sorted(set(value) - set(model)):
            raise PolicyMalformed(f"{_road(name, unknown[0])} is no term of a policy: take it away.")
        for key, inner in model.items():
            _compare(value[key], inner, _road(name, key))
    elif isinstance(model, bool):
        if not isinstance(value, bool):
            raise PolicyMalformed(f"{name} is {value!r}: write true or false.")
    elif isinstance(model, list | tuple):
        _compare_list(value, model, name)
    else:
        _compare_one(value, model, name)


def _compare_list(value: object, model: list[Any] | tuple[Any, ...], name: str) -> None:
    if not isinstance(value, list | tuple):
        raise PolicyMalformed(f"{name} is {value!r}: write a list.")
    if model and isinstance(model[0], Mapping) and "points" in model[-1]:
        if not all(isinstance(row, Mapping) for row in value):
            raise PolicyMalformed(f"{name}: write a table, a list of rows with points.")
        Ramp.of(value, name=name)
        return
    for place, item in enumerate(value):
        if model:
            _compare(item, model[0], f"{name}[{place}]")


def _compare_one(value: object, model: object, name: str) -> None:
    if isinstance(model, int) or _is_number(model):
        decimal(value, name=name)
    elif not isinstance(value, str):
        raise PolicyMalformed(f"{name} is {value!r}: write a word, as text.")


def _is_number(model: object) -> bool:
    try:
        decimal(model, name="")
    except PolicyMalformed:
        return False
    return True


def _road(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
