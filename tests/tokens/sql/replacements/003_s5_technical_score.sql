WITH pool_data AS (
      SELECT initial_price, initial_quote_liquidity
      FROM pools WHERE token_id = $1
    ),
    trading_data AS (
      SELECT
        COUNT(*) as trade_count,
        SUM(sol_amount) as total_volume,
        COUNT(DISTINCT user_address) as unique_traders
      FROM transactions
      WHERE token_id = $1 AND block_time > NOW() - INTERVAL '24 hours'
    )
    SELECT
      LEAST(333, (p.initial_quote_liquidity / 1000000000 * 10)::INT) as liquidity_score,
      LEAST(333, (t.trade_count * 2)::INT) as trading_score
    FROM pool_data p, trading_data t;
