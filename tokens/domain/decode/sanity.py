"""What an event of a source that is not the chain may hold: files and third parties can say anything."""

import re

from tokens.domain import programs
from tokens.domain.decode.results import Undecodable
from tokens.domain.events import ChainEvent

_SIGNATURE = re.compile(r"[1-9A-HJ-NP-Za-km-z]{64,88}")
_AMOUNTS, _SLOTS, _PLACES = 1 << 128, 1 << 63, 1 << 31
_LATEST = 1 << 33
"""Seconds since 1970: the year 2242."""


def checked(events: tuple[ChainEvent, ...]) -> tuple[ChainEvent, ...]:
    """Return events as they are. Raises :class:`Undecodable` for an address, amount, slot, time or place that cannot be."""
    for event in events:
        if _SIGNATURE.fullmatch(event.signature) is None:
            raise Undecodable("bad_event", f"no signature: {event.signature!r}")
        for name in ("mint", "pool", "user", "quote_mint"):
            key = getattr(event, name)
            if key is not None and not programs.is_address(key):
                raise Undecodable("bad_event", f"{name} is no address: {key!r}")
        after = event.reserves.after
        reserves = (
            () if after is None else (after.virtual_quote, after.virtual_token, after.real_quote, after.real_token)
        )
        _within(_AMOUNTS, "an amount", event.quote_amount_raw, event.token_amount_raw, *reserves)
        _within(_SLOTS, "a slot", event.slot)
        _within(_LATEST, "a time", event.block_time)
        _within(_PLACES, "a place in a transaction", event.event_index)
    return events


def _within(limit: int, what: str, *numbers: int | None) -> None:
    for number in numbers:
        if number is not None and not 0 <= number < limit:
            raise Undecodable("bad_event", f"{number} is not {what}")
