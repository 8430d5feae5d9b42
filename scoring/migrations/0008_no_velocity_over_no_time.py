"""Over no time, or backwards, there is no velocity: both functions answer NULL instead of failing or turning the sign.

Only their divisor changes, whatever else they say.
"""

from django.db import migrations

_DIVISOR = "/ (extract(epoch FROM p_interval) / 3600)"
_GUARDED = (
    "/ (CASE WHEN p_interval > interval '0' AND isfinite(p_interval) THEN extract(epoch FROM p_interval) / 3600 END)"
)


def _replace(before: str, after: str) -> str:
    return f"""
DO $do$
DECLARE
    body text;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['calculate_market_cap_velocity', 'calculate_progress_velocity'] LOOP
        body := pg_get_functiondef(format('public.%I(varchar, interval, timestamptz)', name)::regprocedure);
        IF position($old${before}$old$ IN body) = 0 THEN
            RAISE EXCEPTION '% does not divide by its interval as expected', name;
        END IF;
        EXECUTE replace(body, $old${before}$old$, $new${after}$new$);
    END LOOP;
END
$do$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('scoring', '0007_falls_from_the_top'),
    ]

    operations = [
        migrations.RunSQL(_replace(_DIVISOR, _GUARDED), _replace(_GUARDED, _DIVISOR)),
    ]
