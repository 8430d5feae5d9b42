import json
from typing import Any

import pytest
from django.test import Client

from tests.core.api.doors import SECRET

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}


def problem(reply: Any, status: int) -> dict[str, Any]:
    """Return the problem in ``reply`` after checking its form."""
    assert (reply.status_code, reply.headers["Content-Type"]) == (status, "application/problem+json")
    body: dict[str, Any] = json.loads(reply.content)
    assert set(body) - {"errors"} == MEMBERS
    assert (body["status"], body["request_id"]) == (status, reply.headers["X-Request-ID"])
    return body


def test_a_missing_row_is_told_without_what_was_sought(caller: Client) -> None:
    """Django's 404 says nothing of tables; its title is the status in words."""
    body = problem(caller.get("/api/v1/failing/missing/"), 404)
    assert (body["type"], body["title"], body["detail"]) == (
        "urn:megatron:problem:not-found",
        "Not Found",
        "Not found.",
    )
    assert body["instance"] == "/api/v1/failing/missing/"


def test_a_views_own_words_are_told(caller: Client) -> None:
    """What a view says to its caller arrives."""
    assert problem(caller.get("/api/v1/failing/told/"), 404)["detail"] == "No token abc is known."
    assert problem(caller.get("/api/v1/failing/conflict/"), 409)["detail"] == "It is sent already."


def test_an_unknown_address_is_a_problem(stranger: Client) -> None:
    """Below /api/ the answer is a problem, elsewhere a page."""
    assert problem(stranger.get("/api/v1/nowhere/"), 404)["type"] == "urn:megatron:problem:not-found"
    assert stranger.get("/nowhere/").headers["Content-Type"].startswith("text/html")


def test_a_stranger_is_asked_for_a_key(stranger: Client) -> None:
    """401 says which scheme is wanted."""
    reply = stranger.get("/api/v1/entries/")
    assert problem(reply, 401)["type"] == "urn:megatron:problem:not-authenticated"
    assert reply.headers["WWW-Authenticate"] == 'Api-Key realm="api"'


def test_what_is_forbidden_is_told_without_why(caller: Client) -> None:
    """Django's 403 keeps its reason."""
    body = problem(caller.get("/api/v1/failing/forbidden/"), 403)
    assert "moon" not in body["detail"]


def test_another_method_is_refused(caller: Client) -> None:
    """405 names what is allowed."""
    reply = caller.delete("/api/v1/entries/")
    assert problem(reply, 405)["type"] == "urn:megatron:problem:method-not-allowed"
    assert "GET" in reply.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [("{", "application/json", 400, "parse-error"), ("<a/>", "application/xml", 415, "unsupported-media-type")],
)
def test_a_body_that_cannot_be_read_is_refused(caller: Client, body: str, kind: str, status: int, code: str) -> None:
    """Half a document, and one of another kind."""
    reply = caller.post("/api/v1/failing/x/", body, content_type=kind)
    assert problem(reply, status)["type"] == f"urn:megatron:problem:{code}"


def test_a_reply_that_cannot_be_given_is_refused(caller: Client) -> None:
    """Only JSON is offered, and the refusal is JSON all the same."""
    assert problem(caller.get("/api/v1/entries/", headers={"Accept": "application/xml"}), 406)["status"] == 406


def test_wrong_fields_are_listed(caller: Client) -> None:
    """Each wrong field has its place, a code for programs and words for people."""
    body = problem(caller.post("/api/v1/failing/x/", '{"amount": 0}', content_type="application/json"), 400)
    assert body["type"] == "urn:megatron:problem:invalid"
    assert body["errors"] == [
        {"field": "amount", "code": "min_value", "detail": "Ensure this value is greater than or equal to 1."},
        {"field": "name", "code": "required", "detail": "This field is required."},
    ]


def test_wrong_fields_of_nested_parts_are_listed_with_their_place(caller: Client) -> None:
    """The second part's amount is parts.1.amount."""
    parts = [{"amount": 1, "name": "a"}, {"amount": 0, "name": "b"}]
    body = problem(caller.post("/api/v1/failing/nested/", {"parts": parts}, content_type="application/json"), 400)
    assert [error["field"] for error in body["errors"]] == ["parts.1.amount"]
    assert (
        problem(caller.post("/api/v1/failing/x/", "[1]", content_type="application/json"), 400)["errors"][0]["field"]
        == ""
    )


@pytest.mark.parametrize("address", ["/api/v1/failing/bug/", "/api/v1/broken/"])
def test_what_nobody_foresaw_is_told_as_its_id(caller: Client, caplog: pytest.LogCaptureFixture, address: str) -> None:
    """Inside DRF and outside it the caller gets an id and nothing else; the log has the rest."""
    reply = caller.get(address, headers={"X-Request-ID": "find-me-1234"})
    body = problem(reply, 500)
    assert (body["type"], body["request_id"]) == ("urn:megatron:problem:internal", "find-me-1234")
    assert SECRET not in reply.content.decode()
    assert "ZeroDivisionError" not in reply.content.decode()
    assert "ZeroDivisionError" in caplog.text


def test_a_broken_page_is_a_page(stranger: Client) -> None:
    """Outside /api/ the answer to a person is HTML, without the reason too."""
    reply = stranger.get("/broken/")
    assert (reply.status_code, reply.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert SECRET not in reply.content.decode()


def test_a_database_that_is_away_is_told_as_such(caller: Client) -> None:
    """503 with the time to wait, and nothing of the connection."""
    reply = caller.get("/api/v1/failing/away/")
    assert problem(reply, 503)["type"] == "urn:megatron:problem:unavailable"
    assert reply.headers["Retry-After"] == "5"
    assert SECRET not in reply.content.decode()


def test_a_wrong_host_is_refused_as_a_problem(stranger: Client, settings: Any) -> None:
    """What Django refuses before any view is a problem too."""
    settings.ALLOWED_HOSTS = ["console.example.com"]
    assert problem(stranger.get("/api/v1/entries/", headers={"Host": "evil.example.com"}), 400)["status"] == 400
