"""Several hosts on one machine: network namespaces that share one PostgreSQL and one broker (``make hosts``, as root)."""
