import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis.exceptions
import structlog
from django.core.exceptions import DisallowedHost, DisallowedRedirect
from django.db import OperationalError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from kombu.exceptions import OperationalError as BrokerError

from megatron.core.logging import config
from megatron.core.redaction import HIDDEN, Redactor, is_secret

KNOWN = "known-secret-value-0123456789"

secrets = st.text("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789", min_size=12, max_size=60)

PLACES = (
    "https://rpc.example.com/?api-key={}",
    "GET https://rpc.example.com/v1?x=1&apiKey={}&y=2 failed",
    "https://operator:{}@rpc.example.com/path",
    "https://{}@rpc.example.com/path",
    "redis://:{}@127.0.0.1:6379/0",
    "postgresql://app:{}@db.example.com:5432/megatron?sslmode=require",
    "Authorization: Bearer {}",
    "authorization=Api-Key {}",
    "header 'x-token': '{}'",
    '{{"password": "{}", "user": "ann"}}',
    "client_secret={}&grant_type=x",
    "SECRET_KEY={}",
    "the key mgt_0a1b2c3d_{}0123456789abcdefghij was used",
)
NAMES = (
    "password",
    "SECRET_KEY",
    "api_key",
    "apiKey",
    "x-token",
    "Authorization",
    "helius_api_key",
    "private_key",
    "access_token",
    "cookie",
    "metrics_token",
)


@pytest.mark.parametrize("place", PLACES)
@given(secret=secrets)
def test_no_secret_survives_in_text(place: str, secret: str) -> None:
    """Wherever a secret stands in a line, by its name or by its shape, it is hidden."""
    assert secret not in Redactor().text(place.format(secret))


@pytest.mark.parametrize("name", NAMES)
@given(secret=secrets)
def test_no_secret_survives_under_its_name(name: str, secret: str) -> None:
    """A value is hidden for its name alone, at any depth, whatever it is."""
    logged = Redactor().anything(
        {"event": "x", "deep": [{name: secret}, {name: {"inner": secret}}, {name: secret.encode()}]}
    )
    assert secret not in json.dumps(logged)


@given(secret=secrets, before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_known_secret_survives_anywhere(secret: str, before: str, after: str) -> None:
    """A secret of the settings is hidden in any words, names and objects."""
    redactor = Redactor([secret])
    shown = redactor.anything(
        [before + secret + after, {before + secret: secret}, ValueError(secret), (secret.encode(),)]
    )
    assert secret not in str(shown)


def test_a_longer_secret_is_hidden_whole() -> None:
    """No end of it is left because a shorter one begins like it."""
    assert Redactor(["abcdefgh", "abcdefghIJKL"]).text("x abcdefghIJKL y") == f"x {HIDDEN} y"


def test_what_is_no_secret_stays() -> None:
    """Mints, signatures, tokens and numbers are this house's daily words."""
    event = {
        "event": "stored",
        "token": "So11111111111111111111111111111111111111112",
        "tokens": 3,
        "token_address": "x",
        "whole_token": "1.5",
        "url": "https://rpc.example.com/v1?slot=5",
        "none": None,
        "ratio": 0.5,
        "yes": True,
    }
    assert Redactor([KNOWN]).anything(event) == event


@pytest.mark.parametrize("name", ["token_amount", "quote_token", "keys", "author", "passed", "secretary"])
def test_a_name_that_only_sounds_like_one_is_no_secret(name: str) -> None:
    """Names are matched whole."""
    assert not is_secret(name)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Return what our handler writes."""
    out = io.StringIO()
    made = config(level="INFO", secrets=[KNOWN])["formatters"]["lines"]
    handler = logging.StreamHandler(out)
    handler.setFormatter(made["()"](foreign_pre_chain=made["foreign_pre_chain"], processors=made["processors"]))
    logger = logging.getLogger("tests.lines")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield out
    logger.removeHandler(handler)


def written(lines: io.StringIO) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(lines.getvalue())
    return loaded


def test_a_line_is_json_with_time_level_and_logger(lines: io.StringIO) -> None:
    """What structlog is given stands on the line as fields."""
    structlog.get_logger("tests.lines").info("stored", rows=5)
    line = written(lines)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "stored", "rows": 5, "level": "info", "logger": "tests.lines"}


def test_the_standard_librarys_lines_look_the_same(lines: io.StringIO) -> None:
    """Arguments are put into the words, and secrets in them are hidden."""
    logging.getLogger("tests.lines").warning("GET %s %d", "https://x.example/?api-key=abcdefabcdef", 503)
    line = written(lines)
    assert (line["event"], line["level"]) == (f"GET https://x.example/?api-key={HIDDEN} 503", "warning")


def test_a_traceback_is_told_without_secrets(lines: io.StringIO) -> None:
    """An exception's words are redacted like any others."""
    try:
        raise ValueError(f"cannot open postgresql://app:{KNOWN}@db/x")
    except ValueError:
        structlog.get_logger("tests.lines").exception("failed", password="hunter2hunter2")
    line = written(lines)
    assert "ValueError" in line["exception"]
    assert KNOWN not in lines.getvalue()
    assert line["password"] == HIDDEN


def test_a_reply_carries_its_requests_id() -> None:
    """A plain X-Request-ID is kept; one that could forge a line is replaced."""
    client = Client()
    assert client.get("/health/live", headers={"X-Request-ID": "abc-123.XYZ"}).headers["X-Request-ID"] == "abc-123.XYZ"
    assert len(client.get("/health/live").headers["X-Request-ID"]) == 32
    forged = client.get("/health/live", headers={"X-Request-ID": 'x"} {"event": "forged'}).headers["X-Request-ID"]
    assert len(forged) == 32


def test_the_settings_secrets_are_known(settings: Any) -> None:
    """The formatter of the running house hides SECRET_KEY wherever it turns up."""
    made = settings.LOGGING["formatters"]["lines"]
    formatter = made["()"](foreign_pre_chain=made["foreign_pre_chain"], processors=made["processors"])
    record = logging.LogRecord("x", logging.INFO, "", 0, f"see {settings.SECRET_KEY}!", None, None)
    assert settings.SECRET_KEY not in formatter.format(record)


def _away(cause: psycopg.Error) -> OperationalError:
    error = OperationalError(f"{cause}\n\tIs the server running?")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        DisallowedHost("Invalid HTTP_HOST header: 'evil.example'"),
        DisallowedRedirect("Unsafe redirect exceeding 16384 characters"),
        redis.exceptions.ConnectionError("Error 111 connecting"),
        BrokerError("Error 111 connecting"),
    ],
    ids=lambda error: type(error.__cause__ or error).__name__,
)
def test_shield_08_what_strangers_and_schedules_repeat_is_one_line(lines: io.StringIO, error: Exception) -> None:
    """A Redis that is away and a request that is refused cost no traceback a time, whoever logs them."""
    wrapped = RuntimeError("could not send")
    wrapped.__cause__ = error
    for raised in (error, wrapped):
        try:
            raise raised
        except Exception:
            structlog.get_logger("tests.lines").exception("failed")
            logging.getLogger("tests.lines").exception("failed")
        logging.getLogger("tests.lines").error("failed", exc_info=raised)
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len(told) == 6
    for line in told:
        assert "exception" not in line
        assert line["error"].startswith(("RuntimeError: ", f"{type(error).__name__}: "))


@pytest.mark.parametrize(
    "error",
    [ValueError("ours"), _away(psycopg.errors.DeadlockDetected("ours")), OperationalError("raised by hand")],
    ids=lambda error: type(error.__cause__ or error).__name__,
)
def test_shield_08_what_is_ours_keeps_its_traceback(lines: io.StringIO, error: Exception) -> None:
    """A deadlock or a defect is mended by whoever sees where it happened."""
    logging.getLogger("tests.lines").error("failed", exc_info=error)
    assert str(error).splitlines()[0] in written(lines)["exception"]
