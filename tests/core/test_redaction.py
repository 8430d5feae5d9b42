"""What the redactor costs on text that strangers wrote to make it dear, counted in steps of its expressions, not timed."""

import re
import sys
from typing import Any

import pytest

from megatron.core import redaction
from megatron.core.redaction import HIDDEN, LONGEST_TEXT, LONGEST_TRACE, MOST_ITEMS, Redactor
from tests.architecture.test_regular_expressions import OLD_NAMES
from tests.backtracking import work

KIB = 1024
PATTERNS = [pattern for pattern, _ in redaction._PATTERNS]
OLD = (
    re.compile(r"(?P<keep>[a-z][a-z0-9+.-]*://)[^/\s@\"'<>]*@", re.IGNORECASE),
    re.compile(rf"(?P<keep>(?<![a-z0-9])(?:{OLD_NAMES})=)[^&\s\"'<>#]+", re.IGNORECASE),
)
HOSTILE = (
    "a",
    "_",
    "-",
    "a://",
    "token",
    "x_token_",
    '"token"',
    "'password':'",
    "Bearer ",
    "mgt_0a1b2c3d_",
    "=token",
    "://@",
    '"\\',
)


def hostile(stone: str, length: int) -> str:
    return (stone * (length // len(stone) + 1))[:length]


def steps(text: str) -> int:
    return sum(work(pattern, text) for pattern in PATTERNS)


@pytest.mark.parametrize("stone", ["a", "_"])
def test_shield_04_the_redactors_work_on_64_kib_is_linear(stone: str) -> None:
    """All expressions together take at most 64 steps a character of a 64 KiB text that was made to cost."""
    assert steps(hostile(stone, 64 * KIB)) <= 64 * 64 * KIB


@pytest.mark.parametrize("stone", HOSTILE)
def test_shield_04_twice_the_text_is_twice_the_work(stone: str) -> None:
    """From 2 to 4 KiB the work doubles and no more, whatever is repeated."""
    assert steps(hostile(stone, 4 * KIB)) <= 2.1 * steps(hostile(stone, 2 * KIB))


def test_shield_04_the_old_expressions_fail_the_bound() -> None:
    """What stood there before takes four times the steps for twice the text: hundreds of millions for one address."""
    for pattern, stone in zip(OLD, "a_", strict=True):
        small, large = (work(pattern, hostile(stone, size * KIB)) for size in (2, 4))
        assert large > 3.9 * small
        assert large > 64 * 4 * KIB
        assert work(pattern, hostile(stone, 40 * KIB)) > 500_000_000


@pytest.mark.parametrize("stone", HOSTILE)
def test_shield_04_the_code_around_the_expressions_is_linear_too(stone: str) -> None:
    """One pass an expression and at most two calls a replacement, of which there are never more than there are letters."""

    def calls(text: str) -> int:
        count = 0

        def see(_frame: Any, event: str, _arg: Any) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        redactor = Redactor(["known-secret-value"])
        redactor.text(text)  # Python reads its templates once
        sys.setprofile(see)
        try:
            redactor.text(text)
        finally:
            sys.setprofile(None)
        return count

    assert calls(hostile(stone, 16 * KIB)) <= 16.5 * calls(hostile(stone, KIB)) <= 16 * KIB


def test_shield_04_paths_and_values_are_cut_before_they_are_written() -> None:
    """A long text keeps its two ends, a long list its first items, a deep one its first levels; a traceback is longer."""
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    written = Redactor().anything(
        {
            "path": "/" + "a" * 40_000 + "z",
            "exception": "T" * 40_000,
            "rows": list(range(500)),
            "form": {str(number): number for number in range(500)},
            "deep": deep,
            "body": b"\xff" * 40_000,
        }
    )
    assert written["path"].startswith("/aaa")
    assert written["path"].endswith("aaz")
    assert "38002 characters left out" in written["path"]
    assert LONGEST_TEXT <= len(written["path"]) < LONGEST_TEXT + 50
    assert LONGEST_TRACE <= len(written["exception"]) < LONGEST_TRACE + 50
    assert written["rows"][MOST_ITEMS:] == ["… 400 more"]
    assert len(written["form"]) == MOST_ITEMS + 1
    assert str(written["deep"]).count("[") < 10
    assert len(written["body"]) < LONGEST_TEXT + 50


def test_shield_04_a_cut_leaves_no_half_of_a_secret() -> None:
    """What is hidden is hidden before the text is cut, wherever the cut falls."""
    secret = "S3cr3tS3cr3tS3cr3tS3cr3t"
    redactor = Redactor([secret])
    for offset in range(len(secret)):
        shown = redactor.anything("x" * (LONGEST_TEXT // 2 - offset) + secret + "y" * 40_000)
        assert "S3c" not in shown
        assert "cr3t" not in shown


@pytest.mark.parametrize(
    "text",
    [
        '{"body": {"password": "hunter2\\" hunter2", "user": "ann"}}',
        "{'body': '{\"password\": \"hunter2\"}'}",
        "connect(password='hunter2 hunter2', user='ann')",
        "https://x.example/?next=api_key=hunter2&x=1",
        "redis://:hunter2@hunter2@db.example/0",
        '"client_secret": "hunter2 that never ends',
        "{'password': b'hunter2'}",
        "GET /?helius-api-key=hunter2",
    ],
)
def test_shield_04_secrets_in_odd_places_are_hidden(text: str) -> None:
    """Behind escaped quotation marks, inside other values, in calls, with an @, without an end."""
    shown = Redactor().text(text)
    assert "hunter2" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "name", ["helius_access_token", "TELEGRAM_BOT_TOKEN", "yellowstone_token", "a" * 50 + "_api_key"]
)
def test_shield_04_a_secret_is_known_by_the_end_of_its_name(name: str) -> None:
    """Whatever stands before it."""
    assert redaction.is_secret(name)
