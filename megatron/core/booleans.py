"""Yes and no as a person reads them: whether yes is good, bad or neither depends on what is asked.

Django draws every False as a red cross. A danger that was looked for and not found is good, one that was found is bad, and
what nobody knows is neither, whatever it asks.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from django.db.models import BooleanField, GeneratedField, Model
from django.utils.html import format_html
from django.utils.safestring import SafeString

Known = Callable[[Any], bool]


class Meaning(Enum):
    """What it means that something is so: the classes of the pill of yes, and of no."""

    DANGER = ("mg-pill-sell", "mg-pill-active")
    MERIT = ("mg-pill-active", "mg-pill-complete")
    NEUTRAL = ("", "")


DANGER, MERIT, NEUTRAL = Meaning.DANGER, Meaning.MERIT, Meaning.NEUTRAL


def pill(value: bool | None, meaning: Meaning) -> SafeString:
    """Return yes, no or unknown in its colour."""
    if value is None:
        return format_html('<span class="mg-pill">{}</span>', "Unknown")
    yes, no = ("Detected", "Not detected") if meaning is DANGER else ("Yes", "No")
    said = yes if value else no
    return format_html('<span class="mg-pill {}">{}</span>', meaning.value[0 if value else 1], said)


def is_boolean(field: Any) -> bool:
    """Return whether ``field`` is a column of yes and no."""
    return isinstance(field.output_field if isinstance(field, GeneratedField) else field, BooleanField)


def cell(model: type[Model], name: str, meaning: Meaning, known: Known | None = None) -> Callable[[Any], SafeString]:
    """Return what Django's admin calls for the column ``name``. Of a row that is not ``known`` it is unknown, whatever the
    column says: a default is no finding."""

    def show(row: Any) -> SafeString:
        return pill(None if known is not None and not known(row) else getattr(row, name), meaning)

    field: Any = model._meta.get_field(name)
    show.__name__ = name
    show.short_description = str(field.verbose_name)[:1].upper() + str(field.verbose_name)[1:]  # type: ignore[attr-defined]  # Django reads it
    return show


class Booleans:
    """An admin whose columns of yes and no each say what yes means, in lists and on the page of a row."""

    booleans: Mapping[str, Meaning] = {}
    """By column. One that is missing here is shown as unknown to us: a test finds it."""
    boolean_known: Mapping[str, Known] = {}
    """By column: whether a row says anything about it at all."""

    model: Any

    def get_list_display(self, request: Any) -> Any:
        """Put our cells in place of Django's crosses and ticks."""
        return self._cells(super().get_list_display(request))  # type: ignore[misc]  # of ModelAdmin, beside which it stands

    def get_fieldsets(self, request: Any, obj: Any = None) -> Any:
        """Put our cells in place of Django's crosses and ticks where a row is only read."""
        sets = super().get_fieldsets(request, obj)  # type: ignore[misc]  # of ModelAdmin, beside which it stands
        if obj is None or self.has_change_permission(request, obj):  # type: ignore[attr-defined]  # of ModelAdmin too
            return sets
        return [(title, {**options, "fields": self._cells(options["fields"])}) for title, options in sets]

    def _cells(self, names: Any) -> Any:
        return type(names)(self._cells(name) if isinstance(name, list | tuple) else self._cell(name) for name in names)

    def _cell(self, name: Any) -> Any:
        meaning = self.booleans.get(name) if isinstance(name, str) else None
        return name if meaning is None else cell(self.model, name, meaning, self.boolean_known.get(name))
