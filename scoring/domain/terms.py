"""The terms of a policy as typed numbers: a wrong one is refused with a sentence that says what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any


class PolicyMalformed(ValueError):
    """A term is missing, unknown or not what it must be; the message names it and says what to write instead."""


def decimal(value: object, *, name: str) -> Decimal:
    """Return the finite number that the text or whole number ``value`` means; ``PolicyMalformed`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PolicyMalformed(f'{name} is {value!r}: write a number as text, for example "12.5".')
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise PolicyMalformed(f'{name} is {value!r}: write a number as text, for example "12.5".')
    return number


@dataclass(frozen=True)
class Section:
    """A named part of a policy's terms and its accessors. ``name`` is the road to it, for messages."""

    name: str
    terms: Mapping[str, Any]

    def number(self, key: str) -> Decimal:
        """Return the number under ``key``."""
        return decimal(self._get(key), name=self._road(key))

    def whole(self, key: str) -> int:
        """Return the whole number under ``key``."""
        number = self.number(key)
        if number != number.to_integral_value():
            raise PolicyMalformed(f'{self._road(key)} is "{number}": write a whole number.')
        return int(number)

    def flag(self, key: str) -> bool:
        """Return the yes or no under ``key``."""
        value = self._get(key)
        if not isinstance(value, bool):
            raise PolicyMalformed(f"{self._road(key)} is {value!r}: write true or false.")
        return value

    def rows(self, key: str) -> Sequence[Mapping[str, Any]]:
        """Return the rows of the table under ``key``, for ``points.Steps`` and ``points.Ramp``."""
        value = self._get(key)
        if not isinstance(value, list | tuple) or not value or not all(isinstance(row, Mapping) for row in value):
            raise PolicyMalformed(f"{self._road(key)} is {value!r}: write a table, a list of rows with points.")
        return value

    def numbers(self, key: str) -> tuple[Decimal, ...]:
        """Return the list of numbers under ``key``."""
        value = self._get(key)
        if not isinstance(value, list | tuple):
            raise PolicyMalformed(f"{self._road(key)} is {value!r}: write a list of numbers.")
        return tuple(decimal(item, name=f"{self._road(key)}[{place}]") for place, item in enumerate(value))

    def section(self, key: str) -> "Section":
        """Return the part of this section under ``key``."""
        value = self._get(key)
        if not isinstance(value, Mapping):
            raise PolicyMalformed(f"{self._road(key)} is {value!r}: write a group of terms.")
        return Section(self._road(key), value)

    def _get(self, key: str) -> Any:
        try:
            return self.terms[key]
        except KeyError:
            raise PolicyMalformed(f"{self._road(key)} is missing: copy it from the version before.") from None

    def _road(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key
