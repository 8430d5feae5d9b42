SELECT relname AS table_name, pg_total_relation_size(oid) AS total_bytes
FROM pg_class
WHERE oid = 'transactions'::regclass;
