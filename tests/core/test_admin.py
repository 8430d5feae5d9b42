from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.admin.sites import AdminSite
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from megatron.core import api_keys, audit
from megatron.core.admin import BoundedPaginator, EstimatedPaginator, FactAdmin, WorkAdmin, reading
from megatron.core.estimates import estimated_rows
from megatron.core.models import ApiKey, AuditEntry
from tests import factories
from tests.core.concrete import Errand
from tokens.models import Pool

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("ann", password="x"))
    return client


def entries(count: int) -> None:
    for number in range(count):
        audit.record(actor="ann", action="test", kind="thing", key=number, now=NOON)


def test_the_audit_log_is_read_only(operator: Client) -> None:
    """The list and an entry are shown; there is no way to add, change or remove one."""
    entries(2)
    entry = AuditEntry.objects.get(sequence=1)
    assert operator.get("/console/core/auditentry/").status_code == 200
    page = operator.get(f"/console/core/auditentry/{entry.pk}/change/")
    assert page.status_code == 200
    assert entry.hash in page.content.decode()
    assert operator.get("/console/core/auditentry/add/").status_code == 403
    assert operator.post(f"/console/core/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert operator.post(f"/console/core/auditentry/{entry.pk}/change/", {"reason": "x"}).status_code == 403


def test_a_key_is_shown_once_when_it_is_issued(operator: Client) -> None:
    """The page after the form shows a key that works, is kept by no cache, and no later page shows it again."""
    form = {
        "name": "grafana",
        "scopes": ["read", "metrics"],
        "rate_per_minute": "60",
        "expires_at_0": "",
        "expires_at_1": "",
    }
    page = operator.post("/console/core/apikey/add/", form)
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    key = page.content.decode().split('<code id="full-key">')[1].split("<")[0]
    row = api_keys.find_valid(key, now=datetime.now(UTC))
    assert row is not None
    assert (row.name, row.scopes, row.rate_per_minute) == ("grafana", ["metrics", "read"], 60)
    later = (
        operator.get(f"/console/core/apikey/{row.pk}/change/").content.decode()
        + operator.get("/console/core/apikey/").content.decode()
    )
    assert row.prefix in later
    assert key.split("_", 2)[2] not in later
    assert AuditEntry.objects.get(action="api_key.issue").actor == "ann"


def test_a_taken_name_is_told_on_the_form(operator: Client) -> None:
    """Nothing is issued for it."""
    api_keys.issue(name="grafana", scopes=["read"], actor="ann", now=NOON)
    page = operator.post("/console/core/apikey/add/", {"name": "grafana", "scopes": ["read"], "rate_per_minute": "60"})
    assert "already exists" in page.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_key_is_revoked_with_a_reason(operator: Client) -> None:
    """Without a reason nothing happens; with one the key ends and the audit log keeps it."""
    row, _ = api_keys.issue(name="grafana", scopes=["read"], actor="ann", now=NOON)
    form = {"action": "revoke", "_selected_action": [str(row.pk)], "reason": ""}
    assert "Say why" in operator.post("/console/core/apikey/", form, follow=True).content.decode()
    assert ApiKey.objects.get().revoked_at is None
    operator.post("/console/core/apikey/", {**form, "reason": "leaked"})
    assert ApiKey.objects.get().revoked_at is not None
    assert AuditEntry.objects.get(action="api_key.revoke").reason == "leaked"


def test_a_key_is_neither_edited_nor_removed(operator: Client) -> None:
    """Its page has no form to change it, and no delete."""
    row, _ = api_keys.issue(name="grafana", scopes=["read"], actor="ann", now=NOON)
    assert operator.post(f"/console/core/apikey/{row.pk}/change/", {"name": "other"}).status_code == 403
    assert operator.post(f"/console/core/apikey/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.get().name == "grafana"


class ErrandAdmin(WorkAdmin):
    search_fields = ("text",)


def operate(action: str, reason: str, *, superuser: bool = True) -> list[str]:
    """Run an action on all errands as an operator; return what he is told."""
    request: Any = RequestFactory().post("/", {"reason": reason})
    request.user = get_user_model()(username="ann", is_superuser=superuser, is_staff=True, is_active=True)
    request.session, request._messages = {}, []
    told: list[str] = []
    page = ErrandAdmin(Errand, AdminSite())
    page.message_user = lambda _request, message, *_: told.append(message)  # type: ignore[method-assign]  # no session here
    getattr(page, action)(request, Errand.objects.all())
    return told


@pytest.mark.usefixtures("concrete_tables")
def test_work_is_moved_by_an_operator_with_a_reason() -> None:
    """Retry, quarantine and release each move the row and leave their audit entry; without a reason nothing moves."""
    Errand.objects.all().delete()
    Errand.objects.create(text="x", due_at=NOON + timedelta(days=3650))
    assert operate("retry", " ") == ["Say why in the field beside the action: the audit log keeps it."]
    assert operate("retry", "node is back") == ["1 of 1 rows due now."]
    assert operate("quarantine", "bad mint") == ["1 of 1 rows set aside."]
    assert Errand.objects.get().last_error == "bad mint"
    assert operate("release", "mended") == ["1 of 1 rows released."]
    assert operate("release", "again") == ["0 of 1 rows released."]
    assert list(AuditEntry.objects.order_by("sequence").values_list("action", "actor", "reason")) == [
        ("work.retry", "ann", "node is back"),
        ("work.quarantine", "ann", "bad mint"),
        ("work.release", "ann", "mended"),
    ]


@pytest.mark.usefixtures("concrete_tables")
def test_work_is_not_moved_by_a_reader() -> None:
    """Whoever may only look has no actions."""
    request: Any = RequestFactory().get("/")
    request.user = get_user_model().objects.create_user("bob", is_staff=True)
    assert not ErrandAdmin(Errand, AdminSite()).has_operate_permission(request)
    request.user.is_superuser = True
    assert ErrandAdmin(Errand, AdminSite()).has_operate_permission(request)
    assert not ErrandAdmin(Errand, AdminSite()).has_change_permission(request)


@pytest.mark.usefixtures("concrete_tables")
def test_work_says_its_state() -> None:
    """The badge of the list is the row's state."""
    page: Any = ErrandAdmin(Errand, AdminSite())
    assert page.state(Errand(due_at=NOON, finished_at=NOON)) == "finished"


class PoolPages(FactAdmin):
    search_fields = ("=pool_address", "=token__mint_address", "id")


def search(term: str) -> set[str]:
    found, _ = PoolPages(Pool, AdminSite()).get_search_results(RequestFactory().get("/"), Pool.objects.all(), term)
    return set(found.values_list("pool_address", flat=True))


def test_search_is_by_exact_key() -> None:
    """An address, a related mint or an id finds its row; a part of one, another case or nonsense finds nothing."""
    one, other = factories.pool(), factories.pool()
    for term in (one.pool_address, f"  {one.token.mint_address} ", str(one.pk)):
        assert search(term) == {one.pool_address}
    for term in (one.pool_address[:-1], one.pool_address.swapcase(), "%", "\x00", "x" * 5000):
        assert search(term) == set()
    assert search("") == {one.pool_address, other.pool_address}


def test_search_asks_the_database_for_equality_only() -> None:
    """No LIKE, no UPPER, no join: an index answers."""
    factories.pool()
    with CaptureQueriesContext(connection) as asked:
        search("So11111111111111111111111111111111111111112")
    text = " ".join(query["sql"] for query in asked.captured_queries)
    assert "LIKE" not in text
    assert "UPPER" not in text
    assert "JOIN" not in text


def test_a_filtered_list_is_counted_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bound of 3 five rows count as 4, in one bounded query."""
    monkeypatch.setattr(reading, "FEW", 3)
    entries(5)
    assert BoundedPaginator(AuditEntry.objects.order_by("at"), 2).count == 4
    assert BoundedPaginator(AuditEntry.objects.filter(sequence__lte=2).order_by("at"), 2).count == 2


def test_an_unfiltered_list_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planner's statistics are believed above the bound, the table below it; a filter is never estimated."""
    entries(5)
    monkeypatch.setattr(reading, "estimated_rows", lambda model: 3_000_000)
    everything = AuditEntry.objects.order_by("at")
    assert EstimatedPaginator(everything, 2).count == 3_000_000
    assert EstimatedPaginator(everything.filter(actor="ann"), 2).count == 5
    monkeypatch.setattr(reading, "estimated_rows", lambda model: 40)
    assert EstimatedPaginator(everything, 2).count == 5


def test_the_estimate_is_that_of_the_statistics() -> None:
    """After ANALYZE it is the number of rows; before, it is small, so the rows are counted."""
    entries(7)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_log")
    assert estimated_rows(AuditEntry) == 7


def test_a_list_asks_for_no_exact_count(operator: Client) -> None:
    """Opening a list of facts never counts the whole table."""
    entries(3)
    with CaptureQueriesContext(connection) as asked:
        operator.get("/console/core/auditentry/")
    counts = [
        query["sql"] for query in asked.captured_queries if "COUNT(*)" in query["sql"] and "audit_log" in query["sql"]
    ]
    assert counts
    assert all("LIMIT" in sql for sql in counts)


def test_every_model_of_the_cellar_has_a_page_or_needs_none() -> None:
    """The audit log and the keys are in the console; the idempotency records are nobody's business."""
    assert site.is_registered(AuditEntry)
    assert site.is_registered(ApiKey)
