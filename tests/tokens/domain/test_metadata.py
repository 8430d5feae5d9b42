"""What strangers' documents become."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.domain.metadata import DESCRIPTION_CHARS, DOCUMENT_BYTES, URL_CHARS, NotMetadata, parse, safe_url


def said(**fields: object) -> bytes:
    """Return a document."""
    return json.dumps(fields).encode()


def test_a_usual_document_is_read_whole() -> None:
    """Name, symbol, description, picture and links come out as they stand in the document."""
    fields = {
        "name": "Coin",
        "symbol": "COIN",
        "description": "A coin.",
        "image": "https://ipfs.io/ipfs/QmPicture",
        "twitter": "https://x.com/coin",
        "telegram": "https://t.me/coin",
        "website": "https://coin.example/start?a=1",
        "discord": "https://discord.gg/abc",
    }
    found = parse(said(**fields))
    assert (found.name, found.symbol, found.description) == ("Coin", "COIN", "A coin.")
    assert (found.image_url, found.website) == (fields["image"], fields["website"])
    assert (found.twitter, found.telegram, found.discord) == (fields["twitter"], fields["telegram"], fields["discord"])
    assert found.raw == fields


@pytest.mark.parametrize("inside", ["extensions", "properties", "links", "socials"])
def test_links_inside_known_objects_are_found(inside: str) -> None:
    """Launchpads that put links one level deeper are understood."""
    found = parse(said(**{inside: {"twitter": "@coin", "telegram": "coin_group", "website": "coin.example"}}))
    assert (found.twitter, found.telegram) == ("https://x.com/coin", "https://t.me/coin_group")
    assert found.website == "https://coin.example"


def test_markup_is_just_text() -> None:
    """A script in a name is stored as the characters it consists of."""
    found = parse(said(name="<script>alert(1)</script>", description="=cmd|' /C calc'!A0"))
    assert (found.name, found.description) == ("<script>alert(1)</script>", "=cmd|' /C calc'!A0")


def test_hidden_characters_are_removed_and_look_alikes_kept_apart() -> None:
    """Bidirectional and invisible characters go; a Cyrillic letter is not turned into the Latin one that it resembles."""
    found = parse(said(name="US\u202eDC\u200b", symbol="\u0405OL\0", website="https://s\u043elana.com/"))
    assert (found.name, found.symbol) == ("USDC", "\u0405OL")
    assert found.website == "https://xn--slana-jye.com/"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "//evil.example/x",
        "https://user:secret@evil.example/",
        "https://t.me@evil.example/",
        "https://evil.example\\@t.me/",
        "file:///etc/passwd",
        "https://",
        "https://localhost/",
        "ftp://coin.example/",
        "https://" + "a" * URL_CHARS + ".example/",
        "https://a..example/",
        "https://[::1]/",
    ],
)
def test_what_is_no_public_link_is_left_out(url: str) -> None:
    """Only http(s) and ipfs addresses without credentials and with a host name become links."""
    assert safe_url(url) is None
    assert parse(said(website=url, image=url)).website is None


@pytest.mark.parametrize(
    "url", ["https://t.me.evil.example/coin", "https://evil.example/?x.com", "https://notx.com/coin", "ipfs://x.com/y"]
)
def test_a_social_link_leads_to_its_own_network(url: str) -> None:
    """A link to anywhere else is not taken for the network's."""
    found = parse(said(twitter=url, telegram=url, discord=url))
    assert (found.twitter, found.telegram, found.discord) == (None, None, None)


def test_ipfs_pictures_are_links() -> None:
    """A picture may be named by its content."""
    assert parse(said(image="ipfs://QmPicture/1.png")).image_url == "ipfs://QmPicture/1.png"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"<html></html>",
        b'{"name": "x"',
        b'{"name": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"a": 1e999}',
    ],
)
def test_what_is_no_document_is_refused(body: bytes) -> None:
    """Other JSON, pages, broken text and deep nesting are no metadata."""
    with pytest.raises(NotMetadata):
        parse(body)


def test_fields_of_other_types_say_nothing() -> None:
    """Numbers, lists and null where text is expected leave the field unknown."""
    found = parse(said(name=7, symbol=["A"], description=None, image={"a": 1}, twitter=False))
    assert (found.name, found.symbol, found.description, found.image_url, found.twitter) == (None,) * 5


def test_long_texts_are_cut_and_a_large_document_is_not_kept() -> None:
    """Each field keeps to its limit; a document above 64 KiB is read but not stored whole."""
    found = parse(said(name="n" * 500, symbol="s" * 500, description="d" * DOCUMENT_BYTES))
    assert (found.name, found.symbol, found.description) == ("n" * 100, "s" * 32, "d" * DESCRIPTION_CHARS)
    assert found.raw is None


def test_numbers_that_would_grow_are_kept_as_text() -> None:
    """PostgreSQL would write such a number with all its zeros."""
    assert parse(b'{"a": 1e300, "b": 1.5}').raw == {"a": "1e+300", "b": 1.5}


def test_nul_is_escaped() -> None:
    """JSONB cannot hold NUL; the document keeps it in words."""
    assert parse(b'{"a\\u0000": "b\\u0000"}').raw == {"a\\0": "b\\0"}


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(lambda v: repr(v).encode())
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No bytes raise anything but the refusal."""
    try:
        found = parse(body)
    except NotMetadata:
        return
    assert found.raw is not None


@given(st.text(max_size=60))
def test_a_safe_url_stays_what_it_is(text: str) -> None:
    """What was found safe once is found safe again, unchanged."""
    url = safe_url(text)
    assert url is None or safe_url(url) == url


@given(st.text(alphabet="htps:/.@x\\[]#?é1a", max_size=30).map(lambda t: "https://" + t))
def test_a_safe_url_names_one_plain_host(text: str) -> None:
    """Nothing but letters, digits, dots and dashes stands between the slashes and the path."""
    url = safe_url(text)
    assert url is None or set(url.split("/")[2].split("?")[0].split("#")[0]) <= set(
        "htpsxa1n0b9c2d3e4f5g6i7j8klmoqruvwyz.-:"
    )
