"""All trades of some tokens, as columns in each wallet's order.

The database packs each wallet's trades into one string of bytes and does not sort them: a hundred thousand rows, or a
sort of as many, would cost several times as much. They are sorted here by slot. Of the few wallets for which the order
within one slot matters the trades are read again, in order.
"""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db import connection

from holders.domain.ledger import Column, Ledger
from tokens.selectors.slots import place_in_slot

Packed = dict[tuple[int, str], tuple[int, bytes]]
"""The digest and the trades of each token's place and wallet."""

DIGEST = "hash_record_extended(ROW (t.id, t.slot, t.sol_amount, t.sol_amount_usd, k.decimals), 0)"
"""Whatever of a trade ``t`` of a token ``k`` a holder's row follows from; the id stands for what never changes under it."""

_FIELDS = 5
_BYTES = 8 * _FIELDS
_HALF = 1 << 63

# Amounts are sent less 2⁶³, so that all of u64 fits; a value that is not known is -1; a slot brings the side along.
_TRADES = f"""
SELECT w.place::int - 1, t.user_address, bit_xor({DIGEST}),
       string_agg(
           int8send(t.slot * 2 + (t.type = 'buy')::int) || timestamptz_send(t.block_time)
           || int8send((CASE t.type WHEN 'buy' THEN t.amount_out ELSE t.amount_in END - {_HALF})::bigint)
           || int8send(coalesce(t.sol_amount * 1000000000, -1)::bigint)
           || int8send(coalesce(round(t.sol_amount_usd * 1000000000), -1)::bigint), '' {{order}})
  FROM unnest(%s::uuid[]) WITH ORDINALITY AS w(token_id, place)
  JOIN tokens k ON k.id = w.token_id JOIN transactions t ON t.token_id = k.id
 WHERE t.type IN ('buy', 'sell') {{only}}
 GROUP BY w.place, t.user_address
"""
_ANYHOW = _TRADES.format(order="", only="")
_IN_ORDER = _TRADES.format(
    order=f"""ORDER BY t.slot, {place_in_slot("t")}, t.event_index, t.signature COLLATE "C" """,
    only="AND t.user_address = ANY (%s)",
)


def of_tokens(*, tokens: Sequence[UUID]) -> tuple[list[tuple[UUID, str]], list[int], Ledger]:
    """Return the wallets that traded ``tokens``, a digest of each one's trades, and the trades.

    A digest is the xor of its trades' digests: a change of them is seen by it.
    """
    packed = _read(_ANYHOW, tokens)
    owner, columns = _columns(packed)
    if again := _unsettled(owner, columns):
        keys = list(packed)
        wallets = {keys[place][1] for place in again}
        for place in again:
            del packed[keys[place]]  # perhaps it is gone by now
        packed |= _read(_IN_ORDER, tokens, sorted(wallets))
        owner, columns = _columns(packed)
    amounts = columns[2].view(np.uint64) ^ np.uint64(_HALF)
    fits = not len(amounts) or int(amounts.max()) < _HALF
    table = Ledger(
        owner=owner,
        buys=columns[0] & 1 != 0,
        raw=amounts.astype(np.int64 if fits else object),
        lamports=columns[3],
        usd_nano=columns[4],
        at_micros=columns[1],
        slot=columns[0] >> 1,
    )
    keys_of = [(tokens[place], wallet) for place, wallet in packed]
    return keys_of, [digest for digest, _ in packed.values()], table


def _read(statement: str, tokens: Sequence[UUID], *more: list[str]) -> Packed:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(tokens), *more])
        return {(place, wallet): (digest, trades) for place, wallet, digest, trades in cursor.fetchall()}


def _columns(packed: Packed) -> tuple[Column, Column]:
    """Return whose each trade is, by place in ``packed``, and the trades' fields, in the order of owner and slot."""
    whole = [trades for _, trades in packed.values()]
    owner = np.repeat(np.arange(len(whole)), [len(trades) // _BYTES for trades in whole])
    columns = np.frombuffer(b"".join(whole), dtype=">i8").reshape(-1, _FIELDS).T.astype(np.int64, order="C")
    order = np.lexsort((columns[0] >> 1, owner))  # keeps the order within a slot
    return owner, columns[:, order]


def _unsettled(owner: Column, columns: Column) -> list[int]:
    """Return the owners for which the order within a slot matters.

    Trades of one side at one time give the same sums in any order; the first one of all is looked at alone.
    """
    if len(owner) < 2:
        return []
    side, at = columns[0], columns[1]
    together = (owner[1:] == owner[:-1]) & (side[1:] >> 1 == side[:-1] >> 1)
    first = np.diff(owner, prepend=-1)[:-1] != 0
    matters = together & (first | (side[1:] != side[:-1]) | (at[1:] != at[:-1]))
    return [int(place) for place in np.unique(owner[1:][matters])]
