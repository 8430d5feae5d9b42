"""Looking before starting: wrong settings end in one sentence that says what to set."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import environ
import psycopg
import redis
from django.core.exceptions import ImproperlyConfigured

from megatron.embedded.processes import is_free
from megatron.embedded.state import is_address, not_an_address

DEFAULT_PORT = 8000
CONNECT_SECONDS = 5
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # names of BIND, nothing binds here
"""BIND that means every address → the one to show."""


class Unusable(RuntimeError):
    """A setting cannot work; the message says which and what to set."""

    code = 2
    """What the command ends with."""


class Away(Unusable):
    """A server does not answer now; the next try may find it."""

    code = 75
    """As a management command that meets it itself (``megatron/core/outage.py``)."""


def read_dotenv(root: Path) -> None:
    """Take what ``.env`` says into the environment, where the environment does not say it already."""
    environ.Env.read_env(root / ".env", overwrite=False)


def check_addresses() -> None:
    """Try DATABASE_URL and REDIS_URL when they are set; raises Unusable."""
    for variable, check in CHECKS.items():
        if url := os.environ.get(variable):
            if not is_address(url):
                raise Unusable(not_an_address(variable))
            check(url)


def check_database(url: str, *, seconds: int = CONNECT_SECONDS) -> None:
    """Connect to PostgreSQL once; raises Unusable, Away where nothing answers. Passwords are not repeated."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql", "psql", "timescale", "timescalegis"):
        raise Unusable(
            f"DATABASE_URL starts with {parts.scheme or 'nothing'!r}: set postgresql://user:password@host:5432/name, "
            "or leave it out to use the embedded PostgreSQL."
        )
    try:
        psycopg.connect(parts._replace(scheme="postgresql").geturl(), connect_timeout=seconds).close()
    except psycopg.Error as error:
        # The last line that is not a hint of the driver's, which begins with a tab.
        lines = [line.strip(" .") for line in str(error).splitlines() if line.strip() and not line.startswith("\t")]
        reason = lines[-1] if lines else type(error).__name__
        raise Away(
            f"DATABASE_URL points to {parts.hostname}:{parts.port or 5432}, which does not work: {reason}. "
            "Start that server or correct the address, or leave it out to use the embedded PostgreSQL."
        ) from None


def check_redis(url: str, *, seconds: int = CONNECT_SECONDS) -> None:
    """Ping Redis once; raises Unusable, Away where nothing answers. Passwords are not repeated."""
    parts = urlsplit(url)
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=seconds, socket_timeout=seconds, retry=None) as server:
            server.ping()
    except (ValueError, redis.RedisError) as error:
        raise (Unusable if isinstance(error, ValueError) else Away)(
            f"REDIS_URL points to {parts.hostname}:{parts.port or 6379}, which does not work: {str(error).strip(' .')}. "
            "Start that server or correct it to redis://:password@host:6379/0, or leave it out to use the embedded one."
        ) from None


CHECKS = {"DATABASE_URL": check_database, "REDIS_URL": check_redis}
"""What tries each address."""


def check_settings() -> None:
    """Load Django's settings; raises Unusable with the sentence they give."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
    from django.conf import settings  # noqa: PLC0415  # the services must run first: settings read their addresses

    try:
        _ = settings.INSTALLED_APPS  # the first look loads them
    except ImproperlyConfigured as error:
        raise Unusable(str(error)) from None


def find_address() -> tuple[str, int]:
    """Return where the web server shall listen: BIND and PORT, or port 8000 or the next free one; raises Unusable."""
    host = os.environ.get("BIND") or "127.0.0.1"
    wished = os.environ.get("PORT")
    if not wished:
        for port in range(DEFAULT_PORT, DEFAULT_PORT + 100):
            if is_free(host, port):
                return host, port
        raise Unusable(
            f"No port from {DEFAULT_PORT} to {DEFAULT_PORT + 99} is free on {host}: set PORT, or correct BIND."
        )
    if not wished.isdecimal() or not 0 < int(wished) < 65536:
        raise Unusable(f"PORT is {wished!r}: set a number from 1 to 65535, or leave it out.")
    if not is_free(host, int(wished)):
        raise Unusable(f"PORT {wished} on {host} is taken or not ours: set another PORT, or leave it out.")
    return host, int(wished)
