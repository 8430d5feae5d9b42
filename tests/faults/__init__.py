"""The real monitor and the real workers, live on a cluster where things go wrong."""
