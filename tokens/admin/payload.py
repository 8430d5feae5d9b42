"""A rejected message's bytes as a person can look at them: text when they are text, else a hex dump."""

from dataclasses import dataclass

HEAD_BYTES = 4096
"""How much of a message is read for looking at; the whole may be many megabytes."""

_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Preview:
    """``text`` is plain text to be escaped by whoever shows it; ``kind`` is ``UTF-8`` or ``hex``."""

    kind: str
    text: str
    shown_bytes: int
    size_bytes: int

    @property
    def is_cut(self) -> bool:
        """Tell whether there is more than is shown."""
        return self.shown_bytes < self.size_bytes


def preview(head: bytes, *, size_bytes: int) -> Preview:
    """Return what to show of a message that starts with ``head`` and has ``size_bytes`` in all."""
    text = _as_text(head, is_whole=len(head) == size_bytes)
    if text is not None:
        return Preview("UTF-8", text, len(head), size_bytes)
    short = head[:1024]
    return Preview("hex", "\n".join(_lines(short)), len(short), size_bytes)


def _as_text(head: bytes, *, is_whole: bool) -> str | None:
    """Return ``head`` as text if it is, without a last character that the cut split; control characters are no text."""
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if is_whole or error.start < len(head) - 3:
            return None
        text = head[: error.start].decode()
    return text if all(character.isprintable() or character in "\n\r\t" for character in text) else None


def _lines(data: bytes) -> list[str]:
    lines = []
    for start in range(0, len(data), _WIDTH):
        part = data[start : start + _WIDTH]
        signs = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<{_WIDTH * 3 - 1}}  {signs}")
    return lines
