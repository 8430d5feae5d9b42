"""Rows behind every address of the API: ties, NULLs, microseconds and long decimals in whatever a list is ordered by."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from scoring.choices import SelloffStatus, SocialOrigin
from tests import factories, feeds
from tests.factories import NOON, address
from tests.holders import building, people
from tests.holders import shown as holding_rows
from tests.scoring import following, holder_rows, market, parts
from tests.scoring import shown as score_rows
from tokens.choices import PoolType, PriceOrigin, Venue
from tokens.models import Pool, Token

TINY, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
TIMES = (NOON, NOON, NOON + TINY, NOON + 2 * TINY, NOON + MINUTE)
"""Two at once, and three that a millisecond or a second cannot tell apart."""
LONG = tuple(Decimal(f"123456789012345678901.{digits}") for digits in ("1", "1", "100000000000000001", "2", "0"))
"""Balances that a float takes for one."""
POINTS = (
    ("200.123457", None, "50"),
    ("200.123457", None, "50"),
    ("200.123456", "100.5", None),
    (None, "100.5", "50"),
    (None, "100.499999", "49.999999"),
)
"""Technical, holder and social points; without all three."""


def everything() -> Mapping[str, str]:
    """Create five rows or more for each list, and return what stands in the place of each parameter of a path."""
    pools = _pools()
    token = pools[0].token
    trade = _trades(pools[0])
    _holders(token)
    _scores([pool.token for pool in pools], token)
    _feeds()
    factories.milestone(pools[0])
    for minute in range(5):
        factories.sol_usd(NOON + minute * MINUTE, price_usd=Decimal("150.123456789012345678") + minute)
    factories.sol_usd(NOON, source=PriceOrigin.JUPITER)
    wallet = people.analysis(address("holder 0")).wallet_address
    return {"mint": token.mint_address, "address": pools[0].pool_address, "signature": trade, "wallet": wallet}


def _pools() -> list[Pool]:
    """Create seven tokens: ties in everything, one that nobody saw created, one whose curve is unknown, one without a pool."""
    sold = (100_000_000_000_000, 100_000_000_000_000, 100_000_000_000_001, 300_000_000_000_000, 793_100_000_000_000)
    raised = (7_000_000_000, 7_000_000_000, 7_000_000_001, 9_000_000_000, 85_005_359_057)
    pools = []
    for at, tokens, lamports in zip(TIMES, sold, raised, strict=True):
        token = factories.token(creation_timestamp=at, is_graduated=True, graduation_timestamp=at)
        left = 793_100_000_000_000 - tokens
        pools.append(factories.pool(token, last_trade_at=at, real_token_reserves=left, real_sol_reserves=lamports))
    factories.pool(
        pools[4].token, pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP, initial_real_token_reserves=None
    )
    unseen = factories.token(creation_timestamp=None, creation_signature=None)
    never = {"last_trade_at": None, "last_slot": None, "last_event_index": None, "last_signature": None}
    factories.pool(unseen, real_token_reserves=None, real_sol_reserves=None, **never)
    factories.token(creation_timestamp=None, creation_signature=None)
    return pools


def _trades(pool: Pool) -> str:
    """Create trades of one transaction and of one slot, candles of five minutes, and return the transaction's signature."""
    first = factories.transaction(pool)
    for index in (1, 2):
        factories.transaction(pool, signature=first.signature, event_index=index)
    for at in TIMES[2:]:
        factories.transaction(pool, block_time=at)
    for minute in range(5):
        factories.candle(pool.token, bucket=NOON - minute * MINUTE)
    return first.signature


def _holders(token: Token) -> None:
    for number, balance in enumerate(LONG):
        holding_rows.holding(token, f"holder {number}", current_balance=balance)
    for number, at in enumerate(TIMES[1:]):
        holder_rows.snapshot(token.mint_address, at, total_holders=number, unique_holders=number)
    holder_rows.snapshot(token.mint_address, NOON - MINUTE)
    for number, at in enumerate(TIMES):
        done = {"finished_at": at, "processed_at": at} if number else {}
        building.job(token_mint=address(f"job {number}"), scheduled_at=at, priority=200 + number, **done)


def _scores(scored: list[Token], token: Token) -> None:
    for of, points, at in zip(scored, POINTS, TIMES, strict=True):
        score_rows.newest_score(
            of,
            calculated_at=at,
            technical_score=points[0],
            holder_score=points[1],
            social_score=points[2],
            available_max=666,
        )
        parts.technical(token, at=at if of is not token else NOON - MINUTE, market_cap_usd=None)
        holder_rows.holder_score(token_mint=of.mint_address, timestamp=at)
        holder_rows.risk_metric(token_mint=of.mint_address, timestamp=at)
        score_rows.selloff(of, detection_time=at)
    for number, at in enumerate(TIMES):
        score_rows.token_score(token, calculated_at=at, technical_score=100 + number)
        following.metric(token, timestamp=at, telegram_members=number)
    following.metric(token, source=SocialOrigin.DEXSCREENER, telegram_members=None, boosts_active=5)
    following.score(token)
    ended = {"status": SelloffStatus.EXPIRED, "ended_at": NOON + MINUTE, "duration_minutes": 1}
    score_rows.selloff(token, lowest_price="0.00000000000000000001", **ended)
    market.trade(token.pools.first(), "20", "100")


def _feeds() -> None:
    for number, at in enumerate(TIMES):
        factories.alert(first_seen_at=at, last_seen_at=at)
        feeds.gap(slot_from=500 + number, detected_at=at)
        feeds.reorg(slot_from=700 - number, detected_at=at)
        feeds.tally(source=f"source {number}", hour=NOON - timedelta(hours=number // 2))
    factories.cursor()
    factories.rejected()
    factories.price_source()
    building.usage()
