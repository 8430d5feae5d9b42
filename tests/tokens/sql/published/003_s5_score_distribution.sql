SELECT
  CASE
    WHEN total_score < 300 THEN '0-299'
    WHEN total_score < 600 THEN '300-599'
    WHEN total_score < 800 THEN '600-799'
    ELSE '800+'
  END as score_range,
  COUNT(*) as token_count
FROM token_scores
WHERE calculated_at > NOW() - INTERVAL '24 hours'
GROUP BY score_range;
