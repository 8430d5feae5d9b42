"""What we believed and the finalized chain does not have where we have it, and what must be stored again when it goes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from megatron.clients.errors import TryLater
from megatron.clients.ports import UNREAD, ChainReader, Landed
from megatron.core.chain import AHEAD, EVER
from megatron.core.ids import first_id
from megatron.core.timescale.bounds import bounded
from tokens.choices import Program
from tokens.domain import programs
from tokens.models import StreamSighting
from tokens.services import reorgs
from tokens.services.listing import Page
from tokens.services.reorgs import Dropped

SLACK = timedelta(minutes=1)
"""How far a fork's clock may be from the chain's: a row of the slots in question is not looked for further away."""
_STATUSES = 256
_FIRST_PASS = timedelta(hours=1)
"""How far before the first known time of a venue its rows may be that no pass has judged: a list goes back minutes."""

_OFF = timedelta(hours=1)
"""How far the time of a row may be from its block's: a fork's clock, or a source that knows no better; with much to spare."""


def times_between(*, page: Page, since: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return between which block times the rows of a page's slots stand, and of forks of them. ``since`` is how far the venue was
    compared before. Where nobody names a time it is the chain's whole."""
    times = [*page.times, *filter(None, [since])]
    if not times:
        return EVER, now + AHEAD
    return min(times) - (_FIRST_PASS if since is None else _OFF), max(now + AHEAD, *times)


# What a token remembers of its launch and its graduation has no slot of its own; it is judged where its transaction was last
# seen, and not before a node must know that slot: one that lags says of every newer one that there is none. What it said
# where it was seen before may be what is remembered.
# The rows of the window first: joined the other way round, a pool at a time, they would be gone through for each pool.
_DOUBTFUL = """
WITH recent AS MATERIALIZED (
    SELECT DISTINCT signature, slot, pool_id FROM transactions
    WHERE commitment < 2 AND slot <= %(last)s AND id >= %(first_id)s AND id < %(end_id)s AND {bounded}
)
SELECT DISTINCT t.signature, t.slot FROM recent t JOIN pools p ON p.id = t.pool_id WHERE p.platform = %(platform)s
UNION
SELECT told.signature, seen.slot FROM (
    SELECT creation_signature AS signature, creation_timestamp AS at FROM tokens
    WHERE creation_timestamp >= %(since)s AND creation_timestamp <= %(until)s AND %(launches)s AND platform = %(platform)s
    UNION
    SELECT graduation_signature, graduation_timestamp FROM tokens
    WHERE is_graduated AND graduation_timestamp >= %(since)s AND graduation_timestamp <= %(until)s
      AND %(launches)s AND platform = %(platform)s
) AS told LEFT JOIN LATERAL (
    SELECT slot, max(slot) OVER () AS newest FROM (
        SELECT slot FROM transactions t WHERE t.signature = told.signature AND {near}
        UNION SELECT slot FROM stream_sightings s WHERE s.venue = %(venue)s AND s.signature = told.signature
    ) AS places
) AS seen ON true
WHERE told.signature IS NOT NULL AND (seen.newest <= %(last)s OR (seen.newest IS NULL AND told.at <= %(passed)s))
UNION
SELECT migration_signature, migration_slot FROM pools
WHERE migration_signature IS NOT NULL AND migration_slot > %(first)s AND migration_slot <= %(last)s
  AND platform = %(platform)s
"""


def doubtful(
    *, venue: Program, page: Page, since: datetime | None, chain: ChainReader
) -> tuple[list[Dropped], list[tuple[str, int]], list[int]]:
    """Return what we believed and the finalized chain does not have where we have it, what is final after all, and the slots of
    that of which the node's answer cannot be read: it is neither.

    Absence from a list proves nothing by itself (a row of our pools may come from another program's transaction): the
    chain is asked for each such signature.
    """
    times = page.times or [time for time in (since,) if time is not None]
    if not times:
        return [], [], []
    asked: dict[str, Any] = {
        "platform": programs.VENUES[venue].value,
        "launches": venue is not Program.PUMPSWAP,
        "first": page.first - 1,
        "last": page.last,
        "since": min(times) - _FIRST_PASS if since is None else min([*times, since]) - SLACK,
        "until": max(times) + SLACK,
        "venue": venue.value,
        "passed": max(times) - SLACK,
    }
    asked |= {"first_id": first_id(asked["since"]), "end_id": first_id(asked["until"] + timedelta(seconds=1))}
    bounds = bounded("block_time >= %(since)s AND block_time <= %(until)s")
    with connection.cursor() as cursor:
        near = bounded("t.block_time >= %(since)s - interval '1 hour'")
        cursor.execute(_DOUBTFUL.format(bounded=bounds, near=near), asked)
        believed = cursor.fetchall()
    dropped: list[Dropped] = []
    doubted: list[tuple[str, int | None]] = []
    for signature, slot in believed:
        landed = page.find(signature)
        if landed is None:
            doubted.append((signature, slot))
        elif slot not in (None, landed.slot):
            dropped.append(Dropped(signature, slot, landed=landed.slot))
    sure: list[tuple[str, int]] = []
    unknown: list[int] = []
    for start in range(0, len(doubted), _STATUSES):
        some = doubted[start : start + _STATUSES]
        answered_at, statuses = chain.get_statuses([signature for signature, _ in some])
        if answered_at < page.last:
            raise TryLater(f"The node answers as of slot {answered_at}, not of {page.last}.")
        for (signature, slot), status in zip(some, statuses, strict=True):
            if status is UNREAD:
                unknown.append(page.first if slot is None else max(slot, page.first))
            elif status is None or status.failed:
                dropped.append(Dropped(signature, slot or 0, landed=None))
            elif slot not in (None, status.slot):
                dropped.append(Dropped(signature, slot or 0, landed=status.slot))
            elif status.finalized:
                sure.append((signature, status.slot))
    return dropped, sure, unknown


class Place(NamedTuple):
    """Where a transaction landed, and whether that slot is final."""

    landed: Landed
    final: bool


def said_again(
    *, venue: Program, dropped: Sequence[Dropped], page: Page, heard: int, chain: ChainReader, since: datetime
) -> dict[str, Place]:
    """Return where the transactions landed that must be stored again with the fork that is taken back, by signature.

    These are the witnesses of what is undone, what has no rows where it landed again, and what came since the fork began and
    told a fact: rows may have kept what the fork said instead of it. What is on no list was settled before, is not final yet,
    or is of a fork itself, perhaps one that another venue has yet to compare: the chain is asked. Raises ``TryLater`` from a
    node that does not know what is on the chain, or may be, and while a feed, which has come to slot ``heard``, has yet to
    bring what landed again. ``since`` is the earliest block time of what is taken back.
    """
    began = min(one.slot for one in dropped)
    told = StreamSighting.objects.filter(venue=venue, slot__gte=began, tells=True)
    unlike = reorgs.unlike(dropped=dropped, since=since)
    furthest = max((one.landed or 0 for one in dropped if one.signature in unlike), default=0)
    if furthest > heard:
        raise TryLater(
            f"A fork was dropped, and a feed has yet to come to slot {furthest}, where some of it landed again."
        )
    witnesses = reorgs.witnesses(dropped=dropped, since=since) | unlike
    signatures = witnesses.union(told.values_list("signature", flat=True))
    signatures -= {one.signature for one in dropped if not one.alive}
    places = {one: Place(landed, final=True) for one in signatures if (landed := page.find(one)) is not None}
    doubted = sorted(signatures - places.keys())
    seen = _seen(doubted, since)
    for start in range(0, len(doubted), _STATUSES):
        some = doubted[start : start + _STATUSES]
        answered_at, statuses = chain.get_statuses(some)
        for one, status in zip(some, statuses, strict=True):
            if status is UNREAD:
                raise TryLater(f"Transaction {one} must be stored again, and what the node knows of it cannot be read.")
            if status is None:
                slot, final = seen.get(one, (page.last, one in witnesses))
                if final or max(slot, page.last) > answered_at:
                    raise TryLater(f"Transaction {one} must be stored again, and the node does not know it.")
            elif not status.failed:
                places[one] = Place(Landed(one, status.slot, False, None), status.finalized)
    return places


_SEEN = """
SELECT signature, max(slot), bool_or(final) FROM (
    SELECT signature, slot, commitment = 2 AS final FROM transactions
    WHERE signature = ANY(%(signatures)s) AND {bounded}
    UNION ALL SELECT signature, slot, false FROM stream_sightings WHERE signature = ANY(%(signatures)s)
) AS places GROUP BY signature
"""


def _seen(signatures: Sequence[str], since: datetime) -> dict[str, tuple[int, bool]]:
    """Return the newest slot in which each signature was seen by any venue, and whether it has final rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SEEN.format(bounded=bounded("block_time >= %(since)s")), {"signatures": list(signatures), "since": since}
        )
        return {signature: (slot, final) for signature, slot, final in cursor.fetchall()}
