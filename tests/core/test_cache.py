import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from prometheus_client import REGISTRY
from redis import Redis

from megatron.core import cache
from megatron.core.pause import PAUSE_SECONDS
from tests.factories import NOON

ONE, TWO, NONE = UUID(int=1), UUID(int=2), UUID(int=3)


class Rows:
    """A table that counts how often it is read: every key but :data:`NONE` has its number as its value."""

    def __init__(self) -> None:
        self.reads: list[list[UUID]] = []
        self.pause = threading.Event()
        self.pause.set()

    def load(self, *, ids: Sequence[UUID], now: datetime) -> Mapping[UUID, int]:
        self.reads.append(list(ids))
        self.pause.wait(10)
        return {key: key.int for key in ids if key != NONE}


@pytest.fixture
def rows() -> Rows:
    return Rows()


def through(rows: Rows, **options: Any) -> cache.ReadThrough[int]:
    return cache.ReadThrough[int](
        "count:of",
        seconds=30,
        load=rows.load,
        dump=lambda value: {"count": str(value)},
        parse=lambda kept: int(kept["count"]),
    )


@pytest.fixture(autouse=True)
def forget_failures() -> Iterator[None]:
    cache._pause.end()
    yield
    cache._pause.end()


def test_a_value_is_read_once_and_kept_under_its_exact_key(rows: Rows, redis: Redis) -> None:
    """The key has no prefix and no version, the value is JSON, and it expires."""
    values = through(rows)
    assert values.read([ONE, TWO], now=NOON) == {ONE: 1, TWO: 2}
    assert values.read([TWO, ONE, ONE], now=NOON) == {ONE: 1, TWO: 2}
    assert rows.reads == [[ONE, TWO]]
    assert redis.get(f"count:of:{ONE}") == '{"count": "1"}'
    assert 28 <= redis.ttl(f"count:of:{ONE}") <= 30
    assert (values.hits, values.misses) == (2, 2)


def test_only_what_is_missing_is_read(rows: Rows, redis: Redis) -> None:
    """A half-filled cache costs one read of the other half."""
    values = through(rows)
    values.read([ONE], now=NOON)
    assert values.read([ONE, TWO], now=NOON) == {ONE: 1, TWO: 2}
    assert rows.reads == [[ONE], [TWO]]


def test_nothing_is_kept_for_what_has_no_value(rows: Rows, redis: Redis) -> None:
    """A key without a value is left out, and asked for again."""
    values = through(rows)
    assert values.read([NONE], now=NOON) == {}
    assert values.read([NONE], now=NOON) == {}
    assert redis.keys("*") == []
    assert rows.reads == [[NONE], [NONE]]


@pytest.mark.parametrize("garbage", ["", "{", "[]", '{"count": "many"}', '{"other": "1"}', "null"])
def test_garbage_is_a_miss(rows: Rows, redis: Redis, garbage: str) -> None:
    """What cannot be read is read from the database."""
    redis.set(f"count:of:{ONE}", garbage)
    assert through(rows).read([ONE], now=NOON) == {ONE: 1}


def test_a_key_of_another_kind_is_a_miss(rows: Rows, redis: Redis) -> None:
    """A set where a text should be disturbs nobody, and Redis is still asked for the rest."""
    redis.sadd(f"count:of:{ONE}", "odd")
    assert through(rows).read([ONE, TWO], now=NOON) == {ONE: 1, TWO: 2}


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_nothing_is_kept_before_the_commit(rows: Rows, redis: Redis) -> None:
    """What was read of uncommitted rows is seen by nobody else; the commit lets it out."""
    with transaction.atomic():
        through(rows).read([ONE], now=NOON)
        assert redis.keys("*") == []
    assert redis.keys("*") == [f"count:of:{ONE}"]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_transaction_keeps_nothing(rows: Rows, redis: Redis) -> None:
    """What did not happen is in no cache."""
    with suppress(ZeroDivisionError), transaction.atomic():
        through(rows).read([ONE], now=NOON)
        raise ZeroDivisionError
    assert redis.keys("*") == []


def test_a_reader_never_replaces_what_a_writer_wrote(rows: Rows, redis: Redis) -> None:
    """A slow reader's older value gives way to the one that was written meanwhile."""
    rows.pause.clear()
    values = through(rows)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(values.read, [ONE], now=NOON)
        while not rows.reads:
            time.sleep(0.01)
        redis.set(f"count:of:{ONE}", '{"count": "7"}', ex=30)
        rows.pause.set()
        assert reading.result(10) == {ONE: 1}
    assert values.read([ONE], now=NOON) == {ONE: 7}


def test_a_writer_replaces_only_what_is_there(rows: Rows, redis: Redis) -> None:
    """Nobody looked at the second key, so it costs no read."""
    redis.set(f"count:of:{ONE}", '{"count": "7"}', ex=1)
    assert through(rows).write_through([ONE, TWO], now=NOON) == 1
    assert redis.keys("*") == [f"count:of:{ONE}"]
    assert redis.get(f"count:of:{ONE}") == '{"count": "1"}'
    assert rows.reads == [[ONE]]


def test_a_writer_drops_what_has_no_value_any_more(rows: Rows, redis: Redis) -> None:
    """A key that the database no longer knows is not shown until it runs out."""
    redis.set(f"count:of:{NONE}", '{"count": "7"}', ex=30)
    assert through(rows).write_through([NONE, ONE], now=NOON) == 1
    assert redis.keys("*") == []


def test_many_readers_of_one_key_read_it_once(rows: Rows, redis: Redis) -> None:
    """Twenty threads that miss together wait for the first one's read."""
    rows.pause.clear()
    values = through(rows)
    with ThreadPoolExecutor(20) as pool:
        readers = [pool.submit(values.read, [ONE, TWO], now=NOON) for _ in range(20)]
        while values.misses < 40:
            time.sleep(0.01)
        time.sleep(0.1)
        rows.pause.set()
        assert [reader.result(10) for reader in readers] == [{ONE: 1, TWO: 2}] * 20
    assert rows.reads == [[ONE, TWO]]


def test_whoever_waited_for_a_failed_read_reads_himself(rows: Rows, redis: Redis) -> None:
    """A database error of one reader is not everybody's."""
    rows.pause.clear()
    values = through(rows)
    load = values._load

    def fail_first(*, ids: Sequence[UUID], now: datetime) -> Mapping[UUID, int]:
        first = not rows.reads
        found = load(ids=ids, now=now)
        if first:
            raise ZeroDivisionError
        return found

    values._load = fail_first
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(values.read, [ONE], now=NOON)
        while not rows.reads:
            time.sleep(0.01)
        second = pool.submit(values.read, [ONE], now=NOON)
        while values.misses < 2:
            time.sleep(0.01)
        time.sleep(0.1)
        rows.pause.set()
        assert second.result(10) == {ONE: 1}
        with pytest.raises(ZeroDivisionError):
            first.result(10)


def test_hits_and_misses_are_counted_for_prometheus(rows: Rows, redis: Redis) -> None:
    """A key asked for is one or the other."""

    def counted(outcome: str) -> float:
        return REGISTRY.get_sample_value("megatron_cache_reads_total", {"cache": "count:of", "outcome": outcome}) or 0

    hits, misses = counted("hit"), counted("miss")
    values = through(rows)
    values.read([ONE], now=NOON)
    values.read([ONE, TWO], now=NOON)
    assert (counted("hit") - hits, counted("miss") - misses) == (1, 2)


def test_without_an_address_everything_is_read(rows: Rows) -> None:
    """No cache is a cache that is always empty."""
    values = through(rows)
    values.read([ONE], now=NOON)
    assert values.read([ONE], now=NOON) == {ONE: 1}
    assert values.write_through([ONE], now=NOON) == 0
    assert cache.replace_ranking("tokens:hot", {"a": 1.0}, seconds=60) is False
    assert cache.read_ranking("tokens:hot", limit=5) is None


@pytest.mark.parametrize("kind", ["dead_redis_url", "mute_redis_url"])
def test_a_redis_that_fails_is_left_alone_for_a_while(
    rows: Rows, settings: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    """One reader waits half a second at most, the next ones not at all, and all get their values."""
    settings.CACHE_URL = request.getfixturevalue(kind)
    values = through(rows)
    start = time.monotonic()
    assert values.read([ONE], now=NOON) == {ONE: 1}
    assert time.monotonic() - start < 0.9
    assert cache.is_away()
    start = time.monotonic()
    for _ in range(100):
        assert values.read([ONE], now=NOON) == {ONE: 1}
    assert time.monotonic() - start < 0.3


def test_a_redis_that_came_back_is_used_again(
    rows: Rows, redis: Redis, settings: Any, dead_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the pause one reader tries, and when he is answered everybody is."""
    at = settings.CACHE_URL
    settings.CACHE_URL = dead_redis_url
    values = through(rows)
    values.read([ONE], now=NOON)
    settings.CACHE_URL = at
    assert values.read([ONE], now=NOON) == {ONE: 1}
    assert redis.keys("*") == []
    later = time.monotonic() + PAUSE_SECONDS
    monkeypatch.setattr("megatron.core.pause.time.monotonic", lambda: later)
    values.read([ONE], now=NOON)
    assert redis.keys("*") == [f"count:of:{ONE}"]
    assert not cache.is_away()


def test_no_password_is_told_when_redis_is_away(
    rows: Rows, settings: Any, dead_redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the kind of failure only."""
    settings.CACHE_URL = dead_redis_url.replace("redis://", "redis://:open-sesame@")
    through(rows).read([ONE], now=NOON)
    assert "cache.away" in caplog.text
    assert "open-sesame" not in caplog.text


def test_a_ranking_is_replaced_in_one_step(redis: Redis) -> None:
    """Readers see the old one or the new one, best first; it expires, and nothing is left of its making."""
    assert cache.replace_ranking("tokens:hot", {"a": 1.5, "b": 3.0}, seconds=60)
    assert cache.read_ranking("tokens:hot", limit=5) == [("b", 3.0), ("a", 1.5)]
    assert cache.replace_ranking("tokens:hot", {"c": 2.0}, seconds=60)
    assert cache.read_ranking("tokens:hot", limit=5) == [("c", 2.0)]
    assert redis.keys("*") == ["tokens:hot"]
    assert 58 <= redis.ttl("tokens:hot") <= 60


def test_an_empty_ranking_takes_the_old_one_away(redis: Redis) -> None:
    """When nothing is ranked, nothing old is shown."""
    cache.replace_ranking("tokens:hot", {"a": 1.5}, seconds=60)
    assert cache.replace_ranking("tokens:hot", {}, seconds=60)
    assert redis.keys("*") == []
