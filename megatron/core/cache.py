"""The cache: what was read lately, in Redis, under the seeds' own keys and as JSON.

Nothing here is a fact: flushing Redis costs a little time. Reads and writes never raise for a Redis that is away, that
says nothing or that holds garbage; each such read is a miss, and after a failure nobody asks again for a few seconds.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import cache, partial
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import transaction
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from megatron.core import metrics
from megatron.core.pause import PAUSE_SECONDS, Pause
from megatron.core.transactions import in_transaction

TIMEOUT_SECONDS = 0.5
PATIENCE_SECONDS = 5.0
"""So long a reader waits for another one of this process that reads the same rows."""

Value = TypeVar("Value")
Loaded_co = TypeVar("Loaded_co", covariant=True)
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)

_pause = Pause()
"""One Redis a process."""


def ask(question: Callable[[Redis], Answer]) -> Answer | None:
    """Return what Redis answers, ``None`` when it is away, was away a moment ago, or is not set up. Never raises for it."""
    if not settings.CACHE_URL or not _pause.may_ask():
        return None
    try:
        answer = question(_client(settings.CACHE_URL))
    except (RedisError, OSError) as error:
        # The error may name the address and its password.
        _pause.begin()
        log.warning("cache.away", error=type(error).__name__, pause_seconds=PAUSE_SECONDS)
        return None
    _pause.end()
    return answer


def is_away() -> bool:
    """Return whether Redis failed a moment ago and is left alone."""
    return _pause.is_on


class Load(Protocol[Loaded_co]):
    """Reads the values of many keys from the database at once; keys that have none are left out."""

    def __call__(self, *, ids: Sequence[UUID], now: datetime) -> Mapping[UUID, Loaded_co]: ...


class ReadThrough(Generic[Value]):
    """Values of many rows under ``name:{id}``, each kept for ``seconds``: read from Redis, what is missing from the
    database, and written back.

    Readers of one process that miss the same key read it once. Inside a transaction a value may not be true yet, so it
    is shared with nobody before the commit. A reader's write never replaces a value (a writer's may be newer).
    """

    def __init__(
        self,
        name: str,
        *,
        seconds: int,
        load: Load[Value],
        dump: Callable[[Value], dict[str, Any]],
        parse: Callable[[dict[str, Any]], Value],
    ) -> None:
        self.name, self.seconds = name, seconds
        self.hits = self.misses = 0
        self._load, self._dump, self._parse = load, dump, parse
        self._flights: dict[UUID, Future[Mapping[UUID, Value]]] = {}
        self._guard = threading.Lock()

    def read(self, ids: Iterable[UUID], *, now: datetime) -> dict[UUID, Value]:
        """Return the value of each id that has one."""
        wanted = list(dict.fromkeys(ids))
        found = self._cached(wanted)
        missing = [key for key in wanted if key not in found]
        self._count(hits=len(found), misses=len(missing))
        if not missing:
            return found
        if in_transaction():
            loaded = dict(self._load(ids=missing, now=now))
            transaction.on_commit(partial(self._store, loaded, if_absent=True), robust=True)
            return found | loaded
        return found | self._fly(missing, now)

    def write_through(self, ids: Iterable[UUID], *, now: datetime) -> int:
        """Read anew those of ``ids`` that Redis holds, and replace them, or drop those that have no value any more; return
        how many. For after a commit."""
        wanted = list(dict.fromkeys(ids))
        held = self._held(wanted)
        if not held:
            return 0
        values = self._load(ids=held, now=now)
        self._store(values)
        if gone := [self._key(key) for key in held if key not in values]:
            ask(lambda redis: redis.delete(*gone))
        return len(held)

    def _key(self, key: UUID) -> str:
        return f"{self.name}:{key}"

    def _held(self, ids: Sequence[UUID]) -> list[UUID]:
        def exist(redis: Redis) -> list[Any]:
            with redis.pipeline(transaction=False) as pipe:
                for key in ids:
                    pipe.exists(self._key(key))
                return pipe.execute()

        answers = ask(exist) if ids else None
        return [key for key, is_there in zip(ids, answers, strict=True) if is_there] if answers else []

    def _cached(self, ids: Sequence[UUID]) -> dict[UUID, Value]:
        texts = ask(lambda redis: redis.mget([self._key(key) for key in ids])) if ids else None
        found: dict[UUID, Value] = {}
        for key, text in zip(ids, texts or (), strict=False):
            if text is not None:
                try:
                    found[key] = self._parse(json.loads(text))
                except (ValueError, KeyError, TypeError, ArithmeticError):
                    log.warning("cache.garbage", key=self._key(key))
        return found

    def _fly(self, missing: Sequence[UUID], now: datetime) -> dict[UUID, Value]:
        """Load what no other thread is loading, and wait for what one is."""
        own: Future[Mapping[UUID, Value]] = Future()
        with self._guard:
            others = {key: self._flights[key] for key in missing if key in self._flights}
            mine = [key for key in missing if key not in others]
            self._flights.update(dict.fromkeys(mine, own))
        values: dict[UUID, Value] = {}
        try:
            if mine:
                loaded = self._load(ids=mine, now=now)
                own.set_result(loaded)
                values.update(loaded)
                # Before the flight ends, so that whoever comes next finds it in one place or the other.
                self._store(loaded, if_absent=True)
        except BaseException as error:
            if not own.done():
                own.set_exception(error)
            raise
        finally:
            with self._guard:
                for key in mine:
                    del self._flights[key]
        left = []
        for key, flight in others.items():
            try:
                loaded = flight.result(PATIENCE_SECONDS)
                if key in loaded:
                    values[key] = loaded[key]
            except Exception:  # noqa: BLE001  # another's failure, or its slowness, is not ours: read it here
                left.append(key)
        return values | dict(self._load(ids=left, now=now)) if left else values

    def _store(self, values: Mapping[UUID, Value], *, if_absent: bool = False) -> None:
        def put(redis: Redis) -> None:
            with redis.pipeline(transaction=False) as pipe:
                for key, value in values.items():
                    pipe.set(self._key(key), json.dumps(self._dump(value)), ex=self.seconds, nx=if_absent)
                pipe.execute()

        if values:
            ask(put)

    def _count(self, *, hits: int, misses: int) -> None:
        self.hits += hits
        self.misses += misses
        metrics.cache_reads.labels(cache=self.name, outcome="hit").inc(hits)
        metrics.cache_reads.labels(cache=self.name, outcome="miss").inc(misses)


def replace_ranking(name: str, scores: Mapping[str, float], *, seconds: int) -> bool:
    """Put ``scores`` in the place of the sorted set ``name`` in one step; return whether Redis took it."""
    made = f"{name}:making:{uuid4()}"

    def replace(redis: Redis) -> bool:
        with redis.pipeline(transaction=True) as pipe:
            if scores:
                pipe.zadd(made, dict(scores))
                pipe.expire(made, seconds)
                pipe.rename(made, name)
            else:
                pipe.delete(name)
            pipe.execute()
        return True

    return bool(ask(replace))


def read_ranking(name: str, *, limit: int) -> list[tuple[str, float]] | None:
    """Return the best ``limit`` of the sorted set ``name``, best first; ``None`` when there is none."""
    found: Any = ask(lambda redis: redis.zrange(name, 0, limit - 1, desc=True, withscores=True))
    metrics.cache_reads.labels(cache=name, outcome="hit" if found else "miss").inc()
    return [(str(member), float(score)) for member, score in found] if found else None


@cache
def _client(url: str) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
