"""What was heard and not yet taken: bounded, so that a slow database holds the network back instead of filling the memory."""

import threading
from collections import deque
from typing import NamedTuple

from megatron.clients.ports import Frame, Heard

MOST_ITEMS = 20_000
MOST_BYTES = 64 * 1024 * 1024


class Item(NamedTuple):
    """One thing that one of the sources said; ``source`` is its place in the monitor's list."""

    source: int
    heard: Heard


class Buffer:
    """Several threads put, one takes. A full buffer makes those who put wait; nothing is ever dropped."""

    def __init__(self, *, most_items: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> None:
        self._most_items, self._most_bytes = most_items, most_bytes
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Add an item as soon as there is room; return ``False`` when the buffer was closed meanwhile."""
        size = _size(item)
        with self._changed:
            while not self._closed and self._items and self._full(size):
                self._changed.wait()
            if self._closed:
                return False
            self._items.append(item)
            self._bytes += size
            self._changed.notify_all()
            return True

    def take(self, *, timeout: float, most: int) -> list[Item]:
        """Return up to ``most`` items, the oldest first, after waiting up to ``timeout`` seconds for a first one."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(timeout)
            items = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self._bytes -= sum(map(_size, items))
            self._changed.notify_all()
            return items

    def close(self) -> None:
        """Let nobody wait any more: what is put from now on is refused. What is there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _full(self, size: int) -> bool:
        return len(self._items) >= self._most_items or self._bytes + size > self._most_bytes

    def __len__(self) -> int:
        return len(self._items)


def _size(item: Item) -> int:
    return len(item.heard.payload) if isinstance(item.heard, Frame) else 0
