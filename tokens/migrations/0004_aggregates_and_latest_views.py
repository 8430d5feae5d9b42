from datetime import timedelta

from django.db import migrations

from megatron.core.timescale.operations import ContinuousAggregate, TimeIndex

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

# The seed's columns, with the rows and the order of candles.roll (decisions C3, T14): buys and sells that have a price,
# of any pool but side pools; block times are whole seconds, so inside a slot the product of the reserves tells which
# trade came first.
PRICE_CANDLES = """
SELECT transactions.token_id,
       time_bucket('1 minute', block_time) AS bucket,
       (array_agg(price_per_token ORDER BY slot, coalesce(quote_reserves * token_reserves, 0), event_index,
                  signature COLLATE "C"))[1] AS open,
       max(price_per_token) AS high,
       min(price_per_token) AS low,
       (array_agg(price_per_token ORDER BY slot DESC, coalesce(quote_reserves * token_reserves, 0) DESC,
                  event_index DESC, signature COLLATE "C" DESC))[1] AS close,
       sum(token_amount) AS volume_token,
       coalesce(sum(sol_amount), 0) AS volume_sol,
       count(*) AS trade_count,
       count(DISTINCT CASE WHEN type = 'buy' THEN user_address END) AS buyer_count,
       count(DISTINCT CASE WHEN type = 'sell' THEN user_address END) AS seller_count
  FROM transactions
  JOIN pools ON pools.id = transactions.pool_id
 WHERE type IN ('buy', 'sell') AND price_per_token > 0 AND pools.pool_type <> 'permissionless'
 GROUP BY transactions.token_id, time_bucket('1 minute', block_time)
"""

SOL_USD_CANDLES = """
SELECT time_bucket('1 minute', price_time) AS bucket,
       first(price_usd, price_time) AS open,
       max(price_usd) AS high,
       min(price_usd) AS low,
       last(price_usd, price_time) AS close,
       avg(price_usd) AS average,
       count(*) AS sample_count,
       source
  FROM sol_usd_prices
 GROUP BY time_bucket('1 minute', price_time), source
"""

# One index look-up a source, however long the history is.
LATEST_SOL_USD_PRICES = """
CREATE VIEW latest_sol_usd_prices AS
SELECT newest.id, newest.source, newest.price_time, newest.price_usd, newest.confidence, believed.priority
  FROM (VALUES (1, 'hermes'), (2, 'jupiter'), (3, 'pyth'), (4, 'birdeye'), (5, 'imported'))
    AS believed (priority, source)
 CROSS JOIN LATERAL (
    SELECT * FROM sol_usd_prices WHERE sol_usd_prices.source = believed.source ORDER BY price_time DESC LIMIT 1
 ) AS newest;
COMMENT ON VIEW latest_sol_usd_prices IS 'The newest SOL/USD sample of each source, however old; 1 is believed first';
"""

# Decision T14: the graduated pool if there is one, else the launch curve. Side pools, which anyone opens, never count.
LATEST_TOKEN_PRICES = """
CREATE VIEW latest_token_prices AS
SELECT DISTINCT ON (tokens.id)
       tokens.id AS token_id, tokens.mint_address, pools.id AS pool_id, pools.pool_address, pools.platform,
       pools.pool_type, pools.quote_mint, pools.latest_price, pools.latest_price_usd, pools.market_cap,
       pools.market_cap_usd,
       pools.bonding_curve_progress, pools.progress_quote_pct, pools.last_trade_at
  FROM tokens
  JOIN pools ON pools.token_id = tokens.id
 WHERE pools.pool_type IN ('initial', 'graduated')
 ORDER BY tokens.id, pools.pool_type = 'graduated' DESC, pools.last_trade_at DESC NULLS LAST, pools.pool_address;
COMMENT ON VIEW latest_token_prices IS 'Each token with the price of its current pool: a graduated one, else the curve';
"""


class Migration(migrations.Migration):
    dependencies = [("tokens", "0003_usd_values_on_insert")]

    operations = [
        ContinuousAggregate("price_candles_1m_cagg", PRICE_CANDLES, 2 * HOUR, 2 * MINUTE, MINUTE),
        ContinuousAggregate("sol_usd_candles_1m", SOL_USD_CANDLES, 2 * HOUR, 2 * MINUTE, MINUTE),
        migrations.RunSQL(LATEST_SOL_USD_PRICES, "DROP VIEW latest_sol_usd_prices"),
        migrations.RunSQL(LATEST_TOKEN_PRICES, "DROP VIEW latest_token_prices"),
        TimeIndex("transactions", "block_time"),
        TimeIndex("price_candles_1m", "bucket"),
        TimeIndex("price_candles_5m", "bucket"),
        TimeIndex("price_candles_1h", "bucket"),
        TimeIndex("sol_usd_prices", "price_time"),
    ]
