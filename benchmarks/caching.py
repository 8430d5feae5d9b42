"""What part of the reads of 100,000 tokens comes from the cache: prices and scores as a list of tokens reads them, a Zipf
load, real TTLs, and the memory that an embedded Redis has."""

import multiprocessing
import time
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks import servers
from benchmarks.mixed import _start
from benchmarks.results import Result
from benchmarks.sizes import size

TOKENS = size(100_000, 500)
READERS = 2
WARM_SECONDS = size(310, 1)
"""Longer than a score is kept, so that what is measured is neither the start nor a cache that never forgets."""
SECONDS = size(60, 1)
PAGE = 100
"""For each token that is looked at alone, a page of a list as the API has it."""
MEGABYTES = 256
LEAST_RATIO = 0.80

Counted = tuple[int, int]


def run() -> list[Result]:
    """Return hits over all reads of price and score: a token alone and a page of a list in turns, popular tokens more often
    (Zipf, exponent 1)."""
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
    dice = np.random.default_rng(seed)
    chances = np.cumsum(1 / np.arange(1, len(tokens) + 1))
    begin, before = time.monotonic(), (0, 0)
    while (passed := time.monotonic() - begin) < WARM_SECONDS + SECONDS:
        if passed < WARM_SECONDS:
            before = _counted()
        one, *page = np.searchsorted(chances, dice.random(1 + PAGE) * chances[-1])
        _look([tokens[one]])
        _look([tokens[rank] for rank in page])
    after = _counted()
    return after[0] - before[0], after[1] - before[1]


def _look(tokens: list[UUID]) -> None:
    """Read what a list shows of its tokens."""
    from megatron.core.clock import utc_now
    from scoring.services import cache as scores
    from tokens.services import cache as markets

    now = utc_now()
    markets.markets(ids=tokens, now=now)
    scores.newest(ids=tokens, now=now)


def _counted() -> Counted:
    """Return the hits and misses of prices and scores together."""
    from scoring.services.cache import SCORES
    from tokens.services.cache import MARKETS

    return MARKETS.hits + SCORES.hits, MARKETS.misses + SCORES.misses


_TOKENS = """
INSERT INTO tokens (id, mint_address, platform, {others})
SELECT id, mint, 'pumpfun', {values} FROM unnest(%s::uuid[], %s::text[]) AS t(id, mint) ON CONFLICT DO NOTHING
"""
_POOLS = """
INSERT INTO pools (id, pool_address, token_id, base_mint, quote_mint, platform, latest_price, {others})
SELECT id, address, token, mint, %s, 'pumpfun', 0.00000003, {values}
FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::text[]) AS p(id, address, token, mint) ON CONFLICT DO NOTHING
"""

_SCORES = """
INSERT INTO token_scores (id, token_id, calculated_at, technical_score, holder_score, available_max, completeness,
    policy_version, inputs, score_details)
SELECT gen_random_uuid(), id, now(), 100 + n %% 200, n %% 333, 666, 66.6667, 1, '{}', '{}'
FROM unnest(%s::uuid[]) WITH ORDINALITY AS t(id, n)
"""
_NEWEST = """
INSERT INTO latest_token_scores (token_id, score_id, calculated_at, technical_score, holder_score, total_adjusted, total_ratio)
SELECT token_id, id, calculated_at, technical_score, holder_score, total_adjusted, total_ratio FROM token_scores
WHERE token_id = ANY(%s)
"""


def _fill() -> list[UUID]:
    """Create the tokens with a priced curve and a score each, in the order of their popularity."""
    from django.db import connection
    from solders.pubkey import Pubkey

    from megatron.core import ids
    from tokens.domain import programs
    from tokens.models import Pool, Token

    def named(first: int) -> list[str]:
        return [str(Pubkey.from_bytes(number.to_bytes(32, "big"))) for number in range(first, first + TOKENS)]

    mints, addresses = named(10**9), named(2 * 10**9)
    tokens = [ids.derived_id("token", mint) for mint in mints]
    pools = [ids.derived_id("pool", address) for address in addresses]
    with connection.cursor() as cursor:
        cursor.execute(_with_defaults(_TOKENS, Token), [tokens, mints])
        cursor.execute(_with_defaults(_POOLS, Pool), [programs.WRAPPED_SOL, pools, addresses, tokens, mints])
        cursor.execute(_SCORES, [tokens])
        cursor.execute(_NEWEST, [tokens])
        cursor.execute("ANALYZE tokens, pools, token_scores, latest_token_scores")
    return tokens


def _with_defaults(statement: str, model: Any) -> str:
    """Fill in the columns that have a default in Python only: a hundred thousand objects would take minutes."""
    given = statement.split("(", 1)[1].split(")", 1)[0]
    plain = {
        field.column: field.get_default()
        for field in model._meta.local_concrete_fields
        if not field.null and field.has_default() and field.column not in given.split(", ")
    }
    values = [_literal(value) for value in plain.values()]
    return statement.format(others=", ".join(plain), values=", ".join(values))


def _literal(value: Any) -> str:
    """Return a default as SQL: an empty array and an empty JSON object are written alike."""
    if value in ([], {}):
        return "'{}'"
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
