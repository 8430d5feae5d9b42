SELECT id FROM tokens WHERE mint_address = $1;
