"""What every test has: the database of tests/database.py, no network, its own cache, the same examples each time."""

import logging
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from hypothesis import settings as hypothesis

pytest_plugins = ["tests.database", "tests.hypertables", "tests.redis_server"]

hypothesis.register_profile("house", derandomize=True, deadline=None, max_examples=50, database=None)
hypothesis.load_profile("house")

NEAR = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "", None}
"""Hosts a test may speak to; the server of REDIS_URL is one of them wherever it is."""


class NetworkTouched(RuntimeError):
    """A test wanted something from another machine."""


def _refuse_far(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in NEAR | {urlsplit(os.environ.get("REDIS_URL", "")).hostname} and not str(name).startswith("127."):
        raise NetworkTouched(f"Tests have no network, and {name!r} is not this machine: use a recording or a fake.")


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine, and every question for an address."""
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def near_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_far(host)
        return resolve(host, *args, **kwargs)

    def near_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_far(address[0])
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", near_resolve)
        patch.setattr(socket.socket, "connect", near_connect)
        yield


@pytest.fixture(autouse=True)
def _no_console_log() -> None:
    """Leave a failing test's log to pytest: our handler writes to the capture in which Django was set up, closed by now, and
    so does that of a test that sets Django up again."""
    root = logging.getLogger()
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture(autouse=True)
def _own_cache(settings: Any) -> None:
    """Give each test an empty cache of its own in memory, and cheap passwords; what tests Redis names it."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.CACHE_URL = ""
    # What makes a stolen hash dear, a third of a second, shows nothing here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Its own thread would write outside the test's transaction.
    settings.CREDITS_SINK = ""
    cache.clear()
    # Models can be imported only after Django is set up.
    from megatron.core import limits

    limits._pause.end()
