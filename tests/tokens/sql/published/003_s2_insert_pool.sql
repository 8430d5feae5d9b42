INSERT INTO pools (pool_address, token_id, base_mint, quote_mint, platform, initial_price)
       VALUES ($1, $2, $3, $4, $5, $6)
       RETURNING *;
