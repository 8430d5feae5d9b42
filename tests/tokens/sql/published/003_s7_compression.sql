SELECT
  hypertable_name,
  chunk_name,
  before_compression_total_bytes,
  after_compression_total_bytes,
  compression_ratio
FROM timescaledb_information.compressed_chunk_stats
ORDER BY compression_ratio DESC;
