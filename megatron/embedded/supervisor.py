"""One supervisor for several long-running commands: their lines with a name in front, and one clean end for all."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from megatron.embedded.processes import dies_with_parent, wait_for

GRACE_SECONDS = 20
LOOK_SECONDS = 0.25
COLOURS = (36, 33, 35, 32, 34)


class Supervisor:
    """Runs commands until one of them ends or somebody asks to stop; then all of them stop."""

    def __init__(self, root: Path, *, output: TextIO = sys.stdout, with_parent: bool = False) -> None:
        self._root = root
        self._output = output
        self._parent = os.getppid() if with_parent else None
        self._write = threading.Lock()
        self._asked = threading.Event()
        self._children: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []

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
        for name, command in commands.items():
            self._children[name] = subprocess.Popen(
                command,
                cwd=self._root,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509  # the threads come after the last child
            )
        width = max(map(len, commands))
        for position, (name, child) in enumerate(self._children.items()):
            colour = COLOURS[position % len(COLOURS)] if self._output.isatty() else None
            reader = threading.Thread(target=self._relay, args=(name.ljust(width), colour, child), daemon=True)
            reader.start()
            self._readers.append(reader)

    def watch(self, look: Callable[[], None] = lambda: None) -> int:
        """Wait for the end, calling ``look`` now and then; 0 when asked to stop, 1 when a command ended by itself."""
        while not self.is_asked():
            for name, child in self._children.items():
                if child.poll() is not None:
                    self.say(f"{name} ended with code {child.returncode}; stopping everything.")
                    return 1
            look()
            self._asked.wait(LOOK_SECONDS)
        return 0

    def stop(self) -> None:
        """Stop every command: first politely, after ``GRACE_SECONDS`` or a second Ctrl-C by force."""
        self._asked.clear()
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        wait_for(lambda: self._asked.is_set() or self._all_ended(), seconds=GRACE_SECONDS)
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # also what a command may have left behind in its session
            child.wait()
        for reader in self._readers:
            reader.join(1)

    def say(self, text: str) -> None:
        """Print lines of our own between those of the commands."""
        with self._write:
            print(text, file=self._output, flush=True)

    def _all_ended(self) -> bool:
        return all(child.poll() is not None for child in self._children.values())

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.set()

    def _relay(self, name: str, colour: int | None, child: "subprocess.Popen[str]") -> None:
        head = f"\033[{colour}m{name} |\033[0m" if colour else f"{name} |"
        assert child.stdout is not None  # start() asked for a pipe
        with child.stdout as lines:
            for line in lines:
                if text := line.rstrip():
                    self.say(f"{head} {text}")
