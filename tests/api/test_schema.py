"""The whole API against its own schema: whatever a program asks, it gets what the schema promises and never a 500."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from megatron.core import api_keys
from megatron.core.choices import Scope
from tests.api import rows
from tests.factories import NOON

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("EXAMPLES", "12"))
"""For each operation, once with what its schema allows and once with what it does not; ``make api-trial`` asks more."""
PARTS = 5
"""Making the rows takes longer than asking of one address, so each test asks of several."""
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]

OPERATIONS = (
    "/api/v1/",
    "/api/v1/alerts/",
    "/api/v1/credits/",
    "/api/v1/gaps/",
    "/api/v1/holder-jobs/",
    "/api/v1/holder-scores/",
    "/api/v1/indexing/",
    "/api/v1/pools/",
    "/api/v1/pools/{address}/",
    "/api/v1/price-sources/",
    "/api/v1/reorgs/",
    "/api/v1/risks/",
    "/api/v1/scores/",
    "/api/v1/selloffs/",
    "/api/v1/sol-usd/",
    "/api/v1/sol-usd/candles/",
    "/api/v1/sources/",
    "/api/v1/tokens/",
    "/api/v1/tokens/hot/",
    "/api/v1/tokens/{mint}/",
    "/api/v1/tokens/{mint}/candles/",
    "/api/v1/tokens/{mint}/distribution/",
    "/api/v1/tokens/{mint}/holders/",
    "/api/v1/tokens/{mint}/score/",
    "/api/v1/tokens/{mint}/score/explain/",
    "/api/v1/tokens/{mint}/scores/",
    "/api/v1/tokens/{mint}/scores/technical/",
    "/api/v1/tokens/{mint}/snapshots/",
    "/api/v1/tokens/{mint}/social/",
    "/api/v1/tokens/{mint}/social/readings/",
    "/api/v1/tokens/{mint}/transactions/",
    "/api/v1/transactions/{signature}/",
    "/api/v1/wallets/{wallet}/",
)

WITHOUT_PARAMETERS = ("/api/v1/", "/api/v1/credits/", "/api/v1/price-sources/")
"""What can be asked in one way only: their schema allows everything that can be made up, so nothing is broken."""

ASKED = [
    (OPERATIONS[start::PARTS], mode)
    for start in range(PARTS)
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
]


@pytest.fixture
def headers(db: None) -> dict[str, str]:
    """The headers of a program that may read as often as it likes."""
    _, key = api_keys.issue(name="any", scopes=[Scope.READ], actor="test", now=NOON, rate_per_minute=1_000_000)
    return {"Authorization": f"Api-Key {key}"}


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """Keep the connection that holds the test's transaction, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def subjects(db: None) -> Mapping[str, str]:
    """What stands in each path, with rows behind every address."""
    return rows.everything()


@pytest.fixture
def schema(headers: dict[str, str], subjects: Mapping[str, str], kept_connection: None) -> Any:
    """Our OpenAPI schema, asked of the application itself."""
    return schemathesis.openapi.from_wsgi("/api/schema", get_wsgi_application(), headers=headers)


def test_the_schema_lists_every_operation(schema: Any) -> None:
    """Nothing is served below the API's root that the schema does not describe, and the lists here are whole."""
    described = {path: ways["get"] for path, ways in schema.raw_schema["paths"].items() if path.startswith("/api/v1/")}
    assert tuple(sorted(described)) == OPERATIONS
    assert tuple(sorted(path for path, get in described.items() if not get.get("parameters"))) == WITHOUT_PARAMETERS


def test_every_asker_gets_the_same_schema(client: Client) -> None:
    """It is made once a process, and neither showing it nor asking for another format changes it."""
    first = client.get("/api/schema", headers={"accept": "application/json"})
    written = client.get("/api/schema", headers={"accept": "application/yaml"})
    again = client.get("/api/schema", headers={"accept": "application/json"})
    assert (first.status_code, written.status_code) == (200, 200)
    assert first.json() == again.json()
    assert written.content != first.content


@pytest.mark.parametrize(("paths", "mode"), ASKED)
def test_f11_any_request_gets_what_the_schema_promises(
    schema: Any, headers: dict[str, str], subjects: Mapping[str, str], paths: Sequence[str], mode: GenerationMode
) -> None:
    """Status, content type and body are as described for valid and for broken requests, of what exists and of what is made
    up, and so is each next page; no request is a server error."""
    for path in paths:
        if mode is GenerationMode.NEGATIVE and path in WITHOUT_PARAMETERS:
            continue
        statuses = _tried(schema[path]["GET"], mode, headers, subjects)
        assert statuses[0] == 200, path
        assert len(statuses) > 1, path
        assert not [status for status in statuses if status >= 500], path


def _tried(operation: Any, mode: GenerationMode, headers: dict[str, str], subjects: Mapping[str, str]) -> list[int]:
    """Ask for what exists, then what is made up; check each answer against the schema and return the statuses."""
    statuses: list[int] = []

    def validated(case: Any) -> Any:
        response = case.call(headers=headers)
        statuses.append(response.status_code)
        case.validate_response(response, checks=CHECKS)
        return response

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
    def ask(case: Any, *, is_known: bool) -> None:
        if is_known:
            # A name or a cursor that is made up is as good as never right.
            case.path_parameters = {name: subjects[name] for name in case.path_parameters or {}}
            case.query = {name: value for name, value in (case.query or {}).items() if name != "cursor"}
        response = validated(case)
        following = response.json().get("next") if response.status_code == 200 else None
        if following:
            case.query = dict(parse_qsl(urlsplit(following).query))
            assert validated(case).status_code == 200, following

    validated(
        operation.Case(path_parameters={name: it for name, it in subjects.items() if f"{{{name}}}" in operation.path})
    )
    ask()
    return statuses


@pytest.mark.parametrize("path", OPERATIONS)
def test_shield_01_other_methods_are_refused_in_words(headers: dict[str, str], path: str) -> None:
    """Nothing below the API's root writes: 405 as a problem, whatever is sent."""
    address = path.format_map(dict.fromkeys(("mint", "address", "wallet", "signature"), "x"))
    for method in ("post", "put", "patch", "delete"):
        reply = getattr(Client(headers=headers), method)(address, b"{", content_type="application/json")
        assert (reply.status_code, reply["Content-Type"]) == (405, "application/problem+json"), method
