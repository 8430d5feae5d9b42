SELECT
    token_id,
    time_bucket('1 hour', bucket) AS bucket,
    first(open, bucket) AS open,
    max(high) AS high,
    min(low) AS low,
    last(close, bucket) AS close,
    sum(volume_token) AS volume_token,
    sum(volume_sol) AS volume_sol,
    sum(trade_count) AS trade_count,
    sum(buyer_count) AS buyer_count,
    sum(seller_count) AS seller_count
FROM price_candles_5m
GROUP BY token_id, time_bucket('1 hour', bucket);
