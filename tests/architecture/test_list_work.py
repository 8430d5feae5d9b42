"""What a list does for each row: it copies no field of a serializer, and reads no wide column that it does not show."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.fields import Field

from megatron.core import api_keys, columns
from megatron.core.admin import FactAdmin
from megatron.core.api.columns import shown_by
from megatron.core.choices import Scope
from tests.architecture.test_query_counts import ADDRESSES, fill, named
from tests.factories import NOON

LISTS = sorted((page for page in admin.site._registry.values() if isinstance(page, FactAdmin)), key=repr)

pytestmark = pytest.mark.django_db


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[Field[Any, Any, Any, Any]]:
    """Every field that is copied: each serializer that is made copies all of its."""
    made: list[Field[Any, Any, Any, Any]] = []
    copy = Field.__deepcopy__

    def copied(self: Field[Any, Any, Any, Any], memo: Any) -> Any:
        made.append(self)
        return copy(self, memo)

    monkeypatch.setattr(Field, "__deepcopy__", copied)
    return made


def test_endurance_14_a_list_copies_its_fields_once(client: Client, copies: list[Any]) -> None:
    """As many fields are copied for a page of one row as for one of six, in every list."""
    fill(6)
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    headers = {"Authorization": f"Api-Key {key}"}
    counts: dict[str, list[int]] = {}
    for address in ADDRESSES:
        path = f"/api/v1/{named(address)}"
        for size in (6, 1, 6):  # the first makes what is made once for all requests
            copies.clear()
            answer = client.get(path, {"page_size": size}, headers=headers)
            if answer.status_code != 200:
                break  # no list in pages
            counts.setdefault(address, []).append(len(copies))
    assert {"tokens/", "pools/", "tokens/{mint}/transactions/", "risks/", "gaps/", "scores/"} <= counts.keys()
    assert {address for address, (_, *made) in counts.items() if len(set(made)) > 1} == set()


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every column that is read late, by a query of its own for one row."""
    made: list[str] = []
    refresh = Model.refresh_from_db

    def noted(self: Model, using: Any = None, fields: Any = None, **options: Any) -> None:
        made.extend(f"{type(self).__name__}.{name}" for name in fields or ())
        refresh(self, using, fields, **options)

    monkeypatch.setattr(Model, "refresh_from_db", noted)
    return made


def _wide(queries: CaptureQueriesContext, of: type[Model] | None = None) -> Iterator[tuple[str, str]]:
    """Yield the wide columns, as table and column, that a statement which reads a page of rows (``of`` a model) asks for."""
    for query in queries.captured_queries:
        if " LIMIT " not in query["sql"]:
            continue
        selected = query["sql"].removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
        if of is not None and f'"{of._meta.db_table}"."{of._meta.pk.column}"' not in selected:
            continue
        for model in apps.get_models():
            key = f'"{model._meta.db_table}"."{model._meta.pk.column}"'
            for field in model._meta.concrete_fields:
                column = f'"{model._meta.db_table}"."{field.column}"'
                if isinstance(field, columns.WIDE) and key in selected and column in selected:
                    yield model._meta.db_table, field.name


def test_endurance_14_a_list_of_the_console_reads_no_wide_column_that_it_does_not_show(
    client: Client, loads: list[str]
) -> None:
    """In every list; and none reads a column late, row by row."""
    fill(3)
    client.force_login(User.objects.create_superuser("operator"))
    for page in LISTS:
        meta = page.model._meta
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"))
        named = {*map(str, answer.context["cl"].list_display), *page.list_reads}
        # Of joined rows the name ends with the column's.
        shown = {name.rpartition("__")[2] for name in named}
        assert {name for _, name in _wide(queries, page.model)} <= shown, meta.label
    assert loads == []


def test_endurance_14_a_list_of_the_api_reads_no_wide_column_that_it_does_not_show(
    client: Client, loads: list[str]
) -> None:
    """In every list in pages; and none reads a column late, row by row."""
    fill(3)
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    seen = 0
    for address in ADDRESSES:
        path = f"/api/v1/{named(address)}"
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(path, headers={"Authorization": f"Api-Key {key}"})
        view: Any = getattr(answer.resolver_match.func, "view_class", None)
        if getattr(view, "pagination_class", None) is None:
            continue
        seen += 1
        shown = {name.rpartition("__")[2] for name in shown_by(view.serializer_class)}
        beside = {"api_keys", "tokens"} if "{mint}" in address else {"api_keys"}
        assert {name for table, name in _wide(queries) if table not in beside} <= shown, address
    assert seen >= 10
    assert loads == []


def test_endurance_14_wide_columns_of_joined_rows_are_left_out_as_well() -> None:
    """Only what is named is read, at whatever depth; what is inside a named one counts as named."""
    tokens = apps.get_model("tokens", "Transaction").objects.select_related("pool__token")
    assert set(columns.wide(tokens)) == {"raw_data", "pool__token__launch_wallets", "pool__token__metadata"}
    left = columns.without_unshown(tokens, {"pool__token__metadata__twitter"})
    assert left.query.deferred_loading == ({"raw_data", "pool__token__launch_wallets"}, True)
