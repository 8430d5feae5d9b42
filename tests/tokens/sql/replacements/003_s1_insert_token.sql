INSERT INTO tokens (id, mint_address, symbol, name, platform, creation_signature, creation_timestamp, creator_address,
                    decimals, is_graduated, metadata)
     VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, 6, false, '{}')
     RETURNING *;
