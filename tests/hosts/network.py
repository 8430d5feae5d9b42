"""A bridge with a host a namespace on it, and doors from the bridge to services of this machine's loopback."""

import selectors
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

PREFIX = "10.77.33"
GATEWAY = f"{PREFIX}.1"


class Network:
    """``names`` are the hosts. Everything is removed again at the end."""

    def __init__(self, names: Sequence[str], *, tag: str) -> None:
        self._names, self._tag = names, tag
        self._bridge = f"mb{tag}"

    def __enter__(self) -> Self:
        if shutil.which("ip") is None:
            raise SystemExit("This needs ip: install iproute2.")
        self._remove()
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{GATEWAY}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for number, name in enumerate(self._names):
            space, end = self.space(name), self._end(name)
            _ip("netns", "add", space)
            _ip("link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", end, "master", self._bridge, "up")
            _ip("-n", space, "addr", "add", f"{PREFIX}.{11 + number}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "set", "eth0", "up")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._remove()

    def space(self, name: str) -> str:
        """Return the name of a host's network namespace."""
        return f"mh{self._tag}{name}"

    def cut(self, name: str) -> None:
        """Pull a host's cable: nothing goes in or out, and nobody is told."""
        _ip("link", "set", self._end(name), "down")

    def mend(self, name: str) -> None:
        """Put the cable back."""
        _ip("link", "set", self._end(name), "up")

    def _end(self, name: str) -> str:
        return f"mv{self._tag}{name}"

    def _remove(self) -> None:
        for name in self._names:
            _ip("netns", "del", self.space(name), quiet=True)
            _ip("link", "del", self._end(name), quiet=True)
        _ip("link", "del", self._bridge, quiet=True)


def _ip(*words: str, quiet: bool = False) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode and not quiet:
        raise SystemExit(f"ip {' '.join(words)}: {done.stderr.strip()} (network namespaces need root)")


class Door:
    """Lets the hosts reach a service that listens on this machine's loopback only: a plain TCP forwarder."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server((GATEWAY, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                inside, _ = self._listener.accept()
                outside = socket.create_connection(self._to)
            except OSError:
                return
            threading.Thread(target=_join, args=(inside, outside), daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.close()


def _join(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on in both directions until either side ends."""
    with one, other, selectors.DefaultSelector() as both:
        both.register(one, selectors.EVENT_READ, other)
        both.register(other, selectors.EVENT_READ, one)
        for each in (one, other):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            for key, _ in both.select():
                try:
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)
                except OSError:
                    return
