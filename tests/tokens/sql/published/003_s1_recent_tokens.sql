SELECT * FROM tokens WHERE creation_timestamp > NOW() - INTERVAL '1 hour';
