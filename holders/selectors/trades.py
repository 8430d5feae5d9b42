"""All trades of some tokens, as columns in each wallet's order.

The database packs each wallet's trades into one string of bytes and does not sort them: a hundred thousand rows, or a
sort of as many, would cost several times as much. They are sorted here by slot. Of the few wallets for which the order
within one slot matters the trades are read again, in order.
"""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db import connection

from holders.domain import ledger
from holders.domain.ledger import UNKNOWN, Column, Ledger
from tokens.selectors.slots import place_in_slot

Packed = dict[tuple[int, str], tuple[int, bytes]]
"""The digest and the trades of each token's place and wallet."""

DIGEST = (
    "hash_record_extended(ROW (t.id, t.slot, t.sol_amount, t.sol_amount_usd, k.decimals, t.protocol_fee, t.platform_fee,"
    " t.creator_fee, t.share_fee, t.transaction_fee), 0)"
)
"""Whatever of a trade ``t`` of a token ``k`` a holder's row follows from; the id stands for what never changes under it."""

_FIELDS = 10
_BYTES = 8 * _FIELDS
_HALF = 1 << 63

# What a venue charged, base units of the quote. Each venue names its own kinds of fee and the protocol's is one of all of
# them, so that without it nothing of the fees is known; another that is missing was not charged. Where the chain has the two
# mints the other way round, fees are in the coin, and what they were worth is not known. Nobody ever paid 10^15 (a million
# SOL): what says so is not believed, and would not fit.
_FEES = "t.protocol_fee + coalesce(t.platform_fee, 0) + coalesce(t.creator_fee, 0) + coalesce(t.share_fee, 0)"
_FEES = f"CASE WHEN NOT p.mints_flipped AND {_FEES} < 1e15 THEN {_FEES} END"
# Half up, at the price of the trade itself. Nothing was moved: a fee has no price.
_IN_USD = """CASE WHEN {fee} = 0 THEN 0
                  ELSE div(2e9 * t.sol_amount_usd * {fee} + moved.quote, nullif(2 * moved.quote, 0)) END"""

# Amounts are sent less 2⁶³, so that all of u64 fits; a slot brings the side along. The network's fee is the payer's.
_TRADES = f"""
SELECT w.place::int - 1, t.user_address, bit_xor({DIGEST}),
       string_agg(
           int8send(t.slot * 2 + (t.type = 'buy')::int) || timestamptz_send(t.block_time)
           || int8send((CASE t.type WHEN 'buy' THEN t.amount_out ELSE t.amount_in END - {_HALF})::bigint)
           || int8send(coalesce(t.sol_amount * 1000000000, {UNKNOWN})::bigint)
           || int8send(coalesce(t.sol_amount * 1000000000 + moved.sign * fees.venue, {UNKNOWN})::bigint)
           || int8send(coalesce(round(t.sol_amount_usd * 1000000000)
                                + moved.sign * {_IN_USD.format(fee="fees.venue")}, {UNKNOWN})::bigint)
           || int8send(coalesce(fees.network, {UNKNOWN}))
           || int8send(coalesce(CASE WHEN t.sol_amount IS NOT NULL THEN {_IN_USD.format(fee="fees.network")} END,
                                {UNKNOWN})::bigint)
           || int8send(hashtextextended(t.signature, 0)) || int8send(t.event_index), '' {{order}})
  FROM unnest(%s::uuid[]) WITH ORDINALITY AS w(token_id, place)
  JOIN tokens k ON k.id = w.token_id JOIN transactions t ON t.token_id = k.id JOIN pools p ON p.id = t.pool_id
 CROSS JOIN LATERAL (
      SELECT CASE t.type WHEN 'buy' THEN 1 ELSE -1 END AS sign,
             CASE t.type WHEN 'buy' THEN t.amount_in ELSE t.amount_out END AS quote) AS moved
 CROSS JOIN LATERAL (
      SELECT {_FEES} AS venue, CASE WHEN t.raw_data ? 'fee_payer' THEN 0 ELSE t.transaction_fee END AS network) AS fees
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
    buys = columns[0] & 1 != 0
    first = ledger.first_of_transaction(owner, columns[8], columns[9])
    table = Ledger(
        owner=owner,
        buys=buys,
        raw=amounts.astype(np.int64 if fits else object),
        lamports=columns[3],
        net_lamports=_with_network(columns[4], columns[6], buys, first),
        net_usd_nano=_with_network(columns[5], columns[7], buys, first),
        without_network_fee=(first & _is_left_out(columns[6], columns[3])).astype(np.int64),
        at_micros=columns[1],
        slot=columns[0] >> 1,
    )
    keys_of = [(tokens[place], wallet) for place, wallet in packed]
    return keys_of, [digest for digest, _ in packed.values()], table


def _is_left_out(network: Column, lamports: Column) -> Column:
    """Return where the network's fee is in no profit: no source told it, or the trade is in a quote that says nothing of
    SOL's price."""
    left_out: Column = (network == UNKNOWN) | ((network != 0) & (lamports == UNKNOWN))
    return left_out


def _with_network(net: Column, network: Column, buys: Column, first: Column) -> Column:
    """Return what was paid or got with the network's fee too, where a source told it: once a transaction."""
    fee = np.where(first & (network != UNKNOWN), network, 0)
    return np.where(net == UNKNOWN, UNKNOWN, np.where(buys, net + fee, net - fee))


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
