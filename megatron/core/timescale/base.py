"""The engine: django-timescaledb's, made to live with every kind of PostgreSQL server.

It survives a server without the extension, tells which level the server has, and gives a hypertable the primary key that
its time field asks for on every server, so that a duplicate is impossible everywhere.
"""

from functools import cached_property
from typing import Any, Literal, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from timescale.db.backends.postgresql.base import DatabaseWrapper as TimescaleDatabaseWrapper
from timescale.db.backends.postgresql.schema import TimescaleSchemaEditor

from megatron.core.timescale.compat import COMPAT_SCHEMA, COMPAT_SQL
from megatron.core.timescale.fields import HypertableTimeField

Level = Literal["none", "apache", "community"]


class SchemaEditor(TimescaleSchemaEditor):
    """Creates hypertables where the server can, and their primary key everywhere."""

    def _drop_primary_key(self, model: Any) -> None:
        """Replace Django's key by the time field's; the parent calls this before it makes the hypertable."""
        time = next(field for field in model._meta.local_fields if isinstance(field, HypertableTimeField))
        columns = [model._meta.get_field(name).column for name in time.key] + [time.column]
        table, key = self.quote_name(model._meta.db_table), self.quote_name(f"{model._meta.db_table}_pkey")
        named = ", ".join(map(self.quote_name, columns))
        self.execute(f"ALTER TABLE {table} DROP CONSTRAINT {key}, ADD CONSTRAINT {key} PRIMARY KEY ({named})")

    def _create_hypertable(self, model: Any, field: Any, should_migrate: bool = False) -> None:
        if self.connection.timescale_level == "none":
            self._drop_primary_key(model)
        else:
            super()._create_hypertable(model, field, should_migrate)


class DatabaseWrapper(TimescaleDatabaseWrapper):
    SchemaEditorClass = SchemaEditor

    def get_connection_params(self) -> dict[str, Any]:
        if not self.settings_dict["NAME"]:
            raise ImproperlyConfigured(
                "DATABASE_URL is not set and the embedded PostgreSQL is not running. "
                "Set DATABASE_URL=postgresql://user:password@host:5432/name, or start it with `make run` or `make services-up`."
            )
        return cast(dict[str, Any], super().get_connection_params())

    @cached_property
    def timescale_level(self) -> Level:
        """``none`` without TimescaleDB, ``apache`` with its free half, ``community`` with the licensed features too."""
        with self.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('timescaledb.license', true) FROM pg_extension WHERE extname = 'timescaledb'"
            )
            row = cursor.fetchone()
        if row is None:
            return "none"
        return "apache" if row[0] == "apache" else "community"

    def prepare_database(self) -> None:
        """Enable TimescaleDB before the migrations run, or install the look-alikes of the functions our queries use."""
        try:
            super().prepare_database()
        except DatabaseError:
            self.connection.rollback()  # the server has no such extension: level none
        self.__dict__.pop("timescale_level", None)
        if self.timescale_level == "none":
            with self.cursor() as cursor:
                cursor.execute(COMPAT_SQL)
                cursor.execute("SELECT quote_ident(current_database())")
                (name,) = cursor.fetchone()
                cursor.execute(f"ALTER DATABASE {name} SET search_path = public, {COMPAT_SCHEMA}")
                cursor.execute(f"SET search_path = public, {COMPAT_SCHEMA}")
