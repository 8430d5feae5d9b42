"""Every list of the API to its end: what the OpenAPI document offers is walked page by page, over rows that are hard to
tell apart."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.core.signing import Signer
from django.test import Client

from megatron.core import api_keys
from megatron.core.api import openapi
from megatron.core.choices import Scope
from tests.api import rows
from tests.factories import NOON
from tokens.models import Token

pytestmark = pytest.mark.django_db

NEWEST = {"": "-measured_at"}
ORDERED: Mapping[str, Mapping[str, str]] = {
    "/api/v1/alerts/": {"": "-first_seen_at"},
    "/api/v1/gaps/": {"": "-found_at"},
    "/api/v1/holder-jobs/": {"": "-scheduled_at"},
    "/api/v1/holder-scores/": NEWEST,
    "/api/v1/pools/": {
        "address": "address",
        "-last_event": "-last_event_at",
        "last_event": "last_event_at",
        "-progress": "-progress_pct",
        "progress": "progress_pct",
    },
    "/api/v1/reorgs/": {"": "-found_at"},
    "/api/v1/risks/": NEWEST,
    "/api/v1/scores/": {
        "-ratio": "-score.ratio",
        "-total": "-score.total_adjusted",
        "-technical": "-score.technical_score",
        "-holder": "-score.holder_score",
        "-social": "-score.social_score",
    },
    "/api/v1/selloffs/": {"": "-seen_at"},
    "/api/v1/sol-usd/candles/": {"": "bucket"},
    "/api/v1/sources/": {"": "-hour"},
    "/api/v1/tokens/": {
        "-created": "-created_at",
        "created": "created_at",
        "-graduated": "-graduated_at",
        "graduated": "graduated_at",
        "-last_trade": "-current_pool.last_event_at",
        "last_trade": "current_pool.last_event_at",
        "-progress": "-current_pool.progress_pct",
        "progress": "current_pool.progress_pct",
        "-progress_quote": "-current_pool.progress_quote_pct",
        "progress_quote": "current_pool.progress_quote_pct",
    },
    "/api/v1/tokens/{mint}/candles/": {"": "bucket"},
    "/api/v1/tokens/{mint}/holders/": {"": "-balance"},
    "/api/v1/tokens/{mint}/scores/": {"": "-calculated_at"},
    "/api/v1/tokens/{mint}/scores/technical/": NEWEST,
    "/api/v1/tokens/{mint}/snapshots/": {"": "-snapshot_time"},
    "/api/v1/tokens/{mint}/social/readings/": {"": "-timestamp"},
    "/api/v1/tokens/{mint}/transactions/": {"": "-block_time"},
}
"""What each list is ordered by, as a reader sees it: address, then ``ordering`` (empty where there is one order only)."""

WITHOUT_TIES = {"address", "bucket", "-snapshot_time"}
"""What is unique in its list."""
TECHNICAL = "/api/v1/tokens/{mint}/scores/technical/"
"""The same: a token is measured once at a time."""
WITH_NULLS = {
    ("/api/v1/tokens/", "-created"),
    *(("/api/v1/scores/", order) for order in ("-technical", "-holder", "-social")),
}
"""What lists rows without the value too; the others leave them out, or always have it."""


class Walk(NamedTuple):
    path: str
    address: str
    size: str
    ordering: str

    def query(self, size: int) -> dict[str, str]:
        return {self.size: str(size), **({"ordering": self.ordering} if self.ordering else {})}


@pytest.fixture
def ask(db: None) -> Any:
    _, key = api_keys.issue(name="a walker", scopes=[Scope.READ], actor="test", now=NOON, rate_per_minute=1_000_000)
    client = Client(headers={"Authorization": f"Api-Key {key}"}, raise_request_exception=False)
    return client.get


def offered(subjects: Mapping[str, str]) -> Iterator[Walk]:
    """Yield each list of the OpenAPI document (what answers with ``next``) in each of its orders."""
    document = openapi.KeptSchemaGenerator().get_schema()
    for path, ways in document["paths"].items():
        answer = _resolved(document, ways["get"]["responses"]["200"]["content"]["application/json"]["schema"])
        if "next" not in answer.get("properties", {}):
            continue
        asked = {it["name"]: it["schema"] for it in ways["get"]["parameters"] if it["in"] == "query"}
        size = "page_size" if "page_size" in asked else "limit"
        for order in asked.get("ordering", {"enum": [""]})["enum"]:
            yield Walk(path, path.format_map(subjects), size, order)


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return found
    return schema


def _values(shown: list[dict[str, Any]], key: str) -> list[Any]:
    values = []
    for row in shown:
        value: Any = row
        for name in key.lstrip("-").split("."):
            value = value[name]
        values.append(_read(value))
    return values


def _read(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for read in (Decimal, datetime.fromisoformat):
        try:
            return read(value)
        except (ArithmeticError, ValueError):
            continue
    return value


def _pages(ask: Any, walk: Walk, most: int) -> list[dict[str, Any]]:
    """Return the rows of all pages of one row from the first on, ``most`` of them and one more at the most."""
    reply = ask(walk.address, walk.query(1))
    found: list[dict[str, Any]] = []
    while True:
        assert reply.status_code == 200, (walk, len(found), reply.content)
        page = reply.json()
        assert len(page["results"]) == 1, walk
        found += page["results"]
        if page["next"] is None or len(found) > most:
            return found
        reply = ask(page["next"])


def test_shield_01_every_list_in_every_order_has_each_row_once(ask: Any) -> None:
    """From page to page of one row: the same rows in the same order as on one page, in the order that was asked for; NULLs
    last, or left out. A list or an order that nobody described in this module, or that has no data, fails."""
    walks = list(offered(rows.everything()))
    assert {(walk.path, walk.ordering) for walk in walks} == {
        (path, order) for path, orders in ORDERED.items() for order in orders
    }
    for walk in walks:
        key = ORDERED[walk.path][walk.ordering]
        reply = ask(walk.address, walk.query(500))
        assert reply.status_code == 200, (walk, reply.content)
        whole = reply.json()["results"]
        assert len(whole) >= 4, walk
        assert len({json.dumps(row) for row in whole}) == len(whole), walk
        assert _pages(ask, walk, len(whole)) == whole, walk

        values = _values(whole, key)
        known = [value for value in values if value is not None]
        assert values == [*sorted(known, reverse=key.startswith("-")), *[None] * (len(values) - len(known))], walk
        assert (len(set(known)) < len(known)) != (key in WITHOUT_TIES or walk.path == TECHNICAL), walk
        assert (known != values) == ((walk.path, walk.ordering) in WITH_NULLS), walk


def _first_cursor(ask: Any, walk: Walk) -> str:
    return dict(parse_qsl(urlsplit(ask(walk.address, walk.query(1)).json()["next"]).query))["cursor"]


def test_shield_01_a_cursor_that_is_not_of_the_list_and_order_is_refused(ask: Any) -> None:
    """Of another list or order, of another token, changed, made up, or written by an earlier version: 400 with words."""
    subjects = rows.everything()
    other_mint = Token.objects.exclude(mint_address=subjects["mint"]).earliest("mint_address").mint_address
    walks = [walk for walk in offered(subjects) if walk.size == "page_size"]
    cursors = {walk: _first_cursor(ask, walk) for walk in walks}
    old = Signer(salt="cursor:tokens.Token:-creation_timestamp:-id").sign_object([1.5, None])
    for walk, cursor in cursors.items():
        foreign = next(it for other, it in cursors.items() if other.path != walk.path)
        others = [it for other, it in cursors.items() if other.path == walk.path and other.ordering != walk.ordering]
        wrong = [(walk.address, it) for it in (foreign, *others[:1], old, f"{cursor}x", "W10:AAAA", "💥")]
        if "{mint}" in walk.path:
            wrong.append((walk.path.format(mint=other_mint), cursor))
        for address, it in wrong:
            reply = ask(address, {**walk.query(1), "cursor": it})
            assert (reply.status_code, reply["Content-Type"]) == (400, "application/problem+json"), (walk, it)
            assert reply.json()["errors"][0]["field"] == "cursor", (walk, it)
            assert "start again without one" in reply.json()["detail"], (walk, it)
        assert ask(walk.address, {**walk.query(1), "cursor": cursor}).status_code == 200, walk
