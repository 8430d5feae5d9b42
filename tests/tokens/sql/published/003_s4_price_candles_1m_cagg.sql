SELECT
    token_id,
    time_bucket('1 minute', block_time) AS bucket,
    first(price_per_token, block_time) AS open,
    max(price_per_token) AS high,
    min(price_per_token) AS low,
    last(price_per_token, block_time) AS close,
    sum(token_amount) FILTER (WHERE type IN ('buy', 'sell')) AS volume_token,
    sum(sol_amount) FILTER (WHERE type IN ('buy', 'sell')) AS volume_sol,
    count(*) AS trade_count,
    count(DISTINCT user_address) FILTER (WHERE type = 'buy') AS buyer_count,
    count(DISTINCT user_address) FILTER (WHERE type = 'sell') AS seller_count
FROM transactions
GROUP BY token_id, time_bucket('1 minute', block_time);
