INSERT INTO pools (id, pool_address, token_id, base_mint, quote_mint, platform, initial_price, pool_type, mints_flipped,
                   status)
       VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, 'graduated', false, 'active')
       RETURNING *;
