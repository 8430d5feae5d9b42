"""From which slot to which a pool is complete, how that is known, and when it is not."""

from datetime import timedelta
from typing import Any

import pytest

from tests import factories, feeds
from tests.factories import NOON
from tokens.choices import GapCause, GapOutcome, PoolType, Program, Venue
from tokens.models import Pool, VenueState
from tokens.selectors import completeness
from tokens.selectors.completeness import Completeness, Evidence

pytestmark = pytest.mark.django_db

QUOTE, TOKENS = 30_000_000_000, 1_068_275_000_000_000
"""The reserves at the start of the curve that the factory makes."""


def curve(*slots: int, missing: tuple[int, ...] = (), known: bool = True, **fields: Any) -> Pool:
    """Create a curve that sold 1,000 tokens for 1,000 lamports in each of ``slots``, those of ``missing`` not stored."""
    token = factories.token(**({} if known else {"creation_timestamp": None}))
    made = factories.pool(token, **fields)
    for number, slot in enumerate(slots, 1):
        if slot not in missing:
            factories.transaction(
                made,
                slot=slot,
                block_time=NOON + timedelta(seconds=slot % 1_000),
                amount_in=1_000,
                amount_out=1_000,
                quote_reserves=QUOTE + 1_000 * number,
                token_reserves=TOKENS - 1_000 * number,
            )
    return made


def judged(pool: Pool) -> Completeness:
    return completeness.span(pool=pool, now=NOON + timedelta(days=1))


def told(pool: Pool) -> tuple[int, int, list[str], bool] | None:
    """Return the span of ``pool`` as (from, to, by, from its start), or ``None``."""
    span = judged(pool).span
    return None if span is None else (span.slot_from, span.slot_to, [str(kind) for kind in span.by], span.from_start)


def test_a_curve_is_complete_by_its_reserves_alone() -> None:
    """Where nobody compares with the chain, as after a replay, the trades that follow from each other prove themselves."""
    found = judged(curve(300, 310, 320))
    assert found.span == completeness.Span(slot_from=300, slot_to=320, by=[Evidence.CONSERVATION], from_start=True)
    assert (found.holes, found.waiting, found.is_watched, found.is_held) == ([], 0, False, False)


def test_a_curve_of_unknown_creation_is_complete_from_its_first_stored_trade() -> None:
    """What came before the first stored trade is not known then."""
    assert told(curve(300, 310, 320, missing=(300,), known=False)) == (310, 320, ["conservation"], False)


def test_a_curve_without_its_first_trade_is_not_complete_from_its_start() -> None:
    """The first stored trade does not follow from the start of the curve, so its own slot is in doubt."""
    found = judged(curve(300, 310, 320, missing=(300,)))
    assert told(Pool.objects.get()) == (311, 320, ["conservation"], False)
    assert [(hole.slot_to, hole.cause) for hole in found.holes] == [(310, GapCause.CONSERVATION)]


def test_a_missing_trade_ends_the_stretch() -> None:
    """The newest stretch begins behind the trade that does not follow; the break is named with the trades around it."""
    found = judged(curve(300, 310, 320, 330, missing=(310,)))
    assert found.span is not None
    assert (found.span.slot_from, found.span.slot_to, found.span.from_start) == (321, 330, False)
    assert found.holes == [
        completeness.Hole(slot_from=300, slot_to=320, cause=GapCause.CONSERVATION, is_accepted=False)
    ]


def test_a_curve_whose_only_two_trades_do_not_follow_is_not_complete() -> None:
    """Nothing is left between two trades of one slot that do not follow."""
    pool = curve(300, 301, missing=(300,), known=False)
    factories.transaction(pool, slot=301, amount_in=7, amount_out=7, quote_reserves=1, token_reserves=1)
    assert told(pool) is None


def test_coverage_reaches_from_the_watch_to_the_settled_slot() -> None:
    """An AMM pool is complete as far as its venue was compared, whether it traded or not."""
    feeds.venue(venue=Program.PUMPSWAP)
    pool = factories.pool(pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP)
    assert told(pool) == (100, 1_000, ["coverage"], False)


def test_both_kinds_of_evidence_add_up() -> None:
    """A curve older than the watch is complete from its first trade by its reserves, and on to the settled slot."""
    feeds.venue()
    assert told(curve(50, 60, 110)) == (50, 1_000, ["conservation", "coverage"], True)


def test_trades_behind_the_settled_slot_count_by_their_reserves() -> None:
    """The newest trades are not compared with the chain yet, but they follow from the ones before."""
    feeds.venue()
    assert told(curve(990, 1_005)) == (100, 1_005, ["conservation", "coverage"], True)


def test_a_curve_that_is_older_than_the_watch_and_quiet_since_has_two_stretches() -> None:
    """Between the last trade before the watch and its first slot nothing is known: the newest stretch is told."""
    feeds.venue()
    assert told(curve(50, 60)) == (100, 1_000, ["coverage"], False)


def test_an_open_gap_ends_the_coverage() -> None:
    """The stretch begins behind an open gap of the venue; one that healed or held nothing takes nothing away."""
    feeds.venue()
    pool = factories.pool()
    row = feeds.gap()
    found = judged(pool)
    assert told(pool) == (511, 1_000, ["coverage"], False)
    assert found.holes == [completeness.Hole(slot_from=500, slot_to=510, cause=GapCause.COVERAGE, is_accepted=False)]
    type(row).objects.update(finished_at=NOON, outcome=GapOutcome.HEALED)
    assert (told(pool), judged(pool).holes) == ((100, 1_000, ["coverage"], False), [])


def test_an_accepted_gap_stays_a_hole() -> None:
    """That an operator gave up on slots does not make them complete."""
    feeds.venue()
    feeds.ended_gap(GapOutcome.ACCEPTED)
    found = judged(factories.pool())
    assert found.span is not None
    assert found.span.slot_from == 511
    assert [hole.is_accepted for hole in found.holes] == [True]


def test_a_gap_before_a_curve_began_is_no_hole_of_it() -> None:
    """A curve whose start is known lost nothing in slots before its first trade."""
    feeds.venue()
    feeds.gap()
    found = judged(curve(600, 610))
    assert found.span is not None
    assert (found.span.slot_from, found.span.from_start, found.holes) == (511, True, [])


def test_reserves_bridge_a_gap_of_the_venue() -> None:
    """What is missing in the slots of an open gap is not of this curve when its trades around them follow."""
    feeds.venue()
    feeds.gap()
    found = judged(curve(490, 520))
    assert found.span is not None
    assert (found.span.slot_from, found.span.slot_to, found.holes) == (100, 1_000, [])


def test_a_break_of_another_pool_or_venue_does_not_matter() -> None:
    """Only gaps of the pool's venue count, and of breaks only its own."""
    feeds.venue()
    feeds.break_of(factories.address("another curve"))
    feeds.gap(venue=Program.PUMPSWAP)
    assert told(factories.pool()) == (100, 1_000, ["coverage"], False)


def test_a_feed_that_is_away_takes_nothing_from_settled_slots() -> None:
    """Slots up to the settled one were compared, whichever feed was there."""
    feeds.venue()
    feeds.gap(source="helius", slot_to=None, cause=GapCause.DISCONNECT)
    assert told(factories.pool()) == (100, 1_000, ["coverage"], False)


def test_a_quarantined_venue_proves_nothing() -> None:
    """While a venue is held, and until what was kept of it is played, its comparison with the chain does not count."""
    state = feeds.venue(status="quarantined", quarantined_at=NOON, quarantine_reason="its events grew")
    amm, launched = factories.pool(), curve(490, 520)
    assert (told(amm), judged(amm).is_watched, judged(amm).is_held) == (None, True, True)
    assert told(launched) == (490, 520, ["conservation"], True)
    VenueState.objects.filter(pk=state.pk).update(status="live", quarantined_at=None, quarantine_reason="")
    kept = factories.rejected(waits_for="release of pumpfun")
    assert (told(amm), judged(amm).is_held) == (None, True)
    kept.delete()
    assert told(amm) == (100, 1_000, ["coverage"], False)


@pytest.mark.parametrize("key", ["pool_address", "base_mint"])
def test_a_waiting_message_about_the_pool_means_no(key: str) -> None:
    """A rejected message that waits for the pool or its token may be a trade that is missing."""
    feeds.venue()
    pool = factories.pool()
    factories.rejected(waits_for=getattr(pool, key))
    assert (told(pool), judged(pool).waiting) == (None, 1)


def test_nothing_is_known_of_a_pool_that_nobody_watches() -> None:
    """A pool without trades on a venue that is not watched, or that is no launchpad's, is not called complete."""
    assert told(factories.pool()) is None
    other = judged(factories.pool(platform=Venue.RAYDIUM_CPMM, pool_type=PoolType.GRADUATED))
    assert (other.span, other.is_watched) == (None, False)


def test_many_pools_cost_no_more_queries_than_one(django_assert_num_queries: Any) -> None:
    """Venues, gaps, waiting messages, what is kept, chains and breaks: six queries, however many pools."""
    feeds.venue()
    pools = [curve(300, 310), curve(400, 410), factories.pool()]
    pools = list(Pool.objects.select_related("token").filter(pk__in=[pool.pk for pool in pools]))
    with django_assert_num_queries(6):
        found = completeness.spans(pools=pools, now=NOON + timedelta(days=1))
    assert len(found) == 3
