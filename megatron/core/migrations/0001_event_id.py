from django.db import migrations

# The same identity as megatron.core.ids.event_id. Written so that PostgreSQL can inline it into a CHECK: every part is
# immutable (subtracting the epoch instead of extracting from a timestamptz is why) and the name is hashed once.
# It is called with its schema because restores and TimescaleDB's refreshes check rows with an empty search path.
FORWARD = """
CREATE FUNCTION event_id(at timestamptz, name text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT overlay(overlay(overlay(md5(name)
        PLACING lpad(to_hex(floor(extract(epoch FROM at - '1970-01-01 00:00:00+00'::timestamptz) * 1000)::bigint), 12, '0')
            FROM 1 FOR 12)
        PLACING '8' FROM 13 FOR 1)
        PLACING '8' FROM 17 FOR 1)::uuid
$$;
CREATE FUNCTION event_id(at timestamptz, name text, place integer) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT public.event_id(at, name || ':' || place::text) $$;
"""
BACKWARD = """
DROP FUNCTION event_id(timestamptz, text, integer);
DROP FUNCTION event_id(timestamptz, text);
"""


class Migration(migrations.Migration):
    initial = True
    operations = (migrations.RunSQL(FORWARD, BACKWARD),)
