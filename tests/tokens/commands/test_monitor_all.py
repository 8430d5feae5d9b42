"""``manage.py monitor all``: one process a venue, with an end where there is no hope."""

import sys
import threading

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from megatron.embedded import restarts
from tokens.choices import Program
from tokens.management.commands import monitor


@override_settings(STREAM_SOURCES=[], SOLANA_WS_URL="")
def test_shield_08_without_a_source_it_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started: the sentence comes once, with the code of a wrong call. A capture is for one venue."""
    started: list[object] = []
    monkeypatch.setattr(monitor, "_spawn", lambda *given: started.append(given))
    for options, said in (((), "Nobody is listened to"), (("--from", "x.jsonl"), "by the monitor of one venue")):
        with pytest.raises(CommandError, match=said) as refusal:
            call_command("monitor", "all", *options)
        assert refusal.value.returncode == 2
    assert started == []


@pytest.mark.parametrize(("code", "times"), [(2, 1), (1, len(restarts.PAUSES) + 1)])
def test_shield_08_a_monitor_without_hope_ends_all(monkeypatch: pytest.MonkeyPatch, code: int, times: int) -> None:
    """One that was called wrongly ends all at once, one that fails at once again and again after several starts."""
    monkeypatch.setattr(restarts, "PAUSES", (0.01,) * len(restarts.PAUSES))
    monkeypatch.setattr(monitor, "_LOOK_SECONDS", 0.01)
    first = next(iter(Program))
    started: list[tuple[Program, object]] = []

    def spawn(venue: Program, _chosen: object) -> object:
        work = f"raise SystemExit({code})" if venue is first else "import time; time.sleep(60)"
        child = monitor.subprocess.Popen([sys.executable, "-S", "-c", work])
        started.append((venue, child))
        return child

    monkeypatch.setattr(monitor, "_spawn", spawn)
    with pytest.raises(CommandError, match=f"The monitor of {first.value} ended with code {code}") as refusal:
        monitor._supervise(None, threading.Event())
    assert refusal.value.returncode == code
    assert sum(venue is first for venue, _ in started) == times
    assert all(child.poll() is not None for _, child in started)  # type: ignore[attr-defined]  # a Popen
