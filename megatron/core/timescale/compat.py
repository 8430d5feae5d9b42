"""Look-alikes of the TimescaleDB functions that our SQL uses, for servers without it, in a schema of their own."""

COMPAT_SCHEMA = "tsdb_compat"

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
    AS $$ SELECT CASE WHEN at IS NOT NULL AND (state IS NULL OR at < state.at)
                      THEN row(value, at)::tsdb_compat.value_at ELSE state END $$;
CREATE OR REPLACE FUNCTION tsdb_compat.last_step(state tsdb_compat.value_at, value numeric, at timestamptz)
    RETURNS tsdb_compat.value_at LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN at IS NOT NULL AND (state IS NULL OR at >= state.at)
                      THEN row(value, at)::tsdb_compat.value_at ELSE state END $$;
CREATE OR REPLACE FUNCTION tsdb_compat.value_of(state tsdb_compat.value_at) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT state.value $$;
CREATE OR REPLACE AGGREGATE tsdb_compat.first(numeric, timestamptz)
    (sfunc = tsdb_compat.first_step, stype = tsdb_compat.value_at, finalfunc = tsdb_compat.value_of);
CREATE OR REPLACE AGGREGATE tsdb_compat.last(numeric, timestamptz)
    (sfunc = tsdb_compat.last_step, stype = tsdb_compat.value_at, finalfunc = tsdb_compat.value_of);
"""
