"""The technical score of 333 points: market cap, bonding curve, trading health and answer to sell-offs."""

from typing import Any

DEFAULTS: dict[str, Any] = {}
