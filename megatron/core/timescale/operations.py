"""Migration operations for what TimescaleDB does with time series.

On the level ``community`` they do it. Below it compression is a logged no-op, a continuous aggregate is a plain view of the
same name and columns, and on ``none`` a BRIN index stands in for the chunks. Each can be run twice and can be reversed.
There is no operation for retention: what is old is dropped by ``retention.apply`` on every level, never by a job.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.migrations.operations.base import Operation

from megatron.core.timescale import policies
from megatron.core.timescale.base import Level

logger = logging.getLogger(__name__)


class _Timescale(Operation):
    """A database-only operation: Django's model state does not change."""

    reduces_to_sql = True
    reversible = True
    elidable = False
    skipped = ""  # what the log says where the server cannot do it

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing: these objects are not models."""

    def forward(self, level: Level) -> Iterable[str]:
        """Return the statements for a server of this level."""
        raise NotImplementedError

    def backward(self, level: Level) -> Iterable[str]:
        """Return the statements that undo :meth:`forward`."""
        raise NotImplementedError

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        level = schema_editor.connection.timescale_level
        statements = tuple(self.forward(level))
        if not statements:
            logger.info("%s: %s on a server of level %s", self.describe(), self.skipped, level)
        for statement in statements:
            schema_editor.execute(statement, params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for statement in self.backward(schema_editor.connection.timescale_level):
            schema_editor.execute(statement, params=None)


@dataclass(eq=False)
class Compression(_Timescale):
    """Compress the chunks of ``table`` once they are older than ``after``."""

    table: str
    segment_by: str
    order_by: str
    after: timedelta

    skipped = "nothing is compressed"

    def describe(self) -> str:
        return f"Compress {self.table} after {self.after.days} days"

    def forward(self, level: Level) -> Iterable[str]:
        if level == "community":
            yield policies.compression_settings_sql(self.table, self.segment_by, self.order_by)
            yield policies.add_compression_sql(self.table, self.after)

    def backward(self, level: Level) -> Iterable[str]:
        if level == "community":
            yield policies.remove_compression_sql(self.table)
            yield f"SELECT decompress_chunk(chunk, true) FROM show_chunks('{self.table}') AS chunk"
            yield f"ALTER TABLE {self.table} SET (timescaledb.compress = false)"


@dataclass(eq=False)
class ContinuousAggregate(_Timescale):
    """Keep the result of ``query`` as ``name``, refreshed for times between ``start_offset`` and ``end_offset`` ago.

    The newest rows, which no refresh has seen yet, are computed when they are read. Below ``community`` a plain view is
    created. The query must group by a ``time_bucket`` of the hypertable's time.
    """

    name: str
    query: str
    start_offset: timedelta
    end_offset: timedelta
    every: timedelta
    replaces: str = ""
    """The query that it had before, if there is such an aggregate: its history is then to be computed again by
    :class:`RefreshedAggregate`."""

    def describe(self) -> str:
        return f"Aggregate {self.name}"

    def forward(self, level: Level) -> Iterable[str]:
        yield from self._made(level, self.query)

    def _made(self, level: Level, query: str) -> Iterable[str]:
        if level != "community":
            yield f"CREATE OR REPLACE VIEW {self.name} AS {query}"
            return
        if self.replaces:
            yield f"DROP MATERIALIZED VIEW IF EXISTS {self.name}"
        yield (
            f"CREATE MATERIALIZED VIEW IF NOT EXISTS {self.name} "
            f"WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS {query} WITH NO DATA"
        )
        yield (
            f"SELECT add_continuous_aggregate_policy('{self.name}', "
            f"start_offset => {policies.interval(self.start_offset)}, "
            f"end_offset => {policies.interval(self.end_offset)}, "
            f"schedule_interval => {policies.interval(self.every)}, if_not_exists => true)"
        )

    def backward(self, level: Level) -> Iterable[str]:
        if self.replaces:
            yield from self._made(level, self.replaces)
            return
        kind = "MATERIALIZED VIEW" if level == "community" else "VIEW"
        yield f"DROP {kind} IF EXISTS {self.name}"


@dataclass(eq=False)
class RefreshedAggregate(_Timescale):
    """Compute all of a continuous aggregate up to ``end_offset`` ago, in a migration of its own that is not atomic.

    The refresh job looks at its window only, and then takes what lies before it for computed.
    """

    name: str
    end_offset: timedelta

    skipped = "a view has no history of its own"

    def describe(self) -> str:
        return f"Compute {self.name} from the beginning"

    def forward(self, level: Level) -> Iterable[str]:
        if level == "community":
            end = f"now() - {policies.interval(self.end_offset)}"
            yield f"CALL refresh_continuous_aggregate('{policies.name(self.name)}', NULL, {end})"

    def backward(self, level: Level) -> Iterable[str]:
        return ()


@dataclass(eq=False)
class TimeIndex(_Timescale):
    """Find the rows of a time window without reading the table: chunks do that on TimescaleDB, a BRIN index elsewhere.

    BRIN holds two times for each megabyte of the table, so it costs an insert next to nothing. It summarises a megabyte as
    soon as it is full: what has no summary is read whole.
    """

    table: str
    column: str

    skipped = "chunks do it"

    @property
    def name(self) -> str:
        return f"brin_{self.table}_{self.column}"

    def describe(self) -> str:
        return f"Find rows of {self.table} by {self.column}"

    def forward(self, level: Level) -> Iterable[str]:
        if level == "none":
            yield f"CREATE INDEX IF NOT EXISTS {self.name} ON {self.table} USING brin ({self.column}) WITH (autosummarize = on)"

    def backward(self, level: Level) -> Iterable[str]:
        yield f"DROP INDEX IF EXISTS {self.name}"


@dataclass(eq=False)
class SummarisedTimeIndex(TimeIndex):
    """Let a :class:`TimeIndex` that was made before it summarised by itself do so."""

    def describe(self) -> str:
        return f"Summarise {self.table} by {self.column} as it grows"

    def forward(self, level: Level) -> Iterable[str]:
        if level == "none":
            yield f"ALTER INDEX IF EXISTS {self.name} SET (autosummarize = on)"

    def backward(self, level: Level) -> Iterable[str]:
        if level == "none":
            yield f"ALTER INDEX IF EXISTS {self.name} RESET (autosummarize)"
