"""What a list offers is served by an index: its orders, its last page and its search."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory

from megatron.core.admin import FactAdmin, reading
from tests import factories
from tokens.models import Pool, Token, Transaction

PAGES = [page for page in admin.site._registry.values() if isinstance(page, FactAdmin)]


@pytest.fixture
def request_of_operator(db: None) -> Any:
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("operator")
    return request


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.model._meta.label)
def test_endurance_14_a_list_offers_only_orders_that_an_index_serves(
    page: Any, request_of_operator: Any, sql: Any
) -> None:
    """Each column by which a list can be ordered is one that a btree index of its table begins with, in the catalogue too."""
    offered = {page._order_of(name) for name in page.get_sortable_by(request_of_operator)}
    rows = sql(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam"
        " WHERE i.indrelid = %s::regclass AND m.amname = 'btree' AND i.indpred IS NULL",
        page.model._meta.db_table,
    )
    served = {name for (name,) in rows}
    columns = {
        page.model._meta.pk.column if name == "pk" else page.model._meta.get_field(name).column for name in offered
    }
    assert columns <= served


def test_endurance_14_what_an_index_serves_is_offered() -> None:
    """Progress, the last trade and time are; market cap, trade count and other figures are not."""
    assert {"bonding_curve_progress", "progress_quote_pct", "last_trade_at", "pk"} <= reading.served(Pool)
    assert "market_cap" not in reading.served(Pool)
    assert {"symbol", "creation_timestamp", "mint_address", "creator_address"} <= reading.served(Token)
    assert "graduation_timestamp" not in reading.served(Token)  # of some rows only
    assert "id" in reading.served(Transaction)
    assert reading.served(apps.get_model("tokens", "PriceCandle1m")) == {"token"}


@pytest.mark.django_db
def test_endurance_14_no_page_lies_beyond_the_first_ten_thousand_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last page of millions of rows is the last that is reached without reading them all; the count is still told."""
    monkeypatch.setattr(reading, "estimated_rows", lambda model: 5_000_000)
    pages = reading.EstimatedPaginator(Transaction.objects.order_by("-id"), 50)
    assert (pages.count, pages.num_pages) == (5_000_000, 201)


@pytest.mark.django_db
def test_endurance_14_a_pool_and_a_symbol_are_found_by_an_index(client: Client) -> None:
    """Neither a mint's pools nor a symbol's tokens need a scan of the table."""
    client.force_login(User.objects.create_superuser("operator"))
    pool = factories.pool(factories.token(symbol="MINE"))
    for address in (
        f"tokens/pool/?q={pool.token.mint_address}",
        f"tokens/pool/?q={pool.pool_address}",
        "tokens/token/?q=MINE",
    ):
        page = client.get(f"/console/{address}")
        assert page.context["cl"].result_count == 1, address
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for rows, index in (
        (Token.objects.filter(symbol="MINE"), "idx_tokens_symbol"),
        (Pool.objects.order_by("-bonding_curve_progress", "-token_id")[:5], "idx_pools_progress"),
    ):
        assert index in rows.explain()
