SELECT * FROM pools WHERE token_id NOT IN (SELECT id FROM tokens);
