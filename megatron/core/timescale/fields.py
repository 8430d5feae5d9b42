"""The time column of a hypertable."""

from collections.abc import Sequence
from typing import Any

from timescale.db.models.fields import TimescaleDateTimeField


class HypertableTimeField(TimescaleDateTimeField):
    """The partitioning time of a hypertable, and with ``key`` the table's primary key in the database.

    Django wants one key column (``id``); TimescaleDB wants the time inside every unique index. So the database's
    primary key is ``(*key, time)`` on every server, with or without TimescaleDB, and Django's ``id`` is unique because
    it is derived from the same facts (see :func:`megatron.core.ids.event_id`).
    """

    def __init__(self, *args: Any, interval: str, key: Sequence[str] = ("id",), **options: Any) -> None:
        self.key = tuple(key)
        super().__init__(*args, interval=interval, **options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        options["interval"] = self.interval
        options["key"] = self.key
        return name, path, args, options
