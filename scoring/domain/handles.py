"""Whom a token's links name: bare names on the networks, from addresses that strangers wrote.

A link counts only when it leads to an account, a group or an invitation itself. One to somebody's post or to a search names
nobody: a token that points at a famous person's post is not followed by that person's followers.
"""

import re
from collections.abc import Mapping
from typing import Final

from tokens.domain.metadata import safe_url

_ADDRESS: Final = re.compile(r"https?://(?P<host>[^/?#]+)(?P<road>(?:/[^?#]*)?)")
NETWORKS: Final = ("twitter", "telegram", "discord")
_HOSTS: Final = {
    "twitter": ("x.com", "twitter.com", "www.x.com", "www.twitter.com", "mobile.twitter.com", "mobile.x.com"),
    "telegram": ("t.me", "www.t.me", "telegram.me", "telegram.dog"),
    "discord": ("discord.gg", "www.discord.gg", "discord.com", "www.discord.com", "discordapp.com"),
}
_ROADS: Final = {
    "twitter": re.compile(r"/@?([A-Za-z0-9_]{1,15})/?", re.ASCII),
    "telegram": re.compile(r"/(?:s/)?@?([A-Za-z][A-Za-z0-9_]{4,31})/?", re.ASCII),
    "discord": re.compile(r"/(?:invite/)?([A-Za-z0-9-]{2,64})/?", re.ASCII),
}
_NOBODY: Final = {
    "twitter": {"home", "i", "search", "explore", "intent", "share", "hashtag", "settings", "messages", "login"},
    "telegram": {"joinchat", "share", "addstickers", "proxy", "socks", "iv", "addtheme", "boost"},
    "discord": {"invite", "channels", "login", "register", "servers", "download", "app"},
}


def name_in(network: str, url: str | None) -> str | None:
    """Return the account, group or invitation of ``network`` to which ``url`` leads itself; ``None`` for anything else."""
    parts = _ADDRESS.match(safe_url(url) or "") if url else None
    if parts is None or parts["host"] not in _HOSTS[network]:
        return None
    found = _ROADS[network].fullmatch(parts["road"])
    if found is None or found[1].lower() in _NOBODY[network]:
        return None
    # An invitation stands alone at discord.gg, and behind its word elsewhere.
    if network == "discord" and not parts["host"].endswith("discord.gg") and not parts["road"].startswith("/invite/"):
        return None
    return found[1]


def names(*links: Mapping[str, str | None]) -> dict[str, str]:
    """Return whom ``links`` name by network; the first of them that names anybody is believed."""
    found: dict[str, str] = {}
    for said in links:
        for network in NETWORKS:
            if network not in found and (name := name_in(network, said.get(network))) is not None:
                found[network] = name
    return found
