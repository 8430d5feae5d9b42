"""Where a request came from, as one name for whoever could have sent it."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from django.conf import settings

_NAT64 = IPv6Network("64:ff9b::/96")
_NETWORK_BITS = 64
"""What one customer gets at least: he has all its addresses, and takes a new one for each request."""


def address_of(request: Any) -> str:
    """Return the address that ``request`` came from: IPv4 as it is, whatever it is wrapped in, and of IPv6 its /64
    network (``2001:db8:0:1::/64``). ``X-Forwarded-For`` is believed only as far as ``TRUSTED_PROXIES`` says, and a hop
    that is no address is not believed at all. Empty when the server does not know."""
    direct = str(request.META.get("REMOTE_ADDR", ""))
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = hops[-min(proxies, len(hops))] if proxies and hops else ""
    found = _read(forwarded) or _read(direct)
    if found is None:
        return direct[:100]
    return str(found) if found.version == 4 else str(IPv6Network(f"{found}/{_NETWORK_BITS}", strict=False))


def is_this_machine(request: Any) -> bool:
    """Return whether the peer of the connection is this machine: a proxy here, if there is one, or the caller himself."""
    found = _read(str(request.META.get("REMOTE_ADDR", "")))
    return found is not None and found.is_loopback


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in ``text``, which may carry a port or a zone; ``None`` for anything else."""
    host = text[:100].partition("%")[0]
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ip_address(host)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _NAT64:
            return IPv4Address(int(found) & 0xFFFF_FFFF)
    return found
