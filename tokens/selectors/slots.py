"""The order of a pool's trades inside one slot, for statements (docs/adr/0006)."""


def place_in_slot(alias: str) -> str:
    """Return the SQL by which trades ``alias`` of one slot are ordered, before ``event_index`` and ``signature``.

    The place that ``ingest`` found for the trades of a mayhem coin, else the product of the virtual reserves; 0 if unknown.
    """
    return f"coalesce({alias}.slot_place, {alias}.quote_reserves * {alias}.token_reserves, 0)"
