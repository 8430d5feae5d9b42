SELECT
  (SELECT COUNT(*) FROM tokens WHERE created_at > NOW() - INTERVAL '1 hour') as new_tokens,
  (SELECT COUNT(*) FROM transactions WHERE block_time > NOW() - INTERVAL '1 hour') as recent_transactions,
  (SELECT COUNT(*) FROM token_scores WHERE calculated_at > NOW() - INTERVAL '1 hour') as scores_calculated,
  (SELECT pg_database_size(current_database())) as database_size;
