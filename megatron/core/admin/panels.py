"""What rooms bring to a page of a room below them, which may not know them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page: a template, which finds ``context`` under the name ``it``."""

    template: str
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of ``console/bars.html``: ``part`` of ``whole`` is drawn (nothing for ``None``), ``said`` is read."""

    label: str
    part: Decimal | int | None
    whole: Decimal | int
    said: str


class Read(Protocol):
    """Returns the panel about one token, ``None`` when there is nothing to say."""

    def __call__(self, *, token: Any, now: datetime) -> Panel | None: ...


def of_token(*, token: Any, now: datetime) -> list[Panel]:
    """Return what the rooms in ``settings.TOKEN_PANELS`` bring to the token's page, in that order."""
    readers: list[Read] = [import_string(name) for name in settings.TOKEN_PANELS]
    found = (read(token=token, now=now) for read in readers)
    return [panel for panel in found if panel is not None]
