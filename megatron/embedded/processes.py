"""Small things about processes that both the keeper and the supervisor need."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def dies_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a ``preexec_fn`` that has the kernel send ``number`` when the parent is gone, however it died.

    Linux only; elsewhere a killed parent is noticed at the next start. It runs after the change of account, which would
    clear the wish. The parent must start such a child before it starts threads.
    """
    parent = os.getpid()
    return lambda: _follow(parent, number)


def follower(command: Sequence[str], *, number: signal.Signals = signal.SIGTERM) -> list[str]:
    """Return the command line that becomes ``command``, which gets ``number`` when this process is gone.

    For a parent with threads, in which no Python may run between fork and exec.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(number)), *command]


def _follow(parent: int, number: signal.Signals) -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # died between fork and prctl
            os.kill(os.getpid(), number)


def ending(code: int) -> str:
    """Return in words how a process with this ``returncode`` ended."""
    if code >= 0:
        return f"with code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def command_of(pid: int) -> str:
    """Return a process's command line, or nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        pass
    if Path("/proc/self/cmdline").exists():
        return ""
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen on this port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def kept_port(path: Path) -> int:
    """Return the port remembered in ``path`` when it is still free, else a new free one, remembered."""
    try:
        port = int(path.read_text())
    except (OSError, ValueError):
        port = 0
    if not port or not is_free("127.0.0.1", port):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        path.write_text(str(port))
    return port


def wait_for(condition: Callable[[], bool], *, seconds: float, pause: float = 0.02) -> bool:
    """Wait until a condition holds; return whether it did within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


if __name__ == "__main__":  # see follower()
    _follow(int(sys.argv[1]), signal.Signals(int(sys.argv[2])))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what it becomes would too
    os.execvp(sys.argv[3], sys.argv[3:])
