SELECT
  'transactions' AS hypertable_name,
  chunk_name,
  before_compression_total_bytes,
  after_compression_total_bytes,
  before_compression_total_bytes::numeric / NULLIF(after_compression_total_bytes, 0) AS compression_ratio
FROM chunk_compression_stats('transactions')
ORDER BY compression_ratio DESC;
