from django.db import migrations

# The same identity as megatron.core.ids.event_id. Written so that PostgreSQL can inline it into a CHECK: every part is
# immutable (subtracting the epoch instead of extracting from a timestamptz is why).
FORWARD = """
CREATE FUNCTION event_id(at timestamptz, name text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at - '1970-01-01 00:00:00+00'::timestamptz) * 1000)::bigint), 12, '0')
            || '8' || substr(md5(name), 14, 3)
            || translate(substr(md5(name), 17, 1), '0123456789abcdef', '89ab89ab89ab89ab')
            || substr(md5(name), 18))::uuid
$$;
CREATE FUNCTION event_id(at timestamptz, name text, place integer) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT event_id(at, name || ':' || place::text) $$;
"""
BACKWARD = """
DROP FUNCTION event_id(timestamptz, text, integer);
DROP FUNCTION event_id(timestamptz, text);
"""


class Migration(migrations.Migration):
    initial = True
    operations = (migrations.RunSQL(FORWARD, BACKWARD),)
