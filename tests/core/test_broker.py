"""Celery and a broker that is away."""

from typing import Any

import pytest
from celery.app.amqp import AMQP  # noqa: F401  # the application is whole before its settings are read
from kombu.utils import functional

from megatron.celery import app

AWAY = 1_000
"""More attempts than any default of Celery's allows."""


def test_shield_09_celery_never_gives_its_broker_up() -> None:
    """At the start and later, for ever."""
    assert app.conf.broker_connection_retry_on_startup is True
    assert app.conf.broker_connection_retry is True
    assert app.conf.broker_connection_max_retries is None
    assert app.conf.broker_channel_error_retry is True


def test_shield_09_a_broker_that_was_away_for_long_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand refusals, as a worker and the beat meet them: both ask again, and go on with the answer that follows."""
    waited: list[float] = []
    monkeypatch.setattr(functional, "sleep", waited.append)
    refused = 0

    class Broker:
        recoverable_connection_errors = (ConnectionError,)
        recoverable_channel_errors = ()

    connection: Any = app.connection_for_write()

    def connect() -> str:
        nonlocal refused
        refused += 1
        if refused <= AWAY:
            raise ConnectionError("refused")
        return "connected"

    monkeypatch.setattr(type(connection), "_connection_factory", lambda self: connect())
    told: list[BaseException] = []
    connection.ensure_connection(lambda error, interval: told.append(error), app.conf.broker_connection_max_retries)
    assert len(told) == AWAY
    assert waited
