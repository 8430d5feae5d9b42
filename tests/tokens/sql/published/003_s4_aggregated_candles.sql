SELECT bucket, open, high, low, close, volume_sol
    FROM price_candles_1m_cagg
    WHERE token_id = $1
      AND bucket > NOW() - INTERVAL '${timeRange}'
    ORDER BY bucket;
