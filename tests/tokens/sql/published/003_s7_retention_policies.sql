SELECT * FROM timescaledb_information.retention_policies;
