"""Where a document that is named by its content can be read over HTTP."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from megatron.clients.errors import Refused

_CID = r"Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{20,}|z[1-9A-HJ-NP-Za-km-z]{20,}|f[0-9a-f]{20,}"
_IPFS = re.compile(rf"(?:ipfs/)?(?P<content>(?:{_CID})(?:[/?].*)?)")
_GATEWAY = re.compile(rf"/ipfs/(?P<content>(?:{_CID})(?:/.*)?)")
_SUBDOMAIN = re.compile(r"(?P<cid>b[a-z2-7]{20,})\.ipfs\.[a-z0-9.-]+")
_ARWEAVE = re.compile(r"[A-Za-z0-9_-]{43}(?:[/?].*)?")
_MARK = "/ipfs/"


def addresses(uri: str, gateways: Sequence[str]) -> Sequence[str]:
    """Return the addresses at which to look for ``uri``, in the order to try. Raises :class:`Refused` for a scheme that is
    not read.

    ``gateways`` are beginnings of addresses; one that ends in ``/ipfs/`` serves IPFS, any other Arweave. A document that
    somebody else's gateway serves is asked of ours first, and of that one last.
    """
    text = uri.strip()
    scheme, separator, rest = text.partition("://")
    if not separator or any(ord(ch) <= 32 or ord(ch) == 127 for ch in text):
        raise Refused("The URI is no address")
    match scheme.lower():
        case "ipfs":
            found = _IPFS.fullmatch(rest)
            if found is None:
                raise Refused("The ipfs URI names no content")
            return [gateway + found["content"] for gateway in gateways if gateway.endswith(_MARK)]
        case "ar":
            if not _ARWEAVE.fullmatch(rest):
                raise Refused("The ar URI names no transaction")
            return [gateway + rest for gateway in gateways if not gateway.endswith(_MARK)]
        case "http" | "https":
            return [*_through_ours(text, gateways), text]
    raise Refused(f"{scheme[:20]!r} addresses are not read")


def _through_ours(address: str, gateways: Sequence[str]) -> list[str]:
    """Return where our gateways have what a gateway's address names; nothing for any other address."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        raise Refused("The URI is no address") from None
    content = None
    if (served := _GATEWAY.fullmatch(parts.path)) is not None:
        content = served["content"]
    elif (named := _SUBDOMAIN.fullmatch(host)) is not None:
        content = named["cid"] + parts.path
    if content is None:
        return []
    found = [gateway + content for gateway in gateways if gateway.endswith(_MARK)]
    return [other for other in found if other != address]
