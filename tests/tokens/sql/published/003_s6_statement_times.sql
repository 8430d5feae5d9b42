SELECT
  query,
  calls,
  mean_exec_time,
  max_exec_time
FROM pg_stat_statements
WHERE query LIKE '%transactions%' OR query LIKE '%token_scores%'
ORDER BY mean_exec_time DESC
LIMIT 10;
