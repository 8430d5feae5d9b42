from datetime import timedelta

import megatron.core.fields
from django.db import migrations, models
from megatron.core.timescale.operations import ContinuousAggregate

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

# The aggregate of tokens.0004, with the prices of candles.roll (T16): a trade of fewer than 100 base units on either side
# counts and forms no price; a minute of such trades stands at the pool's spot price. Trades of mayhem coins are in their
# places, and their agent is no buyer and no seller (T15).
_CANDLES = """
SELECT transactions.token_id,
       time_bucket('1 minute', block_time) AS bucket,
       coalesce((array_agg(price_per_token ORDER BY slot, {place}, event_index,
                           signature COLLATE "C") {forming})[1]{spot}) AS open,
       coalesce(max(price_per_token) {forming}{spot}) AS high,
       coalesce(min(price_per_token) {forming}{spot}) AS low,
       coalesce((array_agg(price_per_token ORDER BY slot DESC, {place} DESC,
                           event_index DESC, signature COLLATE "C" DESC) {forming})[1]{spot}) AS close,
       sum(token_amount) AS volume_token,
       coalesce(sum(sol_amount), 0) AS volume_sol,
       count(*) AS trade_count,
       count(DISTINCT CASE WHEN type = 'buy'{people} THEN user_address END) AS buyer_count,
       count(DISTINCT CASE WHEN type = 'sell'{people} THEN user_address END) AS seller_count
  FROM transactions
  JOIN pools ON pools.id = transactions.pool_id
 WHERE type IN ('buy', 'sell') AND price_per_token > 0 AND pools.pool_type <> 'permissionless'
 GROUP BY transactions.token_id, time_bucket('1 minute', block_time)
"""
# Where the last trade left the pool.
_SPOT = """,
       (array_agg(div(2 * quote_reserves * power(10::numeric, 20 + CASE WHEN type = 'buy'
                          THEN amount_out_decimals - amount_in_decimals ELSE amount_in_decimals - amount_out_decimals END)
                      + token_reserves, 2 * token_reserves) * 1e-20
                  ORDER BY slot DESC, coalesce(slot_place, quote_reserves * token_reserves) DESC, event_index DESC,
                           signature COLLATE "C" DESC)
          FILTER (WHERE least(quote_reserves, token_reserves) >= 100
                    AND amount_in_decimals + amount_out_decimals IS NOT NULL))[1]"""
PRICE_CANDLES = _CANDLES.format(
    forming="FILTER (WHERE least(amount_in, amount_out) >= 100)",
    spot=_SPOT,
    place="coalesce(slot_place, quote_reserves * token_reserves, 0)",
    people=" AND user_address <> 'BwWK17cbHxwWBKZkUYvzxLcNQ1YVyaFezduWbtm2de6s'",
)
ANY_PRICE = _CANDLES.format(
    forming="", spot="", place="coalesce(quote_reserves * token_reserves, 0)", people=""
)

# Every minute of a day in which the token had such a trade, so that the day's and the hours' candles add up again even where
# their minutes were dropped. The bound is before any launchpad traded.
MARK = """
INSERT INTO candles_due (interval, token_id, bucket, marked_at)
SELECT DISTINCT 60, t.token_id, time_bucket('1 minute', t.block_time), now()
  FROM (
    SELECT DISTINCT token_id, time_bucket('1 day', block_time) AS day
      FROM transactions
     WHERE block_time >= '2020-01-01' AND type IN ('buy', 'sell') AND least(amount_in, amount_out) < 100
       AND price_per_token > 0
  ) AS dusty
  JOIN transactions t ON t.token_id = dusty.token_id AND t.block_time >= dusty.day
   AND t.block_time < dusty.day + interval '1 day'
  JOIN pools p ON p.id = t.pool_id AND p.pool_type <> 'permissionless'
 WHERE t.block_time >= '2020-01-01' AND t.type IN ('buy', 'sell')
ON CONFLICT (interval, token_id, bucket) DO NOTHING
"""

# Volume that ranks is net of the wash volume of a day, which the minutes of before do not know.
MARK_LAST_DAY = """
INSERT INTO candles_due (interval, token_id, bucket, marked_at)
SELECT 60, token_id, bucket, now() FROM price_candles_1m WHERE bucket > now() - interval '25 hours'
ON CONFLICT (interval, token_id, bucket) DO NOTHING
"""

# The code before gives every candle a price: it computes these again.
WITHOUT_PRICELESS = """
INSERT INTO candles_due (interval, token_id, bucket, marked_at)
SELECT 60, token_id, bucket, now() FROM price_candles_1m WHERE bucket >= '2020-01-01' AND open IS NULL
ON CONFLICT (interval, token_id, bucket) DO NOTHING;
DELETE FROM price_candles_1m WHERE bucket >= '2020-01-01' AND open IS NULL;
DELETE FROM price_candles_5m WHERE open IS NULL;
DELETE FROM price_candles_1h WHERE open IS NULL;
DELETE FROM price_candles_1d WHERE open IS NULL;
"""

FORGET_SPOT = """
UPDATE pools SET latest_price = NULL, latest_price_usd = NULL, market_cap = NULL, market_cap_usd = NULL
 WHERE latest_price IS NOT NULL AND least(virtual_sol_reserves, virtual_token_reserves) < 100
"""


class Migration(migrations.Migration):
    """A trade that a lamport can move forms no price (T16), and candles know their wash volume; stored candles with such
    trades become due again."""

    dependencies = [("tokens", "0018_current_pools_and_mayhem_order")]

    operations = [
        migrations.AddField(
            model_name='pricecandle1d',
            name='wash_volume_sol',
            field=models.DecimalField(decimal_places=9, help_text='SOL of volume_sol that wallets both bought and sold within a minute; NULL when not computed', max_digits=39, null=True),
        ),
        migrations.AddField(
            model_name='pricecandle1d',
            name='wash_volume_usd',
            field=models.DecimalField(decimal_places=18, help_text='The same of volume_usd, in USD', max_digits=48, null=True),
        ),
        migrations.AddField(
            model_name='pricecandle1h',
            name='wash_volume_sol',
            field=models.DecimalField(decimal_places=9, help_text='SOL of volume_sol that wallets both bought and sold within a minute; NULL when not computed', max_digits=39, null=True),
        ),
        migrations.AddField(
            model_name='pricecandle1h',
            name='wash_volume_usd',
            field=models.DecimalField(decimal_places=18, help_text='The same of volume_usd, in USD', max_digits=48, null=True),
        ),
        migrations.AddField(
            model_name='pricecandle1m',
            name='wash_volume_sol',
            field=models.DecimalField(decimal_places=9, help_text='SOL of volume_sol that wallets both bought and sold within a minute; NULL when not computed', max_digits=39, null=True),
        ),
        migrations.AddField(
            model_name='pricecandle1m',
            name='wash_volume_usd',
            field=models.DecimalField(decimal_places=18, help_text='The same of volume_usd, in USD', max_digits=48, null=True),
        ),
        migrations.AddField(
            model_name='pricecandle5m',
            name='wash_volume_sol',
            field=models.DecimalField(decimal_places=9, help_text='SOL of volume_sol that wallets both bought and sold within a minute; NULL when not computed', max_digits=39, null=True),
        ),
        migrations.AddField(
            model_name='pricecandle5m',
            name='wash_volume_usd',
            field=models.DecimalField(decimal_places=18, help_text='The same of volume_usd, in USD', max_digits=48, null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1d',
            name='close',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1d',
            name='high',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1d',
            name='low',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1d',
            name='open',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1h',
            name='close',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1h',
            name='high',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1h',
            name='low',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1h',
            name='open',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1m',
            name='close',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1m',
            name='high',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1m',
            name='low',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle1m',
            name='open',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle5m',
            name='close',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle5m',
            name='high',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle5m',
            name='low',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.AlterField(
            model_name='pricecandle5m',
            name='open',
            field=megatron.core.fields.PriceField(null=True),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, WITHOUT_PRICELESS),
        migrations.AddConstraint(
            model_name='pricecandle1d',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('close__isnull', True), ('high__isnull', True), ('low__isnull', True), ('open__isnull', True)), models.Q(('close__isnull', False), ('high__isnull', False), ('low__isnull', False), ('open__isnull', False)), _connector='OR'), name='candle_1d_prices_whole'),
        ),
        migrations.AddConstraint(
            model_name='pricecandle1h',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('close__isnull', True), ('high__isnull', True), ('low__isnull', True), ('open__isnull', True)), models.Q(('close__isnull', False), ('high__isnull', False), ('low__isnull', False), ('open__isnull', False)), _connector='OR'), name='candle_1h_prices_whole'),
        ),
        migrations.AddConstraint(
            model_name='pricecandle1m',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('close__isnull', True), ('high__isnull', True), ('low__isnull', True), ('open__isnull', True)), models.Q(('close__isnull', False), ('high__isnull', False), ('low__isnull', False), ('open__isnull', False)), _connector='OR'), name='candle_1m_prices_whole'),
        ),
        migrations.AddConstraint(
            model_name='pricecandle5m',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('close__isnull', True), ('high__isnull', True), ('low__isnull', True), ('open__isnull', True)), models.Q(('close__isnull', False), ('high__isnull', False), ('low__isnull', False), ('open__isnull', False)), _connector='OR'), name='candle_5m_prices_whole'),
        ),
        ContinuousAggregate(
            "price_candles_1m_cagg", PRICE_CANDLES, 2 * HOUR, 2 * MINUTE, MINUTE, replaces=ANY_PRICE
        ),
        migrations.RunSQL(MARK, migrations.RunSQL.noop),
        migrations.RunSQL(MARK_LAST_DAY, migrations.RunSQL.noop),
        migrations.RunSQL(FORGET_SPOT, migrations.RunSQL.noop),
    ]
