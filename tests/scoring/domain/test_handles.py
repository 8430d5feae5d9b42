"""Whom links name: only accounts, groups and invitations themselves, on the networks' own hosts."""

import pytest

from scoring.domain.handles import name_in, names


@pytest.mark.parametrize(
    ("network", "url", "name"),
    [
        ("twitter", "https://x.com/a_coin", "a_coin"),
        ("twitter", "https://TWITTER.com/@A_Coin/?lang=en", "A_Coin"),
        ("twitter", "https://mobile.twitter.com/a_coin#top", "a_coin"),
        ("twitter", "https://x.com/elonmusk/status/2073059206853279991?s=20", None),
        ("twitter", "https://x.com/i/communities/1966045657589813686", None),
        ("twitter", "https://x.com/search?q=coin", None),
        ("twitter", "https://x.com/home", None),
        ("twitter", "https://x.com.evil.example/a_coin", None),
        ("twitter", "https://evil.example/x.com/a_coin", None),
        ("twitter", "https://x.com:8443/a_coin", None),
        ("twitter", "https://a@x.com/a_coin", None),
        ("twitter", "https://\u0445.com/a_coin", None),
        ("twitter", "ipfs://x.com/a_coin", None),
        ("twitter", "javascript:alert(1)", None),
        ("twitter", "https://x.com/a_name_that_is_too_long", None),
        ("telegram", "https://t.me/a_coin", "a_coin"),
        ("telegram", "https://t.me/s/a_coin", "a_coin"),
        ("telegram", "https://t.me/+AbCdEfGhIjKl", None),
        ("telegram", "https://t.me/joinchat", None),
        ("telegram", "https://t.me/a_coin/1234", None),
        ("telegram", "https://t.me/../internal", None),
        ("discord", "https://discord.gg/qaQa6M6mN2", "qaQa6M6mN2"),
        ("discord", "https://discord.com/invite/a-coin", "a-coin"),
        ("discord", "https://discord.com/channels", None),
        ("discord", "https://discord.com/a-coin", None),
        ("discord", "https://discord.gg/a%2e%2e", None),
        ("discord", "http://169.254.169.254/invite/a", None),
        ("discord", None, None),
        ("discord", "", None),
    ],
)
def test_a_link_names_whom_it_leads_to(network: str, url: str | None, name: str | None) -> None:
    """Not somebody's post, not a look-alike host, not a road to somewhere else."""
    assert name_in(network, url) == name


def test_the_first_that_names_anybody_is_believed() -> None:
    """A token's own links before those of a listing, network by network."""
    own = {"twitter": "https://x.com/someone/status/1", "telegram": "https://t.me/own_group", "discord": None}
    listed = {
        "twitter": "https://x.com/listed",
        "telegram": "https://t.me/listed_group",
        "website": "https://x.com/site",
    }
    assert names(own, listed) == {"telegram": "own_group", "twitter": "listed"}
    assert names({}, {}) == {}
