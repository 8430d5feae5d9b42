SELECT table_name, drop_after FROM retention_policies WHERE drop_after IS NOT NULL ORDER BY table_name;
