INSERT INTO tokens (mint_address, symbol, name, platform, creation_signature, creation_timestamp, creator_address)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     RETURNING *;
