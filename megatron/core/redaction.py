"""What must never be written down: secrets in addresses, headers, settings and words."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"
_SHORTEST = 8
"""A secret shorter than this is not looked for in text: too much would be hidden with it."""

_NAMES = (
    r"api[-_]?key|access[-_]?key|x[-_]token|[a-z_-]*token|[a-z_-]*secret(?:[-_]key)?|[a-z_-]*passw(?:or)?d|passphrase|"
    r"private[-_]?key|authorization|cookie|set-cookie|credentials?|keypair|mnemonic|seed[-_]phrase"
)
_SECRET_NAME = re.compile(rf"(?:.*[-_.])?(?:{_NAMES})", re.IGNORECASE)
# Words about a secret that hold none: counting or naming tokens is this house's daily work.
_HARMLESS_NAME = re.compile(r"token|tokens|token_address|.*_token|whole_token", re.IGNORECASE)
_SECRET_TOKEN_NAME = re.compile(
    r"(?:access|auth|bearer|csrf|csrfmiddleware|metrics|refresh|session|x)[-_]?token", re.IGNORECASE
)

_PATTERNS = (
    # user:password@ in any address
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.-]*://)[^/\s@\"'<>]*@", re.IGNORECASE), rf"\g<keep>{HIDDEN}@"),
    # Authorization: Bearer …; before the names, which would take the scheme for the secret
    (
        re.compile(r"(?P<keep>\b(?:Api-Key|Bearer|Basic|Token)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\g<keep>{HIDDEN}",
    ),
    # ?api-key=… and the like, in addresses and in forms
    (
        re.compile(rf"(?P<keep>(?<![a-z0-9])(?:{_NAMES})=)[^&\s\"'<>#]+", re.IGNORECASE),
        rf"\g<keep>{HIDDEN}",
    ),
    # "password": "…" in JSON and in what Python prints
    (
        re.compile(rf"(?P<keep>[\"'](?:{_NAMES})[\"']\s*:\s*)(?P<quote>[\"']).*?(?P=quote)", re.IGNORECASE),
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
        """Return ``value`` with every secret hidden."""
        if self._known is not None:
            value = self._known.sub(HIDDEN, value)
        for pattern, replacement in _PATTERNS:
            value = pattern.sub(replacement, value)
        return value

    def anything(self, value: Any) -> Any:
        """Return ``value`` as something that may be logged: secrets hidden at any depth, objects as their text."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", "replace"))
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): HIDDEN if is_secret(str(name)) else self.anything(item)
                for name, item in value.items()
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.anything(item) for item in value]
        return self.text(str(value))


def is_secret(name: str) -> bool:
    """Return whether what is called ``name`` is a secret by its name."""
    if _SECRET_TOKEN_NAME.fullmatch(name):
        return True
    return _SECRET_NAME.fullmatch(name) is not None and _HARMLESS_NAME.fullmatch(name) is None
