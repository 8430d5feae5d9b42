"""What an outage of the database costs in lines: one a process and minute, whoever meets it."""

import io
import logging
import logging.config
from collections.abc import Iterator

import psycopg
import pytest
import structlog
from celery import Celery
from django.db import InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client

from megatron.core.logging import config

AWAY = "connection failed: Connection refused"


def refused(*_: object) -> None:
    raise away()


def away() -> OperationalError:
    return failed_with(psycopg.OperationalError(AWAY))


def failed_with(cause: psycopg.Error) -> OperationalError:
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


def closed() -> InterfaceError:
    error = InterfaceError("connection already closed")
    error.__cause__ = psycopg.InterfaceError("the connection is closed")
    return error


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that is logged, through the handler that production has."""
    stream = io.StringIO()
    settings = config(level="INFO", secrets=[])
    settings["handlers"]["console"]["stream"] = stream
    before = structlog.get_config()
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    logging.config.dictConfig(settings)
    yield stream
    root.handlers[:] = kept
    root.setLevel(level)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()  # which a task's start sets


def lines(written: io.StringIO) -> list[str]:
    return written.getvalue().splitlines()


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    "path", ["/console/", "/console/login/", "/api/v1/tokens/", "/api/v1/indexing/", "/health/ready"]
)
def test_shield_03_requests_during_an_outage_are_one_line(
    path: str, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten requests of any door: one short line, no traceback."""
    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", refused)
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "a" * 32
    assert {client.get(path).status_code for _ in range(10)} == {503}
    text = written.getvalue()
    assert "Traceback" not in text
    (line,) = lines(written)
    assert ("request.unavailable" if path == "/health/ready" else "database.away") in line


def test_shield_03_tasks_during_an_outage_are_one_line(written: io.StringIO) -> None:
    """Whatever Celery says of a task that met it ("raised unexpected") is the same line."""
    app = Celery("away", set_as_current=False)
    app.conf.update(task_always_eager=True, task_eager_propagates=False)
    task = app.task(refused, name="away.task")
    for _ in range(10):
        assert task.apply().failed()
    (line,) = lines(written)
    assert "database.away" in line
    assert "Traceback" not in line


def test_shield_03_the_beat_and_our_own_logs_share_that_line(written: io.StringIO) -> None:
    """Any logger's record with the error, the standard library's way or structlog's, and the pool's own lines."""
    error = raised(failed_with(psycopg.errors.AdminShutdown("terminating connection")))
    for _ in range(5):
        logging.getLogger("django_celery_beat.schedulers").error("Database gave error: %r", error, exc_info=error)
        structlog.get_logger("ours").error("work.failed", exc_info=error)
        structlog.get_logger("ours").warning("work.failed", exc_info=raised(closed()))
        logging.getLogger("psycopg.pool").warning("error connecting in 'pool-1'")
    (line,) = lines(written)
    assert "terminating connection" in line


def test_shield_03_the_next_line_says_how_many_were_left_out(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute later it is said again, with the number of those between."""
    (handler,) = [one for one in logging.getLogger().handlers if one.filters]
    now = [0.0]
    monkeypatch.setattr(handler.filters[0]._told, "_now", lambda: now[0])  # type: ignore[union-attr]
    for seconds in (0.0, 1.0, 59.0, 60.0):
        now[0] = seconds
        structlog.get_logger("ours").error("work.failed", exc_info=raised(away()))
    first, second = lines(written)
    assert "left_out" not in first
    assert "left_out" in second


@pytest.mark.parametrize(
    "error",
    [
        failed_with(psycopg.errors.DeadlockDetected("deadlock detected")),
        failed_with(psycopg.errors.QueryCanceled("canceling statement")),
        failed_with(psycopg.errors.ProgramLimitExceeded("tuple decompression limit exceeded")),
        ValueError("a defect"),
    ],
)
def test_shield_03_what_is_no_outage_keeps_its_traceback(error: Exception, written: io.StringIO) -> None:
    """A server that serves and refuses, and a defect of ours, are told in full each time."""
    for _ in range(2):
        logging.getLogger("django.request").error("Internal Server Error", exc_info=raised(error))
        structlog.get_logger("ours").error("work.failed", exc_info=raised(error))
    assert written.getvalue().count("Traceback") == 4
