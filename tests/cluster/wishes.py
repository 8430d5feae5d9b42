"""What people send to the chain: wishes, whose outcome depends on where they land."""

import csv
import io
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

from solders.signature import Signature

from tests import recordings

CREATE, TRADE, CLAIM, MIGRATE, BROKEN, BYSTANDER = "create", "trade", "claim", "migrate", "broken", "bystander"


class Leg(NamedTuple):
    """One trade that is wished for. ``recorded``: what moved on the real chain, and the curve that it found there."""

    mint: str
    buys: bool
    token_raw: int
    recorded: tuple[int, int, int] | None = None
    """(quote that moved, virtual quote before, virtual token before)."""


class Wish(NamedTuple):
    """One signed transaction. Its signature and its form stay the same wherever it lands."""

    signature: str
    kind: str
    user: str
    mint: str
    legs: tuple[Leg, ...] = ()
    routed: bool = False
    version: int | str = "legacy"


def recorded() -> Iterator[Wish]:
    """Yield the recorded trades as wishes, by coin in the order in which each one found what the one before left."""
    table = csv.DictReader(io.StringIO(recordings.content("rows/trades.csv.gz").decode()))
    found: dict[str, dict[tuple[int, int], dict[str, str]]] = {}
    for row in table:
        vq, vt = _after(row)
        quote, token = _moved(row)
        found.setdefault(row["token_address"], {})[vq - quote, vt + token] = row
    for mint, rows in found.items():
        creator = next(iter(rows.values()))["creator_address"]
        # The table does not hold the creations: their signatures are made up.
        yield Wish(str(Signature.from_bytes(mint.encode().ljust(64)[:64])), CREATE, creator, mint)
        legs = list(_linked(mint, rows))
        for (signature, user), group in groupby(legs, key=lambda each: each[:2]):
            yield Wish(signature, TRADE, user, mint, tuple(leg for _, _, leg in group))


def _linked(mint: str, rows: dict[tuple[int, int], dict[str, str]]) -> Iterator[tuple[str, str, Leg]]:
    state = (30 * 10**9, 1_073 * 10**12)
    while (row := rows.pop(state, None)) is not None:
        quote, token = int(row["amount_in_sol"]), int(row["amount_in_token"])
        leg = Leg(mint, row["is_buy"] == "true", token, (quote, *state))
        yield row["transaction_signature"], row["wallet_address"], leg
        state = _after(row)


def _after(row: dict[str, Any]) -> tuple[int, int]:
    return int(row["virtual_sol_reserves"]), int(row["virtual_token_reserves"])


def _moved(row: dict[str, Any]) -> tuple[int, int]:
    """Return the signed quote that went in and token that went out."""
    sign = 1 if row["is_buy"] == "true" else -1
    return sign * int(row["amount_in_sol"]), sign * int(row["amount_in_token"])
