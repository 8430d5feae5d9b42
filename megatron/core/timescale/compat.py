"""Look-alikes of the TimescaleDB functions that our SQL uses, for servers without it, in a schema of their own.

They give what TimescaleDB gives: rows without a time are ignored, of two rows with the same time the one read first
stays, and a bucket begins at TimescaleDB's origin. ``first`` and ``last`` exist for numbers, ``time_bucket`` for widths
without months.
"""

import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.utils import ProgrammingError

COMPAT_SCHEMA = "tsdb_compat"

logger = logging.getLogger(__name__)

COMPAT_SQL = """
CREATE SCHEMA IF NOT EXISTS tsdb_compat;
DO $do$ BEGIN
    IF to_regtype('tsdb_compat.value_at') IS NULL THEN
        CREATE TYPE tsdb_compat.value_at AS (value numeric, at timestamptz);
    END IF;
END $do$;
-- TimescaleDB's origin is Monday, 3 January 2000.
CREATE OR REPLACE FUNCTION tsdb_compat.time_bucket(width interval, ts timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    AS $$ SELECT date_bin(width, ts, '2000-01-03 00:00:00+00'::timestamptz) $$;
CREATE OR REPLACE FUNCTION tsdb_compat.first_step(state tsdb_compat.value_at, value numeric, at timestamptz)
    RETURNS tsdb_compat.value_at LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN at IS NOT NULL AND (state.at IS NULL OR at < state.at)
                      THEN row(value, at)::tsdb_compat.value_at ELSE state END $$;
CREATE OR REPLACE FUNCTION tsdb_compat.last_step(state tsdb_compat.value_at, value numeric, at timestamptz)
    RETURNS tsdb_compat.value_at LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN at IS NOT NULL AND (state.at IS NULL OR at > state.at)
                      THEN row(value, at)::tsdb_compat.value_at ELSE state END $$;
CREATE OR REPLACE FUNCTION tsdb_compat.value_of(state tsdb_compat.value_at) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT state.value $$;
CREATE OR REPLACE AGGREGATE tsdb_compat.first(numeric, timestamptz)
    (sfunc = tsdb_compat.first_step, stype = tsdb_compat.value_at, finalfunc = tsdb_compat.value_of);
CREATE OR REPLACE AGGREGATE tsdb_compat.last(numeric, timestamptz)
    (sfunc = tsdb_compat.last_step, stype = tsdb_compat.value_at, finalfunc = tsdb_compat.value_of);
"""

SITUATION = """
SELECT current_user, current_database(), current_setting('search_path'),
       to_regnamespace('tsdb_compat') IS NOT NULL,
       pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE')
"""


def install(connection: Any) -> None:
    """Create the look-alikes in the connected database and put their schema at the end of the search path.

    The path is a default kept in the database, not an option of the connection: a pooler such as PgBouncer then hands
    out sessions that have it, in every pooling mode. A role that does not own the database sets it for itself only.
    Raises ``ImproperlyConfigured`` with the statements to run when the role may not create the schema.
    """
    with connection.cursor() as cursor:
        cursor.execute(SITUATION)
        role, database, path, exists, owns = cursor.fetchone()
        role, database = map(connection.ops.quote_name, (role, database))
        try:
            with transaction.atomic(using=connection.alias):
                cursor.execute(COMPAT_SQL)
        except ProgrammingError as error:
            if not exists:
                raise ImproperlyConfigured(
                    f"This server has no TimescaleDB, and the role {role} may not create the schema {COMPAT_SCHEMA} "
                    "that stands in for it. Run as the owner of the database: "
                    f"GRANT CREATE ON DATABASE {database} TO {role};"
                ) from error
            logger.info("The schema %s belongs to another role and is used as it is.", COMPAT_SCHEMA)
        if COMPAT_SCHEMA not in path:
            path = f"{path}, {COMPAT_SCHEMA}"
            whose = f"DATABASE {database}" if owns else f"ROLE {role} IN DATABASE {database}"
            cursor.execute(f"ALTER {whose} SET search_path = {path}")
            cursor.execute(f"SET search_path = {path}")
