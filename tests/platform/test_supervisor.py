"""One supervisor for several commands, shown with tiny ones."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from megatron.embedded import logs, restarts
from megatron.embedded.processes import command_of, wait_for
from megatron.embedded.supervisor import Supervisor

TALK = [sys.executable, "-c", "import time; print('hello'); time.sleep(60)"]
STUBBORN = [
    *(sys.executable, "-c"),
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pauses be short."""
    monkeypatch.setattr(restarts, "PAUSES", (0.01,) * 4)


def process_of(supervisor: Supervisor, name: str) -> int:
    """Return the number of a command's process."""
    process = supervisor._children[name].process
    assert process is not None
    return process.pid


def test_lines_carry_the_name_of_their_command(tmp_path: Path) -> None:
    """Each line stands behind its command's name, names are aligned, and a stop leaves no child."""
    output = io.StringIO()
    supervisor = Supervisor(tmp_path, output=output)
    supervisor.start({"web": TALK, "worker": TALK})
    assert wait_for(lambda: output.getvalue().count("hello") == 2, seconds=10)
    supervisor.stop()
    assert sorted(output.getvalue().splitlines()) == ["web    | hello", "worker | hello"]
    assert not any(child.is_alive() for child in supervisor._children.values())


def test_shield_07_a_command_that_can_never_start_is_the_end_of_all(tmp_path: Path, fast: None) -> None:
    """After several quick failures a sentence names it, its last words and its log, and the watch returns 1."""
    output = io.StringIO()
    supervisor = Supervisor(tmp_path, output=output)
    code = "import sys; print('no such broker', flush=True); sys.exit(4)"
    supervisor.start({"beat": [sys.executable, "-c", code], "web": TALK})
    web = process_of(supervisor, "web")
    assert supervisor.watch() == 1
    supervisor.stop()
    told, log = output.getvalue(), tmp_path / ".megatron/logs/beat.log"
    tries = len(restarts.PAUSES) + 1
    assert told.count("beat ended with code 4; starting it again in 0.01 s.") == tries - 1
    assert f"beat failed {tries} times soon after its start and ended with code 4; stopping everything." in told
    assert "Its last words:\n    no such broker\n    no such broker\n    no such broker" in told
    assert f"Its log is {log}." in told
    assert log.read_text() == "no such broker\n" * tries
    assert not command_of(web)


def test_shield_07_a_killed_command_comes_back(tmp_path: Path, fast: None) -> None:
    """SIGKILL, with a child of its own left behind: both go, and the command is started again with our signals."""
    code = (
        "import os, signal, subprocess, sys, time;"
        "orphan = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print('pids', os.getpid(), orphan.pid, signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, flush=True); time.sleep(60)"
    )
    output = io.StringIO()
    supervisor = Supervisor(tmp_path, output=output)
    supervisor.start({"worker": [sys.executable, "-c", code]})

    def seen() -> list[list[str]]:
        return [line.split()[3:] for line in output.getvalue().splitlines() if "| pids" in line]

    def look() -> None:
        if len(seen()) == 1 and "ended" not in output.getvalue():
            os.kill(int(seen()[0][0]), signal.SIGKILL)
        if len(seen()) == 2:
            supervisor._asked.set()

    deadline = threading.Timer(30, supervisor._asked.set)
    deadline.start()
    assert supervisor.watch(look) == 0
    deadline.cancel()
    assert "worker ended by SIGKILL; starting it again in 0.01 s." in output.getvalue()
    (first, orphan, _), (second, _, default) = seen()
    assert first != second
    assert default == "True"
    assert wait_for(lambda: not command_of(int(orphan)), seconds=5)
    supervisor.stop()
    assert not command_of(int(second))


def test_shield_07_who_ends_for_want_of_a_server_is_not_given_up(tmp_path: Path, fast: None) -> None:
    """A database may be away for longer than all pauses: its commands wait for it without being tried, and are no failures."""
    output = io.StringIO()
    asked = 0

    def lacking() -> str:
        nonlocal asked
        asked += 1
        return "the database is away" if asked < 20 else ""

    supervisor = Supervisor(tmp_path, output=output, lacking=lacking)
    supervisor.start({"beat": [sys.executable, "-c", "import sys; sys.exit(1)"]})
    starts: list[int] = []

    def look() -> None:
        child = supervisor._children["beat"]
        if child.process is not None and child.process.pid not in starts:
            starts.append(child.process.pid)
        if asked == 19:
            assert (len(starts), child.restarts.failures) == (1, 0)
            child.command = TALK
        if "| hello" in output.getvalue():
            supervisor._asked.set()

    deadline = threading.Timer(60, supervisor._asked.set)
    deadline.start()
    assert supervisor.watch(look) == 0
    deadline.cancel()
    supervisor.stop()
    told = output.getvalue()
    assert told.count("beat ended with code 1: the database is away. It is started again when that is back.") == 1
    assert "| hello" in told


def test_shield_07_who_had_worked_is_forgiven() -> None:
    """Only quick failures in a row count; one that lived long enough begins anew, and pauses grow."""
    now = 0.0
    counted = restarts.Restarts(clock=lambda: now)
    for pause in restarts.PAUSES:
        counted.begin()
        now += 1
        assert counted.end() == pause
    counted.begin()
    now += restarts.WORKED_SECONDS
    assert counted.end() == restarts.PAUSES[0]
    assert sorted(restarts.PAUSES) == list(restarts.PAUSES)
    counted.begin()
    for _ in restarts.PAUSES[1:]:
        counted.end()
    assert counted.end() is None


def test_shield_07_a_wish_to_stop_ends_the_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a command waits for its next start: it is not started, and nothing is waited for."""
    monkeypatch.setattr(restarts, "PAUSES", (3600.0,))
    output = io.StringIO()
    supervisor = Supervisor(tmp_path, output=output)
    supervisor.start({"beat": [sys.executable, "-c", "import sys; sys.exit(4)"]})

    def look() -> None:
        if "starting it again in 3600 s" in output.getvalue():
            supervisor._ask(signal.SIGINT, None)

    assert supervisor.watch(look) == 0
    supervisor.stop()
    assert supervisor._children["beat"].process is None
    assert output.getvalue().count("beat ended") == 1


def test_shield_07_logs_do_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit a log becomes the older one, also while it is written; nobody else may read either."""
    monkeypatch.setattr(logs, "LIMIT_BYTES", 100)
    log = logs.Log(tmp_path / "logs" / "web.log")
    for number in range(100):
        log.write(f"line {number}")
    log.close()
    kept = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in kept] == ["web.log", "web.log.1"]
    assert all(path.stat().st_size <= 120 and path.stat().st_mode & 0o077 == 0 for path in kept)
    assert logs.tail(kept[0], lines=1) == "line 99"
    logs.Log(tmp_path).write("into a folder")  # cannot be written, and nobody minds


def test_a_second_wish_to_stop_does_not_wait(tmp_path: Path) -> None:
    """A command that ignores SIGTERM is killed at the second Ctrl-C, long before the grace is over."""
    output = io.StringIO()
    supervisor = Supervisor(tmp_path, output=output)
    supervisor.start({"deaf": STUBBORN})
    assert wait_for(lambda: "deaf | deaf" in output.getvalue(), seconds=10)
    deaf = process_of(supervisor, "deaf")
    threading.Timer(0.5, lambda: supervisor._ask(signal.SIGINT, None)).start()
    before = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - before < 5
    assert not command_of(deaf)


def test_a_step_returns_its_code(tmp_path: Path) -> None:
    """A step runs to its end in the checkout and returns its exit code."""
    supervisor = Supervisor(tmp_path)
    assert supervisor.step(sys.executable, "-c", "import sys, pathlib; pathlib.Path('here').touch(); sys.exit(3)") == 3
    assert (tmp_path / "here").exists()


def test_a_killed_supervisor_takes_its_commands_along(tmp_path: Path) -> None:
    """SIGKILL of the supervisor ends what it started."""
    code = f"""if True:
        from pathlib import Path
        from megatron.embedded.supervisor import Supervisor
        supervisor = Supervisor(Path({str(tmp_path)!r}))
        supervisor.start({{"sleep": [{sys.executable!r}, "-c", "import os, time; print(os.getpid()); time.sleep(60)"]}})
        supervisor.watch()
    """
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline().partition("|")[2])
    assert "time.sleep" in command_of(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: not command_of(child), seconds=5)


def test_a_supervisor_follows_the_parent_it_was_told_to_follow(tmp_path: Path) -> None:
    """With ``with_parent`` the end of the starter counts as the wish to stop; without, it does not."""
    starter = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); input()"
    for with_parent, expected, seconds in ((True, "stopped", 20), (False, "stayed", 1)):
        answer = tmp_path / str(with_parent)
        code = f"""if True:
            import time
            from pathlib import Path
            from megatron.embedded.supervisor import Supervisor
            supervisor = Supervisor(Path({str(tmp_path)!r}), with_parent={with_parent})
            Path({str(answer)!r} + ".up").touch()
            deadline = time.monotonic() + {seconds}
            while not supervisor.is_asked() and time.monotonic() < deadline:
                time.sleep(0.02)
            Path({str(answer)!r}).write_text("stopped" if supervisor.is_asked() else "stayed")
        """
        process = subprocess.Popen([sys.executable, "-c", starter, code], stdin=subprocess.PIPE, cwd=os.getcwd())
        assert wait_for(lambda up=Path(f"{answer}.up"): up.exists(), seconds=15)  # type: ignore[misc]  # bound early
        process.communicate(b"\n")
        assert wait_for(lambda answer=answer: answer.exists() and answer.read_text() != "", seconds=25)  # type: ignore[misc]
        assert answer.read_text() == expected
