"""One supervisor for several commands, shown with tiny ones."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from megatron.embedded.processes import command_of, wait_for
from megatron.embedded.supervisor import Supervisor

TALK = [sys.executable, "-c", "import time; print('hello'); time.sleep(60)"]
STUBBORN = [
    *(sys.executable, "-c"),
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


def test_lines_carry_the_name_of_their_command(tmp_path: Path) -> None:
    """Each line stands behind its command's name, names are aligned, and a stop leaves no child."""
    output = io.StringIO()
    supervisor = Supervisor(tmp_path, output=output)
    supervisor.start({"web": TALK, "worker": TALK})
    assert wait_for(lambda: output.getvalue().count("hello") == 2, seconds=10)
    supervisor.stop()
    assert sorted(output.getvalue().splitlines()) == ["web    | hello", "worker | hello"]
    assert [child.poll() for child in supervisor._children.values()] == [-signal.SIGTERM, -signal.SIGTERM]


def test_the_end_of_one_command_is_the_end_of_all(tmp_path: Path) -> None:
    """A command that ends by itself is named with its code, and the watch returns 1 so that the rest is stopped."""
    output = io.StringIO()
    supervisor = Supervisor(tmp_path, output=output)
    supervisor.start({"beat": [sys.executable, "-c", "import sys; sys.exit(4)"], "web": TALK})
    assert supervisor.watch() == 1
    supervisor.stop()
    assert "beat ended with code 4; stopping everything." in output.getvalue()
    assert supervisor._children["web"].poll() == -signal.SIGTERM


def test_a_second_wish_to_stop_does_not_wait(tmp_path: Path) -> None:
    """A command that ignores SIGTERM is killed at the second Ctrl-C, long before the grace is over."""
    output = io.StringIO()
    supervisor = Supervisor(tmp_path, output=output)
    supervisor.start({"deaf": STUBBORN})
    assert wait_for(lambda: "deaf | deaf" in output.getvalue(), seconds=10)
    threading.Timer(0.5, lambda: supervisor._ask(signal.SIGINT, None)).start()
    before = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - before < 5
    assert supervisor._children["deaf"].poll() == -signal.SIGKILL


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
