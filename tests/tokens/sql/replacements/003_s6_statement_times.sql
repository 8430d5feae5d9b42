SELECT relname, seq_scan, idx_scan, n_tup_ins, n_live_tup
FROM pg_stat_user_tables
WHERE schemaname = 'public' AND relname IN ('transactions', 'tokens')
ORDER BY seq_scan DESC;
