"""What must never be written down: secrets in addresses, headers, settings and words.

Strangers choose what is read here, so no pattern may look at a stretch of text twice: each begins where a word begins or at
a mark that its own stretch cannot hold. ``tests/backtracking.py`` proves it of every pattern in the house.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

HIDDEN = "[hidden]"
LONGEST_TEXT = 2_000
"""Characters of one value that are written down."""
LONGEST_TRACE = 20_000
"""Characters of a traceback that are written down."""
MOST_ITEMS = 100
"""Items of one list or mapping that are written down."""
DEEPEST = 8
"""Levels of lists in lists that are written down."""
_SHORTEST = 8
"""A secret shorter than this is not looked for in text: too much would be hidden with it."""

_TRACES = ("exception", "stack")
_LONGEST_NAME = 40
"""No secret's name is longer: of a longer one the end is read."""

# A name is a secret's by its end; only the first of these may stand behind any letters.
_ENDS = r"token|secret(?:[-_]key)?|passw(?:or)?d"
_WORDS = (
    r"api[-_]?key|access[-_]?key|passphrase|private[-_]?key|authorization|cookie|credentials?|keypair|mnemonic|"
    r"seed[-_]phrase"
)
_SECRET_END = re.compile(rf"(?:{_ENDS}|(?:^|[-_.])(?:{_WORDS}))$", re.IGNORECASE)
# Words about a secret that hold none: counting or naming tokens is this house's daily work.
_HARMLESS_END = re.compile(r"(?:^|_)token$", re.IGNORECASE)
_SECRET_TOKEN_END = re.compile(
    r"(?:^|[-_.])(?:access|api|auth|bearer|bot|csrf|csrfmiddleware|metrics|refresh|session|x|yellowstone)[-_]?token$",
    re.IGNORECASE,
)

_NAME = rf"(?:[\w.-]*(?:{_ENDS})|(?:[\w.-]*[-_.])?(?:{_WORDS}))"
# To the next quotation mark without a backslash before it, or to the end.
_DOUBLE, _SINGLE = r'"(?:[^"]|(?<=\\)")*"?', r"'(?:[^']|(?<=\\)')*'?"

_PATTERNS = (
    # user:password@ in any address; to the last @, for a password may hold one
    (re.compile(r"(?<=[A-Za-z0-9+.-])://[^/\s\"'<>]*@"), f"://{HIDDEN}@"),
    # Authorization: Bearer …; before the names, which would take the scheme for the secret
    (
        re.compile(r"(?P<keep>\b(?:Api-Key|Bearer|Basic|Token)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\g<keep>{HIDDEN}",
    ),
    # ?api-key=… and the like, in addresses, in forms and in calls
    (
        re.compile(rf"(?P<keep>(?<![\w.-]){_NAME}=)(?:{_DOUBLE}|{_SINGLE}|[^&\s\"'<>#]+)", re.IGNORECASE | re.ASCII),
        rf"\g<keep>{HIDDEN}",
    ),
    # "password": "…" in JSON and in what Python prints
    (
        re.compile(rf"(?P<keep>(?<=[\"']){_NAME}[\"']\s*:\s*)b?(?:{_DOUBLE}|{_SINGLE})", re.IGNORECASE | re.ASCII),
        rf'\g<keep>"{HIDDEN}"',
    ),
    # our own keys, wherever they stand
    (re.compile(r"\b(?P<keep>mgt_[0-9a-f]{8})_[A-Za-z0-9_-]{20,}"), rf"\g<keep>_{HIDDEN}"),
)


class Redactor:
    """Hides secrets by their names, by their shape, and those that are known by their value."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        # The longest first, so that no end of one is left behind by a shorter one.
        worth = sorted({secret for secret in known if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, worth))) if worth else None

    def text(self, value: str) -> str:
        """Return ``value`` with every secret hidden, in work that grows as its length does."""
        if self._known is not None:
            value = self._known.sub(HIDDEN, value)
        for pattern, replacement in _PATTERNS:
            value = pattern.sub(replacement, value)
        return value

    def anything(self, value: Any, *, longest: int = LONGEST_TEXT, _deep: int = 0) -> Any:
        """Return ``value`` as something that may be logged: secrets hidden at any depth, objects as their text, each text
        cut to ``longest`` characters, each collection to :data:`MOST_ITEMS`."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return self._collection(value, longest, _deep + 1) if _deep < DEEPEST else "…"
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        # Hidden before it is cut: half a secret is no longer known for one.
        return cut(self.text(str(value)), longest)

    def _collection(self, value: Any, longest: int, deep: int) -> Any:
        more = len(value) - MOST_ITEMS
        if isinstance(value, Mapping):
            found = {
                cut(self.text(str(name)), LONGEST_TEXT): HIDDEN
                if is_secret(str(name))
                else self.anything(item, longest=LONGEST_TRACE if name in _TRACES else longest, _deep=deep)
                for name, item in islice(value.items(), MOST_ITEMS)
            }
            return found if more <= 0 else {**found, "…": f"{more} more"}
        items = [self.anything(item, longest=longest, _deep=deep) for item in islice(value, MOST_ITEMS)]
        return items if more <= 0 else [*items, f"… {more} more"]


def cut(text: str, longest: int) -> str:
    """Return ``text`` in at most about ``longest`` characters: its beginning and its end, and how many were between."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} … {len(text) - 2 * half} characters left out … {text[-half:]}"


def is_secret(name: str) -> bool:
    """Return whether what is called ``name`` is a secret by its name."""
    end = name[-_LONGEST_NAME:]
    if _SECRET_TOKEN_END.search(end):
        return True
    return _SECRET_END.search(end) is not None and _HARMLESS_END.search(end) is None
