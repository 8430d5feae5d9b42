from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from megatron import clients
from megatron.clients import registry
from megatron.clients.pumpportal import PumpPortal
from megatron.clients.registry import NotConfigured
from megatron.clients.solana_rpc import SolanaRpc


class Silent:
    """A chain on which nothing happens."""

    def get_transaction(self, signature: str) -> bytes | None:
        return None

    def get_block_time(self, slot: int) -> datetime | None:
        return None


def test_the_chain_is_read_where_the_settings_say(settings: Any) -> None:
    """One reader an address, as its budget is counted in it."""
    settings.SOLANA_RPC_URL, settings.SOLANA_RPC_PER_SECOND = "https://rpc.example.com", 5.0
    chain = clients.chain()
    assert isinstance(chain, SolanaRpc)
    assert clients.chain() is chain


def test_without_an_address_it_is_said_what_to_set(settings: Any) -> None:
    """Nothing is asked of anybody by default."""
    settings.SOLANA_RPC_URL = ""
    with pytest.raises(NotConfigured, match="set SOLANA_RPC_URL"):
        clients.chain()


def test_a_test_puts_its_own_in_place(settings: Any) -> None:
    """The innermost answers, and afterwards all is as before, whatever happened inside."""
    settings.SOLANA_RPC_URL = ""
    outer, inner = Silent(), Silent()
    with clients.override(chain=outer):
        with suppress(ZeroDivisionError), clients.override(chain=inner):
            assert clients.chain() is inner
            raise ZeroDivisionError
        assert clients.chain() is outer
    with pytest.raises(NotConfigured):
        clients.chain()


def test_a_price_source_without_what_it_needs_is_left_out_and_says_why(settings: Any) -> None:
    """Jupiter answers without a key; the others, and names that nobody knows, are left out with the reason."""
    settings.PRICE_SOURCES = ["hermes", "jupiter", "oracle"]
    settings.HERMES_API_KEY = settings.JUPITER_API_KEY = settings.BIRDEYE_API_KEY = ""
    assert [source.name for source in clients.price_sources()] == ["jupiter"]
    assert clients.unused_price_sources() == {
        "hermes": "Hermes answers nobody without a key: set HERMES_API_KEY.",
        "oracle": "Nobody knows a source of this name.",
        "birdeye": "It is not named in PRICE_SOURCES.",
    }
    assert list(clients.price_histories()) == []


def test_price_sources_are_asked_in_the_order_of_the_setting(settings: Any) -> None:
    """With their keys all three answer, two of them for the past too; each is made once, as its budget is counted in it."""
    settings.PRICE_SOURCES = ["birdeye", "hermes", "jupiter"]
    settings.HERMES_API_KEY = settings.BIRDEYE_API_KEY = "some-key-or-other"
    assert [source.name for source in clients.price_sources()] == ["birdeye", "hermes", "jupiter"]
    assert [source.name for source in clients.price_histories()] == ["birdeye", "hermes"]
    assert clients.price_sources()[0] is clients.price_sources()[0]
    with clients.override(prices=[], histories=[]):
        assert (list(clients.price_sources()), list(clients.price_histories())) == ([], [])


def test_streams_are_listened_to_by_their_names(settings: Any) -> None:
    """In the order of the setting or of what was asked for, each once, with the settings' commitment."""
    settings.SOLANA_WS_URL, settings.HELIUS_API_KEY = "wss://rpc.example.com", "a1b2c3d4-e5f6-7890"
    settings.STREAM_SOURCES, settings.STREAM_COMMITMENT = ["helius", "solana-logs", "helius"], "processed"
    found = registry.streams(None)
    assert [(stream.source, stream.commitment) for stream in found] == [("helius", 0), ("solana-logs", 0)]
    settings.YELLOWSTONE_ENDPOINT = "https://geyser.example.com"
    found = registry.streams(["pumpportal", "solana-blocks", "yellowstone"])
    assert [(stream.source, stream.commitment) for stream in found] == [
        ("pumpportal", 1),
        ("solana-blocks", 1),
        ("yellowstone", 0),
    ]


def test_a_stream_that_lacks_something_says_what_to_set(settings: Any) -> None:
    """As does a name that nobody knows, and an empty list."""
    settings.SOLANA_WS_URL = settings.HELIUS_API_KEY = settings.YELLOWSTONE_ENDPOINT = ""
    settings.STREAM_SOURCES = []
    for names, told in [
        (None, "STREAM_SOURCES"),
        (["solana-logs"], "set SOLANA_WS_URL"),
        (["solana-blocks"], "set SOLANA_WS_URL"),
        (["helius"], "set HELIUS_API_KEY"),
        (["yellowstone"], "set YELLOWSTONE_ENDPOINT"),
        (["shouting"], "Nobody knows a source 'shouting'"),
    ]:
        with pytest.raises(NotConfigured, match=told):
            registry.streams(names)


def test_a_test_puts_its_own_streams_in_place(settings: Any) -> None:
    """Whatever is named."""
    own = PumpPortal()
    with clients.override(streams=[own]):
        assert registry.streams(["solana-logs"]) == [own]
    settings.STREAM_SOURCES = []
    with pytest.raises(NotConfigured):
        registry.streams(None)


def test_social_sources_are_asked_in_the_order_of_the_setting(settings: Any) -> None:
    """TweetScout only with its key, each made once; a name that nobody knows is told, and a test puts its own in place."""
    settings.SOCIAL_SOURCES, settings.TWEETSCOUT_API_KEY = ["tweetscout", "discord", "dexscreener", "telegram"], ""
    assert [source.name for source in clients.social_sources()] == ["discord", "dexscreener", "telegram"]
    settings.TWEETSCOUT_API_KEY = "some-key-or-other"
    found = clients.social_sources()
    assert [source.name for source in found] == ["tweetscout", "discord", "dexscreener", "telegram"]
    assert clients.social_sources()[3] is found[3]
    with clients.override(social=[]):
        assert list(clients.social_sources()) == []
    settings.SOCIAL_SOURCES = ["friendster"]
    with pytest.raises(NotConfigured, match="Nobody knows a source 'friendster'"):
        clients.social_sources()
