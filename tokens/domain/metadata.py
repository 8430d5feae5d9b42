"""What a token's document says: names, picture and links that strangers wrote, cut to size and made safe to show."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tokens.domain.text import sanitised

NAME_CHARS: Final = 100
SYMBOL_CHARS: Final = 32
DESCRIPTION_CHARS: Final = 2_000
URL_CHARS: Final = 500
DOCUMENT_BYTES: Final = 64 << 10
"""A larger document is read, but not kept whole."""

_DEPTH: Final = 32
"""How deep a document may be nested; the real ones have three levels."""

_HOSTS: Final = {
    "twitter": ("x.com", "twitter.com"),
    "telegram": ("t.me", "telegram.me", "telegram.dog"),
    "discord": ("discord.gg", "discord.com", "discordapp.com"),
}
_HANDLES: Final = {
    "twitter": (re.compile(r"@?([A-Za-z0-9_]{1,15})", re.ASCII), "https://x.com/"),
    "telegram": (re.compile(r"@?([A-Za-z][A-Za-z0-9_]{4,31})", re.ASCII), "https://t.me/"),
}
_NAMES: Final = {
    "image_url": ("image", "image_url", "imageUrl", "image_uri", "logo", "logoURI"),
    "twitter": ("twitter", "x", "twitter_url"),
    "telegram": ("telegram", "telegram_url"),
    "website": ("website", "external_url", "externalUrl", "web", "url"),
    "discord": ("discord", "discord_url"),
}
_INSIDE: Final = ("extensions", "properties", "links", "socials", "social")
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?|ipfs|ar)://(?P<host>[^/?#:@]+)(?P<port>:\d{1,5})?(?P<rest>[/?#].*)?", re.IGNORECASE
)
_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)


class NotMetadata(ValueError):
    """The document is no JSON object that could describe a token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """A token's document. ``None`` where it says nothing, or nothing that may be shown."""

    name: str | None = None
    symbol: str | None = None
    description: str | None = None
    image_url: str | None = None
    twitter: str | None = None
    telegram: str | None = None
    website: str | None = None
    discord: str | None = None
    raw: dict[str, Any] | None = None
    """The whole document, storable as JSONB; ``None`` when it is larger than :data:`DOCUMENT_BYTES`."""


def parse(body: bytes) -> Metadata:
    """Return what the bytes of a document say. Raises :class:`NotMetadata`.

    Names and description lose control, bidirectional and invisible characters; mark-up stays what it is, text. Links are
    http(s) or ipfs with their host in ASCII (so that a look-alike letter shows as ``xn--``); a social link must lead to
    that network's own host.
    """
    try:
        said = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
        document = _storable(said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotMetadata(f"The document is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise NotMetadata("The document is JSON, but not an object")
    found = list(_levels(said))
    # As PostgreSQL writes it out, which is what its rule counts.
    kept = len(json.dumps(document, ensure_ascii=False).encode()) <= DOCUMENT_BYTES
    return Metadata(
        name=_text(said, "name", NAME_CHARS),
        symbol=_text(said, "symbol", SYMBOL_CHARS),
        description=_text(said, "description", DESCRIPTION_CHARS),
        image_url=_first(found, "image_url"),
        twitter=_first(found, "twitter"),
        telegram=_first(found, "telegram"),
        website=_first(found, "website"),
        discord=_first(found, "discord"),
        raw=document if kept else None,
    )


def safe_url(text: str) -> str | None:
    """Return ``text`` as an address that may be shown as a link, its host in ASCII; ``None`` for any other text."""
    clean = "".join(text.split())
    if len(clean) > URL_CHARS or clean != sanitised(clean, URL_CHARS) or "\\" in clean:
        return None
    parts = _ADDRESS.fullmatch(clean)
    if parts is None:
        return None
    scheme, host, rest = parts["scheme"].lower(), parts["host"], parts["rest"] or ""
    if scheme in ("http", "https"):
        try:
            host = host.encode("idna").decode().lower()
        except UnicodeError:
            return None
        if not _HOST.fullmatch(host):
            return None
    address = f"{scheme}://{host}{parts['port'] or ''}{rest}"
    return address if len(address) <= URL_CHARS else None


def _levels(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the document and the objects in it that are known to hold links."""
    yield document
    for key in _INSIDE:
        if isinstance(document.get(key), dict):
            yield document[key]


def _text(document: dict[str, Any], key: str, limit: int) -> str | None:
    value = document.get(key)
    return sanitised(value, limit) or None if isinstance(value, str) else None


def _first(levels: list[dict[str, Any]], kind: str) -> str | None:
    for level in levels:
        for name in _NAMES[kind]:
            value = level.get(name)
            if isinstance(value, str) and (url := _link(kind, value.strip())) is not None:
                return url
    return None


def _link(kind: str, value: str) -> str | None:
    if kind in _HANDLES:
        pattern, prefix = _HANDLES[kind]
        if (handle := pattern.fullmatch(value)) is not None:
            return prefix + handle[1]
    url = safe_url(value if "://" in value or not value or "." not in value else f"https://{value}")
    if url is None or kind == "image_url":
        return url
    if not url.startswith("http"):
        return None
    if kind not in _HOSTS:
        return url
    host = url.split("/")[2].split(":")[0]
    return url if any(host == own or host.endswith(f".{own}") for own in _HOSTS[kind]) else None


def _storable(value: Any, depth: int = 0) -> Any:
    """Return ``value`` as JSONB takes it: without NUL and lone surrogates. Raises ``RecursionError`` beyond our depth."""
    if depth > _DEPTH:
        raise RecursionError(f"nested deeper than {_DEPTH} levels")
    if isinstance(value, str):
        return value.replace("\0", "\\0").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(key, depth): _storable(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner, depth + 1) for inner in value]
    # PostgreSQL writes 1e300 with all its digits: five bytes of a document must not become three hundred of ours.
    return repr(value) if isinstance(value, float) and "e" in repr(value) else value
