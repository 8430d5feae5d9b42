from megatron.clients import costs


def test_costs_are_the_providers() -> None:
    """Helius counts ten for history, a hundred for its own index; an unknown provider counts calls."""
    methods = ("getSlot", "getBlock", "getTransactionsForAddress")
    assert [costs.credits_of("helius", name) for name in methods] == [1, 10, 100]
    assert costs.credits_of("solana rpc", "getBlock") == 1


def test_a_stream_is_paid_by_its_bytes() -> None:
    """Helius counts three credits for a tenth of a megabyte; what is left over counts with what comes next."""
    assert costs.stream_credits("helius", 99_999) == (0, 99_999)
    assert costs.stream_credits("helius", 250_001) == (6, 50_001)
    assert costs.stream_credits("solana", 250_001) == (0, 0)


def test_a_provider_is_known_by_its_host() -> None:
    """Not by a part of another host's name."""
    assert costs.provider_of("https://mainnet.helius-rpc.com/?api-key=x", default="solana rpc") == "helius"
    assert costs.provider_of("https://helius-rpc.com.example.org/", default="solana rpc") == "solana rpc"
