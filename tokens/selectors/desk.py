"""What an operator asks first: what needs me, how far are the feeds, what is moving."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Min, Model, Q, QuerySet
from django.db.models.functions import Trunc

from megatron.core.estimates import estimated_rows
from megatron.core.ids import first_id
from megatron.core.timescale.bounds import bounded, has_chunks
from megatron.core.timescale.newest import newest
from tokens.choices import RejectionReason, RejectionStatus, TransactionType
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import CandleDue, Pool, PoolMilestone, RejectedMessage, SolUsdPrice, StreamCursor, Token, Transaction
from tokens.selectors import counting, prices, trades
from tokens.selectors import tokens as token_reads

COUNT_LIMIT = 10_000
"""A tile counts at most this many waiting rows; more is shown as "10,000+"."""
NAMES_AMONG = 10_000
"""So many of the newest tokens are looked through for a name, which has no index."""


@dataclass(frozen=True, slots=True)
class Find:
    """Something that is a list: a wallet's transactions, the tokens of a name."""

    key: str
    model: type[Model]


@dataclass(frozen=True, slots=True)
class Rejections:
    """Waiting messages with one reason."""

    reason: RejectionReason
    count: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """Candles that wait to be computed; ``count`` stops at :data:`COUNT_LIMIT`."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows a table has; exact for small tables."""

    count: int
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class Minute:
    """Trades of one minute."""

    at: datetime
    buys: int
    sells: int


@dataclass(frozen=True, slots=True)
class HotToken:
    """A token's trades in a window; ``pool`` is the one that prices it, ``volume_sol`` net of wash volume. The mayhem agent is
    none of the ``traders``."""

    token: Token
    pool: Pool | None
    volume_sol: Decimal
    trades: int
    traders: int


def waiting_rejections() -> Sequence[Rejections]:
    """Return the waiting messages by reason, most first."""
    waiting = RejectedMessage.objects.filter(status=RejectionStatus.WAITING)
    rows = waiting.values_list("reason").annotate(count=Count("id"), oldest=Min("observed_at")).order_by("-count")
    return [Rejections(RejectionReason(reason), count, oldest) for reason, count, oldest in rows]


def rejections_set_aside() -> Mapping[RejectionStatus, int]:
    """Return how many messages are kept that will not be stored, by status (noise, discarded), those without any left out."""
    aside = RejectedMessage.objects.filter(status__in=(RejectionStatus.NOISE, RejectionStatus.DISCARDED))
    rows = aside.values_list("status").annotate(count=Count("id")).order_by("status")
    return {RejectionStatus(status): count for status, count in rows}


def count_waiting_rejections() -> int:
    """Return how many messages wait, at most :data:`COUNT_LIMIT`."""
    return RejectedMessage.objects.filter(status=RejectionStatus.WAITING)[:COUNT_LIMIT].count()


def waiting_for(*, token: Token) -> Sequence[RejectedMessage]:
    """Return at most 20 waiting messages that ``token`` or one of its pools would let in."""
    keys = [token.mint_address, *token.pools.values_list("pool_address", flat=True)]
    return list(
        RejectedMessage.objects.filter(status=RejectionStatus.WAITING, waits_for__in=keys).defer("payload")[:20]
    )


def due_candles() -> Backlog:
    """Return how many candles wait and since when."""
    first = CandleDue.objects.order_by("id").values("id", "marked_at")[:COUNT_LIMIT]
    times = [row["marked_at"] for row in first]
    return Backlog(len(times), min(times, default=None))


def latest_sol_usd(*, now: datetime) -> SolUsdPrice | None:
    """Return the newest SOL/USD price of any source up to ``now``; ask :func:`prices.holds` whether it still is SOL's."""
    return max(prices.latest_by_source(until=now), key=lambda price: price.price_time, default=None)


def cursors() -> Sequence[StreamCursor]:
    """Return every feed's cursor, the one that was read last first."""
    return list(StreamCursor.objects.order_by("-observed_at"))


def stock() -> Mapping[str, Rows]:
    """Return how many tokens, pools and transactions are stored, by the model's name."""
    return {model._meta.model_name or "": _rows(model) for model in (Token, Pool, Transaction)}


def _rows(model: type[Model]) -> Rows:
    first = model._default_manager.all()[:COUNT_LIMIT].count()
    if first < COUNT_LIMIT:
        return Rows(first, is_estimate=False)
    return Rows(max(estimated_rows(model), first), is_estimate=True)


def find(
    key: str, *, among: Container[type[Model]] = (Token, Pool, Transaction)
) -> Token | Pool | Transaction | Find | None:
    """Return what ``key`` names, looking only at the models ``among`` which the asker may see, or ``None``.

    A token by its mint, a pool by its address, a transaction by its signature; the wallet of a trader or a creator is
    itself. Else tokens by symbol or name (see :func:`named`): the token where it is one, else all of that name.
    """
    if not key or "\x00" in key:  # which no column holds
        return None
    if Token in among and (token := Token.objects.filter(mint_address=key).first()):
        return token
    if Pool in among and (pool := Pool.objects.filter(pool_address=key).first()):
        return pool
    if Transaction in among:
        if trade := Transaction.objects.filter(signature=key).order_by("event_index").first():
            return trade
        made = Q(creator_address=key) | Q(launch_wallets__contains=[key])
        if Transaction.objects.filter(user_address=key).exists() or (
            Token in among and Token.objects.filter(made).exists()
        ):
            return Find(key, Transaction)
    found = list(Token.objects.filter(named(key))[:2]) if Token in among else []
    return found[0] if len(found) == 1 else Find(key, Token) if found else None


_NAMED = """
SELECT id FROM (
    SELECT id, symbol, name FROM tokens ORDER BY creation_timestamp DESC NULLS LAST LIMIT %s
) AS newest WHERE upper(name) = upper(%s) OR upper(symbol) = upper(%s)
"""


def named(term: str) -> Q:
    """Return the condition that a token's symbol or name is ``term``, whatever the case.

    Bounded on millions of tokens: symbols by their index, in the usual spellings (as written, all capitals, none, the first);
    names, which have none, and odd spellings among the newest :data:`NAMES_AMONG` tokens.
    """
    spellings = {write(term) for write in (str, str.upper, str.lower, str.capitalize)}
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [NAMES_AMONG, term, term])
        newest_ones = [pk for (pk,) in cursor.fetchall()]
    return Q(symbol__in=spellings) | Q(pk__in=newest_ones)


def latest_trade_at() -> datetime | None:
    """Return the block time of the newest transaction."""
    return Transaction.objects.order_by("-id").values_list("block_time", flat=True).first()


def trades_a_minute(*, since: datetime, until: datetime) -> Sequence[Minute]:
    """Return the buys and sells of each minute in ``[since, until)``, oldest first, quiet minutes included as zeros."""
    minute = Trunc("block_time", "minute", tzinfo=UTC)
    rows = (
        transactions_between(since, until)
        .values_list(minute)
        .annotate(
            buys=Count("id", filter=Q(type=TransactionType.BUY)), sells=Count("id", filter=Q(type=TransactionType.SELL))
        )
    )
    counted = {at: Minute(at, buys, sells) for at, buys, sells in rows}
    first = since.replace(second=0, microsecond=0)
    minutes = -((first - until) // timedelta(minutes=1))
    every = (first + timedelta(minutes=number) for number in range(minutes))
    return [counted.get(at, Minute(at, 0, 0)) for at in every]


_HOT = f"""
SELECT token_id, sum(volume) - {counting.WASH_SOL} AS net, sum(trades),
       count(DISTINCT user_address) FILTER (WHERE user_address <> %(agent)s)
FROM (
    SELECT token_id, user_address, sum(sol_amount) AS volume, count(*) AS trades, {counting.GROUP_FIGURES}
    FROM (
        SELECT token_id, user_address, block_time, type = 'buy' AS buys, sol_amount, sol_amount_usd,
               CASE WHEN type = 'buy' THEN amount_out ELSE amount_in END AS token_raw
        FROM transactions
        WHERE id >= %(first)s AND id < %(last)s AND {{bounded}} AND type IN ('buy', 'sell') AND sol_amount IS NOT NULL
    ) AS traded
    GROUP BY token_id, user_address, time_bucket('1 minute', block_time)
) AS each_minute
GROUP BY token_id ORDER BY net DESC, token_id LIMIT %(limit)s
"""


def hot_tokens(*, since: datetime, until: datetime, limit: int = 8) -> Sequence[HotToken]:
    """Return the tokens with the most SOL traded in ``[since, until)``, net of wash volume, most first."""
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {"agent": MAYHEM_AGENT, "since": since, "until": until, "limit": limit}
        asked |= {"first": first_id(since), "last": first_id(until)}
        cursor.execute(_HOT.format(bounded=bounded("block_time >= %(since)s AND block_time < %(until)s")), asked)
        ranked = cursor.fetchall()
    found = {token.pk: token for token in token_reads.tokens().filter(pk__in=[row[0] for row in ranked])}
    return [
        HotToken(found[pk], token_reads.current_of(found[pk].pools.all()), volume, trades, traders)
        for pk, volume, trades, traders in ranked
    ]


def newest_tokens(*, limit: int = 8) -> Sequence[tuple[Token, Pool | None]]:
    """Return the tokens created last, each with the pool that prices it."""
    found = token_reads.tokens().filter(creation_timestamp__isnull=False).order_by("-creation_timestamp")[:limit]
    return [(token, token_reads.current_of(token.pools.all())) for token in found]


def latest_graduations(*, limit: int = 8) -> Sequence[Token]:
    """Return the tokens that graduated last."""
    graduated = Token.objects.filter(is_graduated=True, graduation_timestamp__isnull=False)
    return list(graduated.order_by("-graduation_timestamp")[:limit])


def latest_trades(*, token: Token, limit: int = 50) -> Sequence[Transaction]:
    """Return the newest trades and liquidity events of ``token``, newest first, with their pools."""
    found = Transaction.objects.filter(token=token).select_related("pool").order_by("-block_time", "-id")
    return newest(found, limit=limit, lifetime=trades.lifetime(token))


def pools_of(*, token: Token) -> Sequence[tuple[Pool, Sequence[PoolMilestone]]]:
    """Return the pools of ``token``, launch curve first, each with its milestones in order."""
    found = token.pools.order_by("created_at").prefetch_related("milestones")
    ordered = sorted(found, key=lambda pool: ("initial", "graduated", "permissionless").index(pool.pool_type))
    return [(pool, sorted(pool.milestones.all(), key=lambda reached: reached.threshold_pct)) for pool in ordered]


def transactions_between(since: datetime, until: datetime) -> QuerySet[Transaction]:
    """Return the transactions in ``[since, until)`` by their ids.

    Ids are in the order of time, so the key's index serves it. Chunks are left out by the time, where there are chunks.
    """
    found = Transaction.objects.filter(id__gte=first_id(since), id__lt=first_id(until))
    return found.filter(block_time__gte=since, block_time__lt=until) if has_chunks() else found
