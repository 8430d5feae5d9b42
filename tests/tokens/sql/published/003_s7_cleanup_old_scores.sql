DELETE FROM token_scores
  WHERE calculated_at < NOW() - INTERVAL '30 days'
    AND token_id IN (
      SELECT id FROM tokens WHERE is_graduated = false
    );
