"""The whole API against its own schema: whatever a program asks, it gets what the schema promises and never a 500."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from megatron.core import api_keys
from megatron.core.choices import Scope
from scoring.services import totals
from tests import factories, feeds
from tests.factories import NOON
from tests.scoring import following, holder_rows
from tokens.choices import PoolType

pytestmark = pytest.mark.django_db

EXAMPLES = 12
"""For each operation, once with what its schema allows and once with what it does not."""

OPERATIONS = (
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

WITHOUT_PARAMETERS = ("/api/v1/credits/", "/api/v1/price-sources/")
"""What can be asked in one way only: their schema allows everything that can be made up, so nothing is broken."""

ASKED = [(path, GenerationMode.POSITIVE) for path in OPERATIONS] + [
    (path, GenerationMode.NEGATIVE) for path in OPERATIONS if path not in WITHOUT_PARAMETERS
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
def schema(headers: dict[str, str], kept_connection: None) -> Any:
    """Our OpenAPI schema, asked of the application itself, with a row behind each address."""
    curve = factories.pool()
    factories.pool(curve.token, pool_type=PoolType.GRADUATED)
    factories.milestone(curve)
    factories.transaction(curve)
    factories.candle(curve.token)
    holder_rows.holder_score(token_mint=curve.token.mint_address)
    holder_rows.risk_metric(token_mint=curve.token.mint_address)
    factories.sol_usd()
    factories.cursor()
    factories.rejected()
    feeds.gap()
    feeds.tally()
    feeds.reorg()
    following.metric(curve.token)
    following.score(curve.token)
    totals.refresh(mints=[curve.token.mint_address], now=NOON)
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


@pytest.mark.parametrize(("path", "mode"), ASKED)
def test_f11_any_request_gets_what_the_schema_promises(
    schema: Any, headers: dict[str, str], path: str, mode: GenerationMode
) -> None:
    """Status, content type and body are as described for valid and for broken requests; no request is a server
    error."""
    asked: list[int] = []

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=schema[path]["GET"].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(headers=headers)
        asked.append(response.status_code)
        case.validate_response(
            response,
            checks=[
                schemathesis.checks.not_a_server_error,
                schemathesis.specs.openapi.checks.status_code_conformance,
                schemathesis.specs.openapi.checks.content_type_conformance,
                schemathesis.specs.openapi.checks.response_schema_conformance,
            ],
        )

    ask()
    assert asked
    assert not [status for status in asked if status >= 500]
