"""The database engine and what it knows about time series. See docs/adr for the three levels."""
