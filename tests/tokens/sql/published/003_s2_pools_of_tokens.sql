SELECT t.mint_address, t.symbol, p.pool_address, p.initial_price
FROM tokens t
JOIN pools p ON t.id = p.token_id
ORDER BY p.created_at DESC LIMIT 10;
