SELECT block_time, price_per_token, type
    FROM transactions
    WHERE token_id = $1
      AND block_time > NOW() - INTERVAL '${timeRange}'
    ORDER BY block_time;
