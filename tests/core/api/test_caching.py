from django.test import Client

from tests.core.api.doors import BUILT


def test_a_reply_carries_its_tag_and_may_be_kept_by_the_caller_only(caller: Client) -> None:
    """The tag is weak; caches ask again, and keep nothing for others."""
    reply = caller.get("/api/v1/cached/?version=1")
    assert reply.headers["ETag"].startswith('W/"')
    assert reply.headers["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= {name.strip() for name in reply.headers["Vary"].split(",")}


def test_what_the_caller_has_is_not_built_again(caller: Client) -> None:
    """304 without a body while nothing changed; another version has another tag."""
    tag = caller.get("/api/v1/cached/?version=1").headers["ETag"]
    BUILT.clear()
    unchanged = caller.get("/api/v1/cached/?version=1", headers={"If-None-Match": f'"other", {tag}'})
    assert (unchanged.status_code, unchanged.content, BUILT) == (304, b"", [])
    assert unchanged.headers["ETag"] == tag
    changed = caller.get("/api/v1/cached/?version=2", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()) == (200, {"version": "2"})
