"""What part of the reads of 100,000 tokens comes from the cache: a Zipf load, real TTLs, and a Redis with little memory."""

import multiprocessing
import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks import servers
from benchmarks.mixed import _start
from benchmarks.results import Result

TOKENS = 100_000
READERS = 2
WARM_SECONDS = 35
"""Longer than a value is kept, so that what is measured is neither the start nor a cache that never forgets."""
SECONDS = 30
PAGE = 20
MEGABYTES = 16
LEAST_RATIO = 0.80

Counted = tuple[int, int]


def run() -> list[Result]:
    """Return hits over all reads of single tokens and of short lists, popular tokens more often (Zipf, exponent 1)."""
    from django.db import connection

    tokens = _fill()
    with servers.redis_server(megabytes=MEGABYTES) as url:
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(READERS, initializer=_start, initargs=(str(connection.settings_dict["NAME"]), url)) as pool:
            counted: list[Counted] = pool.starmap(_read, [(tokens, seed) for seed in range(READERS)], chunksize=1)
    hits, misses = (sum(column) for column in zip(*counted, strict=True))
    ratio = hits / (hits + misses)
    return [Result("cache_hit_ratio", ratio, "of 1", LEAST_RATIO, ratio / LEAST_RATIO)]


def _read(tokens: list[UUID], seed: int) -> Counted:
    """Read until the time is over; return hits and misses after the warm-up."""
    from megatron.core.clock import utc_now
    from tokens.services import cache

    dice = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(tokens) + 1)
    chances = weights / weights.sum()
    begin, before = time.monotonic(), (0, 0)
    while (passed := time.monotonic() - begin) < WARM_SECONDS + SECONDS:
        if passed < WARM_SECONDS:
            before = cache.MARKETS.hits, cache.MARKETS.misses
        for rank in dice.choice(len(tokens), size=PAGE, p=chances):
            cache.markets(ids=[tokens[rank]], now=utc_now())
        page = [tokens[rank] for rank in dice.choice(len(tokens), size=PAGE, p=chances)]
        cache.markets(ids=page, now=utc_now())
    return cache.MARKETS.hits - before[0], cache.MARKETS.misses - before[1]


def _fill() -> list[UUID]:
    """Create the tokens with a priced curve each, in the order of their popularity."""
    from solders.pubkey import Pubkey

    from megatron.core import ids
    from tokens.domain import programs
    from tokens.models import Pool, Token

    mints = [str(Pubkey.from_bytes(rank.to_bytes(32, "big"))) for rank in range(10**9, 10**9 + TOKENS)]
    rows: list[Any] = [Token(id=ids.derived_id("token", mint), mint_address=mint, platform="pumpfun") for mint in mints]
    Token.objects.bulk_create(rows, batch_size=5_000, ignore_conflicts=True)
    pools = [
        Pool(
            id=ids.derived_id("pool", token.mint_address),
            pool_address=str(Pubkey.from_bytes(rank.to_bytes(32, "big"))),
            token_id=token.id,
            base_mint=token.mint_address,
            quote_mint=programs.WRAPPED_SOL,
            platform="pumpfun",
            latest_price=Decimal(rank % 997 + 1) / 10**9,
        )
        for rank, token in enumerate(rows, 2 * 10**9)
    ]
    Pool.objects.bulk_create(pools, batch_size=5_000, ignore_conflicts=True)
    return [token.id for token in rows]
