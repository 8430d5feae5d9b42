"""The engine: django-timescaledb's, made to live with every kind of PostgreSQL server.

It survives a server without the extension, tells which level the server has, and gives a hypertable the primary key
that its time field asks for on every server, so that a duplicate is impossible everywhere.
"""

import logging
from functools import cached_property
from typing import Any, Literal, cast

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresqlDatabaseWrapper
from timescale.db.backends.postgresql.base import DatabaseWrapper as TimescaleDatabaseWrapper
from timescale.db.backends.postgresql.schema import TimescaleSchemaEditor

from megatron.core.timescale import compat
from megatron.core.timescale.fields import HypertableTimeField

Level = Literal["none", "apache", "community"]

IDLE_IN_TRANSACTION = "60s"
"""Between two statements of one transaction nothing here takes longer: the network is never asked inside one."""

logger = logging.getLogger(__name__)


class SchemaEditor(TimescaleSchemaEditor):
    """Creates hypertables where the server can, and their primary key everywhere."""

    # Each index is paid for on every insert, so TimescaleDB's default one on the time is not made: chunks do that work.
    sql_add_hypertable = TimescaleSchemaEditor.sql_add_hypertable.replace(
        "migrate_data =>", "create_default_indexes => false, migrate_data =>"
    )

    def alter_field(self, model: Any, old_field: Any, new_field: Any, strict: bool = False) -> None:
        """Follow a change of the time field's key too; the parent knows the interval only."""
        super().alter_field(model, old_field, new_field, strict)
        both = isinstance(old_field, HypertableTimeField) and isinstance(new_field, HypertableTimeField)
        if both and old_field.key != new_field.key:
            self._set_primary_key(model, new_field)

    def _set_primary_key(self, model: Any, time: HypertableTimeField) -> None:
        """Replace Django's key by the time field's."""
        columns = [model._meta.get_field(name).column for name in time.key] + [time.column]
        table, key = self.quote_name(model._meta.db_table), self.quote_name(f"{model._meta.db_table}_pkey")
        named = ", ".join(map(self.quote_name, columns))
        self.execute(f"ALTER TABLE {table} DROP CONSTRAINT {key}, ADD CONSTRAINT {key} PRIMARY KEY ({named})")

    def _drop_primary_key(self, model: Any) -> None:
        """Do nothing: the parent would leave the table without a key; ours is set before it is asked."""

    def _create_hypertable(self, model: Any, field: Any, should_migrate: bool = False) -> None:
        self._set_primary_key(model, field)
        if self.connection.timescale_level != "none":
            super()._create_hypertable(model, field, should_migrate)

    def _set_chunk_time_interval(self, model: Any, field: Any) -> None:
        if self.connection.timescale_level != "none":
            super()._set_chunk_time_interval(model, field)


class DatabaseWrapper(TimescaleDatabaseWrapper):
    """A connection that knows what its server can do, and takes PostgreSQL without the extension too."""

    SchemaEditorClass = SchemaEditor

    def get_connection_params(self) -> dict[str, Any]:
        if self.settings_dict["NAME"] == "":  # None is Django's own connection to no database in particular
            raise ImproperlyConfigured(
                "DATABASE_URL is not set and the embedded PostgreSQL is not running. "
                "Set DATABASE_URL=postgresql://user:password@host:5432/name, "
                "or start it with `make run`, `make services-up` or `./manage`."
            )
        return cast(dict[str, Any], super().get_connection_params())

    def init_connection_state(self) -> None:
        super().init_connection_state()
        with self.cursor() as cursor:
            # A host that is cut off in the middle of a transaction must not keep its locks until it is back.
            cursor.execute("SET idle_in_transaction_session_timeout = %s", [IDLE_IN_TRANSACTION])

    @cached_property
    def timescale_level(self) -> Level:
        """``none`` without TimescaleDB, ``apache`` with its free half, ``community`` with the licensed features too."""
        row = self._row(
            "SELECT current_setting('timescaledb.license', true) FROM pg_extension WHERE extname = 'timescaledb'"
        )
        if row is None:
            return "none"
        return "apache" if row[0] == "apache" else "community"

    def prepare_database(self) -> None:
        """Enable TimescaleDB before the migrations run, or install the look-alikes of the functions our queries use."""
        # django-timescaledb's own version fails on a server without the extension, so Django's is called instead.
        PostgresqlDatabaseWrapper.prepare_database(self)
        self.__dict__.pop("timescale_level", None)
        if self.timescale_level == "none" and self._can_enable_timescale():
            with self.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            self.__dict__.pop("timescale_level", None)
        if self.timescale_level == "none":
            compat.install(self)

    def _can_enable_timescale(self) -> bool:
        """Whether the server has the extension, has preloaded it (else creating it ends the session) and lets us."""
        (offered, preloaded, allowed) = self._row("""
            SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb'),
                   current_setting('timescaledb.disable_load', true) IS NOT NULL,
                   (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
                   OR (SELECT bool_or(trusted) AND has_database_privilege(current_database(), 'CREATE')
                       FROM pg_available_extension_versions WHERE name = 'timescaledb')
        """)
        if not offered:
            return False
        if not preloaded:
            logger.warning(
                "This server has TimescaleDB but does not load it, so plain tables are used. "
                "To use it, add timescaledb to shared_preload_libraries and restart the server."
            )
        elif not allowed:
            logger.warning(
                "This role may not enable TimescaleDB, so plain tables are used. "
                "To use it, run CREATE EXTENSION timescaledb as a superuser before the first migrate."
            )
        return bool(preloaded and allowed)

    def _row(self, sql: str) -> Any:
        with self.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()
