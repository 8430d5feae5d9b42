"""Mayhem coins, for statements (decision T15)."""


def is_mayhem(alias: str) -> str:
    """Return the SQL that says whether the row ``alias`` of ``tokens`` is known to be a mayhem coin."""
    return f"""{alias}.metadata @> '{{"is_mayhem_mode": true}}'"""
