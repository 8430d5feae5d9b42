from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from megatron.core import audit
from megatron.core.models import AuditEntry
from tests.core.concrete import Errand

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
