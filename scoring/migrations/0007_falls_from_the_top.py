from importlib import import_module

import megatron.core.fields
from django.db import migrations, models

# Windows are in whole minutes, and a fall is measured from the highest price of its window (G13): the highest of the minutes
# that had not ended when it began, or the close of the newest minute that had (of a day at most). A minute without a price
# (T16) is passed over. scoring.selectors.technical reads the same for many tokens at once.
DETECT = """
CREATE OR REPLACE FUNCTION detect_selloff(p_token_mint varchar(44), p_timestamp timestamptz DEFAULT now())
RETURNS TABLE (is_selloff boolean, drop_5m numeric, drop_15m numeric, drop_30m numeric, severity varchar(20))
LANGUAGE sql STABLE AS $body$
WITH terms AS (
    SELECT terms -> 'technical' -> 'selloff_response' AS said FROM public.score_policies WHERE active
), minutes AS (
    SELECT bucket, open, high, close
      FROM public.tokens JOIN public.price_candles_1m ON token_id = tokens.id
     WHERE mint_address = p_token_mint AND bucket <= p_timestamp AND bucket > p_timestamp - interval '1 day 61 minutes'
       AND close IS NOT NULL
), now_price AS (
    SELECT close FROM minutes ORDER BY bucket DESC LIMIT 1
), drops AS (
    SELECT w, greatest(0, (top.price - n.close) / nullif(top.price, 0) * 100) AS fallen
      FROM unnest(ARRAY[5, 15, 30]) AS w CROSS JOIN now_price n
     CROSS JOIN LATERAL (
        SELECT greatest(
            (SELECT close FROM minutes WHERE bucket <= p_timestamp - make_interval(mins => w + 1)
              ORDER BY bucket DESC LIMIT 1),
            (SELECT max(high) FROM minutes WHERE bucket > p_timestamp - make_interval(mins => w + 1))
        ) AS price
     ) AS top
), deep AS (
    SELECT max(fallen) FILTER (WHERE w = 5) AS d5, max(fallen) FILTER (WHERE w = 15) AS d15,
           max(fallen) FILTER (WHERE w = 30) AS d30
      FROM drops
), red AS (
    SELECT count(*) AS count FROM minutes m
     WHERE bucket > p_timestamp - interval '31 minutes' AND close < open AND NOT EXISTS (
        SELECT FROM minutes later WHERE later.bucket > m.bucket AND later.close >= later.open)
)
SELECT coalesce(d5 > (said ->> 'active_5m')::numeric OR d15 > (said ->> 'active_15m')::numeric
           OR d30 > (said ->> 'active_30m')::numeric, false)
       OR (SELECT count FROM red) >= (said ->> 'active_red')::numeric
       OR EXISTS (SELECT FROM public.selloff_events e WHERE e.token_mint = p_token_mint
                     AND e.detection_time <= p_timestamp - interval '1 minute'
                     AND (e.ended_at IS NULL OR e.ended_at > p_timestamp)),
       d5, d15, d30,
       CASE WHEN d5 IS NULL THEN NULL
            WHEN greatest(d5, d15, d30) > (said -> 'severity' ->> 'severe')::numeric THEN 'severe'
            WHEN greatest(d5, d15, d30) > (said -> 'severity' ->> 'moderate')::numeric THEN 'moderate'
            WHEN greatest(d5, d15, d30) > (said -> 'severity' ->> 'minor')::numeric THEN 'minor'
            ELSE 'none' END::varchar(20)
  FROM deep CROSS JOIN terms
$body$;
COMMENT ON FUNCTION detect_selloff(varchar, timestamptz) IS
    'Whether a sell-off goes on by the active policy, falls from the highest price of 5, 15 and 30 minutes in percent (NULL without a price) and how severe (G2, G13)';
"""

MARKET_CAP = """
CREATE OR REPLACE FUNCTION calculate_market_cap_velocity(
    p_token_mint varchar(44), p_interval interval DEFAULT '1 hour', p_timestamp timestamptz DEFAULT now()
) RETURNS numeric LANGUAGE sql STABLE AS $body$
WITH minutes AS (
    SELECT bucket, open, close
      FROM public.tokens JOIN public.price_candles_1m ON token_id = tokens.id
     WHERE mint_address = p_token_mint AND bucket <= p_timestamp AND bucket > p_timestamp - p_interval - interval '1 day'
       AND close IS NOT NULL
)
SELECT (n.close - f.first) / nullif(f.first, 0) * 100 / (extract(epoch FROM p_interval) / 3600)
  FROM (SELECT close FROM minutes ORDER BY bucket DESC LIMIT 1) AS n
 CROSS JOIN LATERAL (
    SELECT coalesce(
        (SELECT close FROM minutes WHERE bucket <= p_timestamp - p_interval - interval '1 minute'
          ORDER BY bucket DESC LIMIT 1),
        (SELECT open FROM minutes WHERE bucket > p_timestamp - p_interval - interval '1 minute' ORDER BY bucket LIMIT 1)
    ) AS first
 ) AS f
$body$;
"""

# One event a fall, from its top. After a recovery only what rose since counts, so a price that comes back opens none. The
# lowest price is that since the top; in the top's own minute only the close is known to come after it. An open event becomes
# that of a deeper fall from a higher top, which then begins anew.
OPEN = """
CREATE OR REPLACE FUNCTION create_selloff_event() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    token uuid := (SELECT id FROM public.tokens WHERE mint_address = NEW.token_mint);
    since timestamptz := NEW.timestamp - interval '16 minutes';
    top numeric := coalesce(
        (NEW.inputs ->> 'high_15m')::numeric, (NEW.inputs ->> 'first_15m')::numeric,
        NEW.price / nullif(1 - NEW.price_drop_15m / 100, 0));
    topped timestamptz;
    lowest numeric;
    recovered record;
BEGIN
    SELECT recovery_time, recovery_price INTO recovered FROM public.selloff_events
     WHERE token_mint = NEW.token_mint AND recovery_time > since AND recovery_time <= NEW.timestamp
     ORDER BY recovery_time DESC LIMIT 1;
    IF FOUND THEN
        since := recovered.recovery_time;
        SELECT greatest(recovered.recovery_price, max(high)) INTO top FROM public.price_candles_1m
         WHERE token_id = token AND bucket > since AND bucket <= NEW.timestamp;
        IF NEW.price >= top * 0.9 THEN
            RETURN NULL;
        END IF;
    END IF;
    SELECT max(bucket) INTO topped FROM public.price_candles_1m
     WHERE token_id = token AND bucket > since AND bucket <= NEW.timestamp AND high = top;
    SELECT least(NEW.price, min(CASE WHEN bucket = topped THEN close ELSE low END)) INTO lowest FROM public.price_candles_1m
     WHERE token_id = token AND bucket > since AND bucket <= NEW.timestamp AND bucket >= coalesce(topped, since);
    INSERT INTO public.selloff_events AS e (id, token_mint, detection_time, status, initial_price, lowest_price)
    SELECT gen_random_uuid(), NEW.token_mint, NEW.timestamp, 'open', top, lowest
     WHERE top > 0 AND lowest <= top
    ON CONFLICT (token_mint) WHERE status = 'open' DO UPDATE SET
        initial_price = CASE WHEN EXCLUDED.initial_price > e.initial_price THEN EXCLUDED.initial_price ELSE e.initial_price END,
        detection_time = CASE WHEN EXCLUDED.initial_price > e.initial_price THEN EXCLUDED.detection_time
            ELSE e.detection_time END,
        lowest_price = EXCLUDED.lowest_price
     WHERE CASE WHEN EXCLUDED.initial_price > e.initial_price
        THEN EXCLUDED.lowest_price * e.initial_price < e.lowest_price * EXCLUDED.initial_price
        ELSE EXCLUDED.lowest_price < e.lowest_price END;
    RETURN NULL;
END $body$;
"""

# The view of scoring.0006: what it ranks by is net of wash volume (see tokens.selectors.counting), the gross beside it.
TOP_TOKENS = """
DROP MATERIALIZED VIEW IF EXISTS top_tokens_by_usd_volume;
CREATE MATERIALIZED VIEW top_tokens_by_usd_volume AS
SELECT tokens.id AS token_id, tokens.mint_address, tokens.symbol, tokens.name, tokens.platform,
       current.bonding_curve_progress, current.latest_price_usd,
       coalesce({net}, 0) AS volume_24h_usd,
       scored.technical_score AS technical_score, scored.holder_score AS holder_score,
       coalesce(tokens.creation_timestamp, tokens.created_at) AS created_at{gross}
  FROM tokens
  LEFT JOIN latest_token_prices AS current ON current.token_id = tokens.id
  LEFT JOIN (
    SELECT token_id, sum(volume_usd) AS volume_usd{wash}
      FROM price_candles_1m
     WHERE bucket > now() - INTERVAL '24 hours'
     GROUP BY token_id
 ) AS traded ON traded.token_id = tokens.id
  LEFT JOIN latest_token_scores AS scored ON scored.token_id = tokens.id
 WHERE coalesce(tokens.creation_timestamp, tokens.created_at) > now() - INTERVAL '7 days'
 ORDER BY volume_24h_usd DESC;
CREATE UNIQUE INDEX idx_top_tokens_token ON top_tokens_by_usd_volume (token_id);
COMMENT ON MATERIALIZED VIEW top_tokens_by_usd_volume IS
    'Tokens of the last 7 days by the USD volume of 24 hours{comment}, with their newest scores; refreshed every 5 minutes';
"""
NET = TOP_TOKENS.format(
    net="volume_usd - wash_usd",
    gross=",\n       coalesce(traded.volume_usd, 0) AS gross_volume_24h_usd",
    comment=" net of wash volume",
    wash=", coalesce(sum(wash_volume_usd), 0) AS wash_usd",
)
GROSS = TOP_TOKENS.format(net="volume_usd", gross="", comment="", wash="")


def _before(name: str) -> str:
    """Return a statement of scoring.0005 that this migration replaces, as one that replaces it again."""
    module = import_module("scoring.migrations.0005_technical_scores")
    statement: str = getattr(module, name)
    return statement.partition("CREATE TRIGGER")[0].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    dependencies = [("scoring", "0006_top_tokens_have_scores"), ("tokens", "0019_dust_forms_no_price")]

    operations = [
        migrations.RunSQL(DETECT, _before("DETECT")),
        migrations.RunSQL(MARKET_CAP, _before("MARKET_CAP")),
        migrations.RunSQL(OPEN, _before("OPEN")),
        migrations.RunSQL(NET, GROSS),
        migrations.AlterField(
            "selloffevent",
            "initial_price",
            megatron.core.fields.PriceField(help_text="The highest of the fifteen minutes before it was seen"),
        ),
        migrations.AlterField(
            "selloffevent", "lowest_price", megatron.core.fields.PriceField(help_text="The lowest since that top")
        ),
        migrations.AlterField(
            "technicalscore",
            "price_drop_5m",
            models.DecimalField(
                decimal_places=4,
                help_text="Percent below the highest price of that time, 0 at the highest; NULL without a price",
                max_digits=14,
                null=True,
            ),
        ),
        migrations.AlterField(
            "technicalscore",
            "volume_24h_usd",
            models.DecimalField(
                decimal_places=18,
                help_text="USD of a day, net of wash volume; NULL when no trade had a USD price",
                max_digits=48,
                null=True,
            ),
        ),
    ]
