SELECT mint_address, COUNT(*) FROM tokens GROUP BY mint_address HAVING COUNT(*) > 1;
