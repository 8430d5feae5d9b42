SELECT t.id, t.mint_address, s.total_score
    FROM tokens t
    JOIN token_scores s ON t.id = s.token_id
    WHERE s.calculated_at > NOW() - INTERVAL '1 hour'
    ORDER BY s.total_score DESC
    LIMIT 100;
