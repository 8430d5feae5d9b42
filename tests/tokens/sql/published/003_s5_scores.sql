SELECT
  t.symbol,
  s.technical_score,
  s.holder_score,
  s.social_score,
  s.total_score,
  s.calculated_at
FROM token_scores s
JOIN tokens t ON s.token_id = t.id
WHERE s.calculated_at > NOW() - INTERVAL '1 hour'
ORDER BY s.total_score DESC;
