"""The technical score of 333 points: market cap (100), bonding curve (83), trading health (75) and the answer to
sell-offs (-60 to 75). Stored signed (G1); whoever adds it to a total counts what is below zero as zero."""

from typing import Any

from scoring.domain.technical import curve, market_cap, selloff, trading

DEFAULTS: dict[str, Any] = {
    "market_cap": market_cap.DEFAULTS,
    "bonding_curve": curve.DEFAULTS,
    "trading_health": trading.DEFAULTS,
    "selloff_response": selloff.DEFAULTS,
}
