"""Logs: JSON a line (plain words on a terminal), the request's id on each, secrets on none."""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog
from celery.exceptions import OperationalError as BrokerError
from django.core.exceptions import SuspiciousOperation
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.typing import EventDict, Processor

from megatron.core.log_cap import A_MINUTE, CappedLog, short
from megatron.core.outage import is_unreachable
from megatron.core.redaction import Redactor

_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_ids(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give each request an id: the caller's ``X-Request-ID`` when it is a plain word, else a new one. The reply
    carries it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        asked = request.headers.get("X-Request-ID", "")
        name = asked if _SAFE_ID.fullmatch(asked) else uuid4().hex
        # Taken back by forget(): Django logs a refused request when all middleware is left.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=name)
        response = get_response(request)
        response.headers["X-Request-ID"] = name
        return response

    return middleware


def forget(**_: Any) -> None:
    """Take the id back when the reply is out."""
    structlog.contextvars.unbind_contextvars("request_id")


request_finished.connect(forget)


class OneLineForAnOutage(logging.Filter):
    """Lets one line a minute through in place of all that a process says of a database that is away, tracebacks and all.

    Every request and task meets the outage by itself, and their libraries log each in full: that would bury what else happens.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told = CappedLog(structlog.get_logger("megatron.core.outage"), every=A_MINUTE)
        self._said_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether this record is written as it is."""
        error = _error_of(record)
        if _is_outage(error):
            self._said_until = time.monotonic() + A_MINUTE
            self._told.warning("database.away", reason=short(error), met_by=record.name)
        elif record.name == "django.request" and getattr(record, "status_code", None) == HTTPStatus.SERVICE_UNAVAILABLE:
            if time.monotonic() >= self._said_until:  # else it is the reply to what was just told
                self._told.warning("request.unavailable", first=short(record.getMessage()))
        elif record.name in _REPEATING and record.levelno >= logging.WARNING:
            self._told.warning("database.away", reason=short(record.getMessage()), met_by=record.name)
        else:
            return True
        return False


_REPEATING = {"psycopg.pool"}
"""Who tells of an outage again and again without an error to look at."""


def _is_outage(error: BaseException | None) -> bool:
    return error is not None and (is_unreachable(error) or _is_outage(error.__cause__))


def _error_of(record: logging.LogRecord) -> BaseException | None:
    """Return the error that a record carries: the standard library's way, or structlog's, whose facts are the message."""
    told: Any = record.exc_info or (record.msg.get("exc_info") if isinstance(record.msg, dict) else None)
    if told is True:
        return sys.exc_info()[1]
    found = told[1] if isinstance(told, tuple) else told
    return found if isinstance(found, BaseException) else None


def config(*, level: str, secrets: Iterable[str]) -> dict[str, Any]:
    """Return Django's LOGGING: one handler to standard error for everything, standard library and structlog alike.

    ``secrets`` are values that are hidden wherever they turn up.
    """
    hide = _hide(Redactor(secrets))
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [structlog.stdlib.ExtraAdder(allow=("status_code",))],
                "processors": [
                    *shared,
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.StackInfoRenderer(),
                    _without_idle_trace,
                    structlog.processors.format_exc_info,
                    hide,
                    _renderer(),
                ],
            }
        },
        "filters": {"outage": {"()": OneLineForAnOutage}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines", "filters": ["outage"]}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django would write the same lines once more in its own way.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # These tell every address that is asked, keys and all.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }


def _without_idle_trace(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Say in one line what no reader of the code can mend: a Redis that is away, a request that Django refused.

    (Of a database that is away :class:`OneLineForAnOutage` lets one a minute through.)

    Both come as often as strangers ask and schedules turn, and a traceback is a hundred times the line.
    """
    told = event.get("exc_info")
    error = told[1] if isinstance(told, tuple) else sys.exc_info()[1] if told is True else told
    if isinstance(error, BaseException) and _is_idle(error):
        del event["exc_info"]
        event["error"] = f"{type(error).__name__}: {short(error)}"
    return event


def _is_idle(error: BaseException) -> bool:
    if isinstance(error, (SuspiciousOperation, RedisConnectionError, BrokerError)) or is_unreachable(error):
        return True
    return error.__cause__ is not None and _is_idle(error.__cause__)


def _hide(redactor: Redactor) -> Processor:
    def hide(_logger: Any, _method: str, event: EventDict) -> EventDict:
        cleaned: EventDict = redactor.anything(event)
        return cleaned

    return hide


def _renderer() -> Processor:
    # `make run` reads our lines through a pipe and shows them on its own terminal: it asks for words.
    if sys.stderr.isatty() or os.environ.get("LOG_FORMAT") == "words":
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.processors.JSONRenderer()
