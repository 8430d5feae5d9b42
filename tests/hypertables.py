"""Which test makes which statement on a hypertable: noted in every run, and used by the community lane.

A run leaves its notes in ``.megatron/hypertables.json``, a test's beside those of other runs. The community lane takes from
them the tests that it needs beside its marked ones, so that it makes every writing statement of the suite (``--hypertables
writes``) or runs every test that touches a hypertable from one session (``--hypertables all``), and proves at its end that no
writing statement of theirs was left out. ``--hypertables server`` marks those that do so from several sessions. On the lane
each writing statement is first tried over the compressed history (tests/history.py) under TimescaleDB's limit, and taken back:
one that opens too much fails its test, and so does an UPDATE or a DELETE without constant bounds on the time column.

What the tests themselves write is not noted, nor what another thread does: a test in which one opened a session of its own
needs a server (``server``).
"""

import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from tests.database import IN_PLACE

ROOT = Path(__file__).resolve().parent.parent
NOTES = ROOT / ".megatron" / "hypertables.json"
_KEY = "hypertables"
_OURS, _TESTS, _INSTALLED = f"{ROOT}/", f"{ROOT}/tests/", f"{ROOT}/.megatron/"

ELSEWHERE = {
    "ctid = ANY (ARRAY (SELECT ctid FROM": "retention drops whole chunks on this level",
    "AND id = ANY(?::uuid[])": "what was exported goes by the chunk on this level",
}
"""Parts of writing statements that only other levels make, and why."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run say which tests it wants by the notes."""
    told = "which tests the notes add to the marked ones"
    parser.addoption("--hypertables", choices=["writes", "all", "server"], help=told)


@lru_cache(maxsize=1 << 14)
def touched(statement: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the hypertables that a statement writes, and all that it names."""
    from tests import history  # models can be imported only after Django is set up

    named = frozenset(re.findall(r"\w+", statement)) & history.hypertables().keys()
    if not named:
        return frozenset(), named
    verbs = r"\b(?:INSERT\s+INTO|(?<!FOR )(?<!KEY )(?<!DO )UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?\"?(?:public\.)?(\w+)"
    return frozenset(re.findall(verbs, statement, re.IGNORECASE)) & named, named


def print_of(statement: str) -> str:
    """Return a statement without what differs from call to call: how many values, and which numbers."""
    text = re.sub(r"\s+", " ", statement)
    text = re.sub(r"%\(\w+\)s|%s|'[^']*'|\b\d+\b", "?", text)
    text = re.sub(r"\?(?:, \?)+", "?", text)
    return re.sub(r"\(\?\)(?:, \(\?\))+", "(?)", text).strip()


@lru_cache(maxsize=1 << 14)
def key_of(statement: str) -> str:
    """Return a short name of a statement's print."""
    return hashlib.md5(print_of(statement).encode(), usedforsecurity=False).hexdigest()[:12]


def is_bound(statement: str, table: str, time: str) -> bool:
    """Return whether an UPDATE or a DELETE of ``table`` compares its time column with a value; an INSERT has its own time."""
    if not re.search(rf"(?<!DO )\bUPDATE\s+\"?{table}\b|\bDELETE\s+FROM\s+\"?{table}\b", statement, re.IGNORECASE):
        return True
    return bool(re.search(rf"\b{time}\"?\s*(?:>=|<=|=|<|>|BETWEEN)\s*(?:%|'|\()", statement, re.IGNORECASE))


def _is_ours() -> bool:
    """Return whether the code that made the statement is the project's, and not a test's."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_OURS) and not name.startswith(_INSTALLED) and name != __file__:
            return not name.startswith(_TESTS)
        frame = frame.f_back  # type: ignore[assignment]  # the outermost has none
    return False


def _commits(item: pytest.Item) -> bool:
    """Return whether a test ends with all tables empty, the history's too: such tests run last."""
    mark = item.get_closest_marker("django_db")
    return mark is not None and bool(mark.kwargs.get("transaction"))


class Notes:
    """What one session saw: each test's statements, and what the statements are."""

    def __init__(self) -> None:
        self.statements: dict[str, dict[str, Any]] = {}
        self.tests: dict[str, dict[str, Any]] = {}

    def add(self, other: dict[str, Any]) -> None:
        """Add what another session saw, which counts for the tests that it ran."""
        self.statements |= other["statements"]
        self.tests |= other["tests"]

    def dump(self) -> dict[str, Any]:
        """Return the notes as what can be sent and stored; statements that no test makes are forgotten."""
        used = {key for test in self.tests.values() for key in test["statements"]}
        return {"statements": {key: self.statements[key] for key in sorted(used)}, "tests": self.tests}


def read() -> Notes:
    """Return the notes of all runs so far."""
    notes = Notes()
    if NOTES.exists():
        notes.add(json.loads(NOTES.read_text()))
    return notes


def choose(notes: Notes, *, running: set[str], able: set[str], everything: bool) -> set[str]:
    """Return which of the tests that are ``able`` must run beside those ``running``, so that no writing statement is missing:
    of two that do, the one that brings more in less time."""
    if everything:
        return {test for test in able if notes.tests.get(test, {}).get("statements")}
    writes = {key for key, one in notes.statements.items() if one["writes"]}
    brings = {test: set(notes.tests[test]["statements"]) & writes for test in able if test in notes.tests}
    missing: set[str] = set().union(*brings.values()) if brings else set()
    for test in running:
        missing -= set(notes.tests.get(test, {}).get("statements", ()))
    chosen = set()
    while missing:
        best = max(sorted(brings), key=lambda test: len(brings[test] & missing) / (notes.tests[test]["seconds"] + 0.5))
        missing -= brings[best]
        chosen.add(best)
    return chosen


class Recorder:
    """Notes the statements of each test; on the community lane it also tries them over the history."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.notes = Notes()
        self.faults: list[str] = []
        self.seen: set[str] = set()
        self.wanted: set[str] = set()
        self.sessions = 0
        self.has_history = False
        self._is_trying = False
        connection_created.connect(self._opened, dispatch_uid="hypertables")

    def _opened(self, **_: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            self.sessions += 1

    def __call__(self, execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        text = str(statement)
        writes, named = touched(text)
        if not named or self._is_trying or not _is_ours():
            return execute(statement, params, many, context)
        key = key_of(text)
        self.seen.add(key)
        if key not in self.notes.statements:
            self.notes.statements[key] = {
                "writes": sorted(writes),
                "reads": sorted(named - writes),
                "text": print_of(text),
            }
        if writes and self.has_history:
            self._try(execute, statement, params, many, context, writes)
        return execute(statement, params, many, context)

    def _try(self, execute: Any, statement: Any, params: Any, many: bool, context: Any, writes: frozenset[str]) -> None:
        """Run a statement while the history is there, and take it back."""
        from tests import history  # models can be imported only after Django is set up

        for table in writes:
            if not is_bound(str(statement), table, history.hypertables()[table].time):
                self.faults.append(f"no constant bound on the time of {table}: {print_of(str(statement))[:500]}")
        self._is_trying = True
        try:
            with context["connection"].connection.transaction(force_rollback=True):
                history.show(writes)
                with context["connection"].connection.cursor() as cursor:
                    cursor.execute(history.LIMITED.replace("SET ", "SET LOCAL ", 1))
                execute(statement, list(params)[:1] if many else params, many, context)
        except Exception as error:  # noqa: BLE001  # whatever else is wrong with it, the statement itself will say
            if history.EXCEEDED in str(error):
                self.faults.append(f"{error}: {print_of(str(statement))[:500]}")
        finally:
            self._is_trying = False


def pytest_configure(config: pytest.Config) -> None:
    """Begin a session's notes."""
    config.stash[_RECORDER] = Recorder(config)


_RECORDER = pytest.StashKey[Recorder]()


@pytest.fixture(autouse=True)
def _noted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Note what the test does to hypertables; fail it when a statement reached for too much."""
    recorder = request.config.stash[_RECORDER]
    recorder.seen, recorder.sessions, recorder.faults = set(), 0, []
    has_own = request.node.get_closest_marker("own_chunks") is not None
    recorder.has_history = IN_PLACE and not has_own and not _commits(request.node)
    if IN_PLACE and has_own:
        from tests import history  # models can be imported only after Django is set up

        request.getfixturevalue("db")
        history.drop()
    with connection.execute_wrapper(recorder):
        yield
    if recorder.seen or recorder.sessions:
        recorder.notes.tests[request.node.nodeid] = {
            "statements": sorted(recorder.seen),
            "sessions": recorder.sessions,
            "seconds": 0.0,
        }
    assert not recorder.faults, "\n".join(recorder.faults)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note how long a test takes."""
    yield
    if call.when == "call" and (test := item.config.stash[_RECORDER].notes.tests.get(item.nodeid)):
        test["seconds"] = round(call.duration, 2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark for the community lane what the notes say that it needs."""
    how = config.getoption("--hypertables")
    if how is None:
        return
    notes = read()
    if not notes.tests:
        raise pytest.UsageError(f"{NOTES.relative_to(ROOT)} is not there: run the suite first (make test).")
    for one in notes.statements.values():
        if any(part in one["text"] for part in ELSEWHERE):
            one["writes"] = []
    if how == "server":
        for item in items:
            if notes.tests.get(item.nodeid, {}).get("sessions"):
                item.add_marker(pytest.mark.server)
        return
    running = {item.nodeid for item in items if item.get_closest_marker("community")}
    able = {
        item.nodeid
        for item in items
        if not (
            item.get_closest_marker("server")
            or item.get_closest_marker("browser")
            or (how == "writes" and _commits(item))
        )
        and not notes.tests.get(item.nodeid, {}).get("sessions")
    }
    chosen = choose(notes, running=running, able=able, everything=how == "all")
    for item in items:
        if item.nodeid in chosen:
            item.add_marker(pytest.mark.community)
    writes = {key for key, one in notes.statements.items() if one["writes"]}
    recorder = config.stash[_RECORDER]
    for test in running | chosen:
        recorder.wanted |= set(notes.tests.get(test, {}).get("statements", ())) & writes


def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker noted."""
    if noted := getattr(node, "workeroutput", {}).get(_KEY):
        node.config.stash[_RECORDER].notes.add(noted)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep the notes; on the community lane fail when a writing statement was not made."""
    config = session.config
    recorder = config.stash[_RECORDER]
    if hasattr(config, "workeroutput"):
        config.workeroutput[_KEY] = recorder.notes.dump()
        return
    if IN_PLACE:
        if recorder.wanted and session.testsfailed == 0 and not config.option.collectonly:
            made = recorder.notes.statements.keys()
            recorder.missing = [read().statements[key]["text"] for key in sorted(recorder.wanted - made)]
            if recorder.missing:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
    elif recorder.notes.tests:
        notes = read()
        notes.add(recorder.notes.dump())
        NOTES.parent.mkdir(exist_ok=True)
        NOTES.write_text(json.dumps(notes.dump(), indent=1))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many writing statements the lane made, and which it did not."""
    recorder = terminalreporter.config.stash[_RECORDER]
    if recorder.wanted:
        missing = getattr(recorder, "missing", [])
        terminalreporter.write_line(
            f"hypertables: {len(recorder.wanted) - len(missing)} of {len(recorder.wanted)} writing statements were made"
        )
        for text in missing:
            terminalreporter.write_line(f"not made: {text[:300]}")
