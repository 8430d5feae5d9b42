WITH raw_calc AS (
  SELECT
    time_bucket('1 minute', block_time) as minute,
    COUNT(*) as tx_count,
    MIN(price_per_token) as min_price,
    MAX(price_per_token) as max_price
  FROM transactions
  WHERE token_id = 'YOUR_TOKEN_ID'
    AND block_time > NOW() - INTERVAL '1 hour'
  GROUP BY minute
)
SELECT
  r.minute,
  r.tx_count as raw_count,
  c.trade_count as agg_count,
  r.min_price as raw_min,
  c.low as agg_min,
  ABS(r.min_price - c.low) as price_diff
FROM raw_calc r
LEFT JOIN price_candles_1m_cagg c
  ON c.bucket = r.minute AND c.token_id = 'YOUR_TOKEN_ID'
ORDER BY r.minute DESC;
