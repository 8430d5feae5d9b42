from typing import Any

import pytest
from django.core.cache import cache
from django.test import RequestFactory

from megatron.core.visitors import address_of, is_this_machine


def request(address: str, forwarded: str | None = None) -> Any:
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return RequestFactory().get("/", REMOTE_ADDR=address, **headers)


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("::FFFF:cb00:7105", "203.0.113.5"),
        ("64:ff9b::203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_shield_09_a_network_of_ipv6_is_one_address(written: str, taken: str) -> None:
    """However it is written: an IPv6 address counts as its /64, a wrapped IPv4 address as itself."""
    assert address_of(request(written)) == taken


@pytest.mark.parametrize(
    ("hop", "taken"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("unknown", "10.0.0.1"),
        ("a" * 5_000, "10.0.0.1"),
    ],
)
def test_shield_09_a_hop_is_read_and_one_that_is_no_address_is_not_believed(
    hop: str, taken: str, settings: Any
) -> None:
    """With its port, in brackets; words that somebody made up open no account of their own."""
    settings.TRUSTED_PROXIES = 1
    assert address_of(request("10.0.0.1", f"192.0.2.1, {hop}")) == taken


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_shield_09_this_machine_is_known_in_every_form(address: str, here: bool) -> None:
    assert is_this_machine(request(address)) is here


@pytest.mark.django_db
def test_shield_09_callers_without_a_key_share_the_limit_of_their_network(client: Any, settings: Any) -> None:
    """Who takes another address of his /64 for each request is stopped all the same."""
    settings.API_ANONYMOUS_READ, settings.API_ANONYMOUS_RATE = True, 3
    cache.clear()
    answers = [
        client.get("/api/v1/tokens/", REMOTE_ADDR=f"2001:db8:1:2::{number}").status_code for number in range(1, 6)
    ]
    assert answers == [200, 200, 200, 429, 429]
    assert client.get("/api/v1/tokens/", REMOTE_ADDR="2001:db8:1:3::1").status_code == 200
