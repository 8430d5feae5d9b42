"""Which addresses of the internet are anybody's: what strangers name is looked up by us, and connected to only there."""

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from megatron.clients.errors import Refused, TryLater

Address = IPv4Address | IPv6Address
Resolve = Callable[[str], Sequence[str]]
"""Return the IP addresses of a host name. Raises ``OSError``."""

_NOT_OURS = (
    # What ipaddress.is_global lets through, or lets through in some versions.
    IPv4Network("192.88.99.0/24"),  # relays from IPv6
    IPv6Network("::/96"),  # IPv4 in old clothes
    IPv6Network("::ffff:0:0/96"),  # IPv4 in new clothes
    IPv6Network("64:ff9b::/96"),  # NAT64, behind which any IPv4 address may stand
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2001::/32"),  # Teredo
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("fec0::/10"),  # site-local
)
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_LOCAL = ("localhost", "local", "internal", "lan", "home", "corp", "intranet", "onion", "test", "invalid")


def resolve(host: str) -> Sequence[str]:
    """Return the addresses of ``host``, IPv4 first. Raises ``OSError``."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return sorted({str(entry[4][0]) for entry in found}, key=lambda address: (":" in address, address))


def is_public(address: Address) -> bool:
    """Say whether ``address`` belongs to the public internet and to one host there."""
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address.version == network.version and address in network for network in _NOT_OURS)


def host_name(host: str) -> str:
    """Return ``host`` in ASCII and lower case. Raises :class:`Refused` for what is no public host.

    An IP address in any but its canonical form (decimal, octal, hexadecimal, shortened) is refused: what one reader
    takes for a name another takes for ``127.0.0.1``.
    """
    try:
        name = host.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise Refused(f"{host[:100]!r} is no host name") from None
    try:
        ip_address(name)
        return name
    except ValueError:
        pass
    labels = name.split(".")
    if len(labels) < 2 or labels[-1] in _LOCAL or len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise Refused(f"{name[:100]!r} is no public host name")
    if _NUMBER.fullmatch(labels[-1]):
        raise Refused(f"{name[:100]!r} is an address in disguise")
    return name


def public_addresses(host: str, *, look_up: Resolve, permits: Callable[[Address], bool] = is_public) -> Sequence[str]:
    """Return where to connect for ``host``. Raises :class:`Refused` if any of its addresses is not public, and
    :class:`TryLater` when it has none now."""
    try:
        found = [ip_address(address.split("%")[0]) for address in ([host] if _is_address(host) else look_up(host))]
    except OSError as error:
        raise TryLater(f"{host} could not be resolved: {error}") from None
    if not found:
        raise TryLater(f"{host} has no address")
    for address in found:
        if not permits(address):
            raise Refused(f"{host} leads to {address}, which is not a public address")
    return [str(address) for address in found]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
