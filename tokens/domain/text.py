"""Names that strangers chose, made safe to show."""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}  # control, format (bidi overrides, zero width), private use, surrogates


def sanitised(text: str, limit: int) -> str:
    """Return ``text`` without control, bidirectional and invisible characters, single-spaced, cut at ``limit``."""
    visible = "".join(
        " " if ch.isspace() else ch for ch in text if ch.isspace() or unicodedata.category(ch) not in _HIDDEN
    )
    return " ".join(visible.split())[:limit].rstrip()


def storable(text: str, limit: int) -> str:
    """Return ``text`` as a text column takes it, whatever it holds: NUL and lone surrogates escaped, cut at ``limit``."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()[:limit]
