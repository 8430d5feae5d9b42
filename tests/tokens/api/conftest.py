from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from megatron.core import api_keys
from megatron.core.choices import Scope
from tests.factories import NOON

Get = Callable[..., dict[str, Any]]


@pytest.fixture
def client(db: None) -> APIClient:
    """A program with a key that may read."""
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    caller = APIClient()
    caller.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    return caller


@pytest.fixture
def get(client: APIClient) -> Get:
    """Ask an address below ``/api/v1/`` and return the body of the 200."""

    def ask(address: str, **query: Any) -> dict[str, Any]:
        response = client.get(f"/api/v1/{address}", query)
        assert response.status_code == 200, response.content
        body: dict[str, Any] = response.json()
        return body

    return ask


@pytest.fixture
def problem(client: APIClient) -> Callable[..., dict[str, Any]]:
    """Ask an address below ``/api/v1/`` and return the body of the problem with the status that is expected."""

    def ask(status: int, address: str, **query: Any) -> dict[str, Any]:
        response = client.get(f"/api/v1/{address}", query)
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), (
            response.content
        )
        body: dict[str, Any] = response.json()
        return body

    return ask
