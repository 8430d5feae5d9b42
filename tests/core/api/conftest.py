"""Callers of the API."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from megatron.core import api_keys


@pytest.fixture(autouse=True)
def doors(settings: Any, db: None) -> None:
    """Serve ``tests.core.api.doors``; count calls in a cache of the test's own."""
    settings.ROOT_URLCONF = "tests.core.api.doors"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "doors"}}
    cache.clear()


@pytest.fixture
def caller() -> Client:
    """Return a program with the scope ``read``."""
    _, key = api_keys.issue(name="caller", scopes=["read"], actor="test", now=datetime.now(UTC))
    return Client(headers={"Authorization": f"Api-Key {key}"}, raise_request_exception=False)


@pytest.fixture
def stranger() -> Client:
    """Return somebody without a key."""
    return Client(raise_request_exception=False)
