from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.core.signing import Signer
from django.db import transaction
from django.db.models import F, QuerySet
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from megatron.core import audit
from megatron.core.api import CursorPagination, pagination
from megatron.core.models import AuditEntry
from scoring.models import LatestTokenScore
from tests.core.concrete import Errand, Note, Sorted
from tokens.models import Pool

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)


def write(number: int, *, at: datetime = NOON) -> None:
    audit.record(actor="ann", action="test", kind="k", key=number, reason=str(number), now=at)


def walk(caller: Client, path: str) -> list[list[dict[str, Any]]]:
    """Return all pages from ``path`` on."""
    pages, address = [], path
    while address:
        body = caller.get(address).json()
        pages.append(body["results"])
        address = body["next"]
    return pages


def test_pages_follow_one_another_without_gap_or_repetition(caller: Client) -> None:
    """Rows of one time, down to the microsecond, keep their order across pages; the last page has no next."""
    for number in range(7):
        write(number, at=NOON + timedelta(microseconds=number // 4))
    pages = walk(caller, "/api/v1/entries/?page_size=3")
    assert [len(page) for page in pages] == [3, 3, 2]
    rows = [row["sequence"] for page in pages for row in page]
    assert rows == list(AuditEntry.objects.order_by("-at", "sequence").values_list("sequence", flat=True))


def test_rows_that_come_meanwhile_shift_nothing(caller: Client) -> None:
    """A newer row between two pages is on neither; no row is skipped or repeated."""
    for number in range(4):
        write(number, at=NOON + timedelta(seconds=number))
    first = caller.get("/api/v1/entries/?page_size=2").json()
    write(9, at=NOON + timedelta(hours=1))
    second = caller.get(first["next"]).json()
    # The newest entry, without a reason, is the one that issued the caller's key.
    assert [row["reason"] for row in first["results"] + second["results"]] == ["", "3", "2", "1"]


@pytest.mark.usefixtures("concrete_tables")
def test_rows_without_a_value_come_last(caller: Client) -> None:
    """NULLs are paged too, after the others, in the order of the next column."""
    Errand.objects.all().delete()
    for text, minutes in [("a", 5), ("b", None), ("c", 9), ("d", None), ("e", 5)]:
        Errand.objects.create(
            text=text, due_at=NOON, leased_until=None if minutes is None else NOON + timedelta(minutes=minutes)
        )
    pages = walk(caller, "/api/v1/errands/?page_size=1")
    assert "".join(row["text"] for page in pages for row in page) == "caebd"


@pytest.mark.parametrize("size", ["0", "501", "-1", "x", "1e2", "", "٣", "99999"])
def test_a_page_size_out_of_range_is_refused(caller: Client, size: str) -> None:
    """1 to 500, in plain digits; else 400."""
    reply = caller.get("/api/v1/entries/", {"page_size": size})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "page_size")


def test_a_page_has_at_most_500_rows_and_100_by_default(caller: Client) -> None:
    """Both bounds are allowed."""
    for number in range(101):
        write(number)
    assert len(caller.get("/api/v1/entries/").json()["results"]) == 100
    assert len(caller.get("/api/v1/entries/?page_size=500").json()["results"]) == 102


@pytest.mark.usefixtures("concrete_tables")
def test_a_cursor_that_is_not_ours_is_refused(caller: Client) -> None:
    """Made up, changed, or of another list: 400."""
    for number in range(3):
        write(number)
    cursor = caller.get("/api/v1/entries/?page_size=1").json()["next"].split("cursor=")[1].split("&")[0]
    for wrong in ("x", "W10:AAAA", f"{cursor}x", "%00"):
        reply = caller.get(f"/api/v1/entries/?cursor={wrong}")
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "cursor")
    assert caller.get(f"/api/v1/errands/?cursor={cursor}").status_code == 400
    assert caller.get(f"/api/v1/entries/?cursor={cursor}").status_code == 200


COLUMNS = ("amount", "at", "day", "flag", "key", "slot", "text", "note")
LONG = Decimal("123456789012345678901234567890")
CLOSE: dict[str, list[Any]] = {
    "amount": [LONG, LONG + Decimal("1e-30"), Decimal("-0.1"), Decimal(0)],
    "at": [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(milliseconds=1)],
    "day": [NOON.date(), NOON.date() + timedelta(days=1)],
    "flag": [False, True],
    "key": [UUID(int=1), UUID(int=2**127)],
    "slot": [2**53, 2**53 + 1, -(2**63), 2**63 - 1],
    "text": ["", "a", "1", "null", 'é"\\%_'],
}
"""Values of each column that are not the same and that a float, a millisecond or a guess would take for it."""


def stored(rows: list[dict[str, Any]]) -> None:
    notes = [Note.objects.create(text=text) for text in "ab"]
    Sorted.objects.bulk_create(
        Sorted(**{name: notes[value] if name == "note" and value is not None else value for name, value in row.items()})
        for row in rows
    )


def walked(keys: tuple[Any, ...], known: str | None = None) -> list[Sorted]:
    """Return the rows of all pages of one row, each of them asked for with what the page before said."""
    found: list[Sorted] = []
    address = "/api/v1/sorted/?page_size=1"
    while address:
        pages = CursorPagination()
        asked = Request(RequestFactory().get(address))
        found += pages.paginate_queryset(Sorted.objects.all(), asked, SimpleNamespace(ordering=keys, known=known))
        assert len(found) < 100
        address = pages.get_paginated_response([]).data["next"]
    return found


values = {name: st.none() | st.sampled_from(those) for name, those in CLOSE.items()}
terms = st.tuples(st.sampled_from(COLUMNS), st.sampled_from(("asc", "desc")), st.sampled_from((None, "first", "last")))


@pytest.mark.usefixtures("concrete_tables")
@pytest.mark.django_db
@given(
    rows=st.lists(st.fixed_dictionaries({**values, "note": st.none() | st.sampled_from((0, 1))}), max_size=8),
    order=st.lists(terms, min_size=1, max_size=3, unique_by=lambda term: term[0]),
    leaves_out=st.booleans(),
)
@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shield_01_pages_of_any_order_are_the_list(
    rows: list[dict[str, Any]], order: list[tuple[str, str, str | None]], *, leaves_out: bool
) -> None:
    """Whatever the columns, directions and places of NULLs, with ties or without: page by page the same rows in the same order
    as PostgreSQL has them at once, those without a value left out where the list says so."""
    keys = tuple(getattr(F(name), way)(**({f"nulls_{place}": True} if place else {})) for name, way, place in order)
    last = "-pk" if order[-1][1] == "desc" else "pk"
    known = order[0][0] if leaves_out else None
    with transaction.atomic():
        stored(rows)
        whole = Sorted.objects.filter(**{f"{known}__isnull": False} if known else {}).order_by(*keys, last)
        assert walked(keys, known) == list(whole)
        transaction.set_rollback(True)


@pytest.mark.usefixtures("concrete_tables")
@pytest.mark.django_db
@pytest.mark.parametrize("column", COLUMNS)
def test_shield_01_a_signed_cursor_of_other_values_is_refused(column: str) -> None:
    """Whoever has the key and another version of the house writes what does not fit the column: 400, and no 500."""
    keys = (F(column).asc(),)
    for wrong in (
        [1.5, str(UUID(int=1))],
        [[], str(UUID(int=1))],
        ["x"],
        [],
        {},
        None,
        5,
        ["\x00", str(UUID(int=1))],
        [1, 2, 3],
    ):
        cursor = Signer(salt=f"cursor:2 /api/v1/sorted/ {column} pk").sign_object(wrong)
        asked = Request(RequestFactory().get("/api/v1/sorted/", {"cursor": cursor}))
        with pytest.raises(ValidationError, match="start again without one"):
            CursorPagination().paginate_queryset(Sorted.objects.all(), asked, SimpleNamespace(ordering=keys))


def test_shield_01_only_what_is_unique_needs_no_tie_breaker() -> None:
    """Of a column that may repeat or be NULL two rows could share a place, so the primary key is asked last."""

    def ends(found: QuerySet[Any], *order: str) -> list[str]:
        return [key.text for key in pagination._keys(found, order, None)]

    assert ends(Sorted.objects.all(), "-slot") == ["-slot nulls first", "-pk"]
    assert ends(Sorted.objects.all(), "slot", "id") == ["slot", "id"]
    assert ends(Pool.objects.all(), "pool_address") == ["pool_address"]
    assert ends(Pool.objects.all(), "token__mint_address") == ["token__mint_address", "pk"]
    assert ends(LatestTokenScore.objects.all(), "-token") == ["-token"]
