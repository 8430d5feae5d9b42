"""Names that strangers chose, made safe to show."""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}  # control, format (bidi overrides, zero width), private use, surrogates


def sanitised(text: str, limit: int) -> str:
    """Return ``text`` without control, bidirectional and invisible characters, single-spaced, cut at ``limit``."""
    visible = "".join(
        " " if ch.isspace() else ch for ch in text if ch.isspace() or unicodedata.category(ch) not in _HIDDEN
    )
    return " ".join(visible.split())[:limit].rstrip()
