SELECT
  t.platform,
  COUNT(DISTINCT t.id) as token_count,
  COUNT(DISTINCT p.id) as pool_count,
  SUM(CASE WHEN s.total_score > 700 THEN 1 ELSE 0 END) as high_score_tokens
FROM tokens t
LEFT JOIN pools p ON t.id = p.token_id
LEFT JOIN token_scores s ON t.id = s.token_id
WHERE t.created_at > NOW() - INTERVAL '24 hours'
GROUP BY t.platform;
