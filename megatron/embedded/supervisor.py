"""One supervisor for several long-running commands: their lines with a name in front, and one clean end for all."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, TextIO

from megatron.embedded.logs import Log
from megatron.embedded.processes import dies_with_parent, ending, follower, wait_for
from megatron.embedded.restarts import Restarts
from megatron.embedded.state import state_dir

GRACE_SECONDS = 20
LOOK_SECONDS = 0.25
COLOURS = (36, 33, 35, 32, 34)


WORDS = 5
"""Last lines of a command that are told when it is given up."""


class Child:
    """One command: its process while it lives, else when it is started again, and what it said last."""

    def __init__(self, command: Sequence[str], head: str, log: Path) -> None:
        self.command, self.head, self.log = command, head, log
        self.process: subprocess.Popen[str] | None = None
        self.reader: threading.Thread | None = None
        self.restarts = Restarts()
        self.due = 0.0
        self.words: deque[str] = deque(maxlen=WORDS)

    def is_alive(self) -> bool:
        """Return whether its process runs."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Runs commands until somebody asks to stop, or one of them is hopeless; then all of them stop.

    A command that ends is started again after a pause. Each one's lines go to ``.megatron/logs/<name>.log`` too.
    ``lacking`` names in words what all of them need and is away, else nothing: who ends for want of it has not failed,
    and is started when it is back.
    """

    def __init__(
        self,
        root: Path,
        *,
        output: TextIO = sys.stdout,
        with_parent: bool = False,
        lacking: Callable[[], str] = lambda: "",
    ) -> None:
        self._lacking = lacking
        self._root = root
        self._output = output
        self._parent = os.getppid() if with_parent else None
        self._write = threading.Lock()
        self._asked = threading.Event()
        self._children: dict[str, Child] = {}
        self._environment: dict[str, str] = {}

    def listen(self) -> None:
        """Take Ctrl-C, SIGTERM and a closed terminal as the wish to stop; a second one stops without grace."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def is_asked(self) -> bool:
        """Return whether somebody wants us to stop, or whoever started us is gone."""
        if self._parent is not None and os.getppid() != self._parent:
            self._asked.set()
        return self._asked.is_set()

    def step(self, *command: str, environment: Mapping[str, str] | None = None) -> int:
        """Run one command to its end with our terminal; a wish to stop is passed on. Returns its exit code."""
        child = subprocess.Popen(
            command,
            cwd=self._root,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509  # no thread yet
        )
        while child.poll() is None:
            if self.is_asked():
                child.terminate()
                if not wait_for(lambda: child.poll() is not None, seconds=GRACE_SECONDS):
                    child.kill()
            time.sleep(0.05)
        return child.wait()

    def start(self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str] | None = None) -> None:
        """Start all commands, each in a session of its own so that Ctrl-C reaches only us."""
        self._environment = {"PYTHONUNBUFFERED": "1", **(environment or {})}
        width = max(map(len, commands))
        for position, (name, command) in enumerate(commands.items()):
            colour = COLOURS[position % len(COLOURS)] if self._output.isatty() else None
            padded = name.ljust(width)
            head = f"\033[{colour}m{padded} |\033[0m" if colour else f"{padded} |"
            self._children[name] = child = Child(command, head, state_dir(self._root) / "logs" / f"{name}.log")
            self._spawn(child)

    def watch(self, look: Callable[[], None] = lambda: None) -> int:
        """Keep the commands running, calling ``look`` now and then; 0 when asked to stop, 1 when one is hopeless."""
        while not self.is_asked():
            for name, child in self._children.items():
                if not self._keep(name, child):
                    return 1
            look()
            self._asked.wait(LOOK_SECONDS)
        return 0

    def stop(self) -> None:
        """Stop every command: first politely, after ``GRACE_SECONDS`` or a second Ctrl-C by force."""
        self._asked.clear()
        for child in self._children.values():
            if child.process is not None and child.is_alive():
                child.process.terminate()
        wait_for(lambda: self._asked.is_set() or self._all_ended(), seconds=GRACE_SECONDS)
        for child in self._children.values():
            self._bury(child)

    def _keep(self, name: str, child: Child) -> bool:
        """Start a command that ended again when its time has come; return whether there is hope for it."""
        if child.is_alive():
            return True
        if child.process is None:
            if time.monotonic() >= child.due and not self._lacking():
                self._spawn(child)
            return True
        how = ending(child.process.returncode)
        self._bury(child)
        if lacking := self._lacking():
            self.say(f"{name} ended {how}: {lacking}. It is started again when that is back.")
            return True
        pause = child.restarts.end()
        if pause is None:
            words = "\n".join(f"    {line}" for line in child.words) or "    (nothing)"
            self.say(
                f"{name} failed {child.restarts.failures} times soon after its start and ended {how}; stopping everything. "
                f"Its last words:\n{words}\nIts log is {child.log}."
            )
            return False
        self.say(f"{name} ended {how}; starting it again in {pause:g} s.")
        child.due = time.monotonic() + pause
        return True

    def _spawn(self, child: Child) -> None:
        child.restarts.begin()
        child.process = subprocess.Popen(
            follower(child.command),
            cwd=self._root,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        child.reader = threading.Thread(target=self._relay, args=(child, child.process.stdout), daemon=True)
        child.reader.start()

    def _bury(self, child: Child) -> None:
        """End what a command left behind in its session, and take its last lines."""
        if child.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        if child.reader is not None:
            child.reader.join(1)
        child.process = None

    def say(self, text: str) -> None:
        """Print lines of our own between those of the commands."""
        with self._write:
            print(text, file=self._output, flush=True)

    def _all_ended(self) -> bool:
        return not any(child.is_alive() for child in self._children.values())

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.set()

    def _relay(self, child: Child, lines: IO[str]) -> None:
        with lines, contextlib.closing(Log(child.log)) as log:
            for line in lines:
                if text := line.rstrip():
                    child.words.append(text)
                    log.write(text)
                    self.say(f"{child.head} {text}")
