"""What an operator sees of live feeds: streams, gaps, source comparison, forks, and whether a pool is complete."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page

from megatron.core.clock import utc_now
from megatron.core.models import AuditEntry
from tests import factories, feeds
from tests.browser.conftest import Visit
from tokens.choices import GapCause, GapOutcome, Program, Venue
from tokens.models import SlotGap, Token

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visiting = Callable[..., Visit]
HEAD = 420_000_000
PAGES = ("streamcursor", "slotgap", "sourcetally", "chainreorg")


@pytest.fixture
def admin() -> User:
    return User.objects.create_superuser("operator", password="correct horse battery")


@pytest.fixture
def watched() -> Token:
    """A day of two feeds of Pump.fun, one of which is away, a quarantined PumpSwap, gaps of all kinds and a fork."""
    now = utc_now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    read = {"first_slot": HEAD - 200_000, "last_slot": HEAD, "verified_slot": HEAD - 200_001}
    feeds.venue(
        watched_from_slot=HEAD - 200_000,
        settled_slot=HEAD - 40,
        settled_block_time=now - timedelta(seconds=16),
        settled_at=now - timedelta(seconds=3),
    )
    feeds.venue(
        venue=Program.PUMPSWAP,
        watched_from_slot=HEAD - 90_000,
        settled_slot=HEAD - 5_000,
        settled_block_time=now - timedelta(minutes=33),
        settled_at=now - timedelta(minutes=33),
        status="quarantined",
        quarantined_at=now - timedelta(minutes=33),
        quarantine_reason="BuyEvent grew by 16 bytes",
    )
    for source, venue, age in (
        ("solana-logs", Program.PUMPFUN, 1),
        ("helius", Program.PUMPFUN, 400),
        ("helius", Program.PUMPSWAP, 2),
    ):
        at = now - timedelta(seconds=age)
        feeds.cursor(source=source, venue=venue, last_block_time=at, observed_at=at, **read)
    factories.cursor(source="replay", last_block_time=now - timedelta(days=40), observed_at=now - timedelta(days=1))
    for number in range(24):
        swing = 1 + Decimal(number % 7) / 10
        for source, share in (("solana-logs", 41), ("helius", 59)):
            feeds.tally(
                source=source,
                hour=hour - timedelta(hours=number),
                frames=int(900_000 * swing) + 1_000 * share,
                bytes=int(2_400_000_000 * swing),
                transactions=int(880_000 * swing),
                first=int(8_900 * share * swing),
                missed=number % 3,
                lead_ms=int(90_000 * share * swing),
                disconnects=int(number == 5),
            )
    for number in range(0, 1440, 5):
        feeds.minute(
            metric_time=now.replace(second=0, microsecond=0) - timedelta(minutes=number),
            p99_processing_latency_ms=120 + number % 97,
            metric_data={"venue": "pumpfun", "behind_seconds": 0.8 + number % 13 / 10},
        )
    feeds.gap(
        source="helius",
        slot_from=HEAD - 1_000,
        slot_to=None,
        cause=GapCause.DISCONNECT,
        detected_at=now - timedelta(seconds=400),
    )
    feeds.gap(slot_from=HEAD - 2_500, slot_to=HEAD - 2_400, cause=GapCause.COVERAGE, detected_at=now - timedelta(minutes=12),
              attempts=4, last_error="NotThereYet: 2 listed transactions were not given.")  # fmt: skip
    feeds.ended_gap(
        slot_from=HEAD - 60_000,
        slot_to=HEAD - 59_000,
        cause=GapCause.RESTART,
        transactions_found=2_318,
        detected_at=now - timedelta(hours=7),
    )
    feeds.ended_gap(
        GapOutcome.ACCEPTED,
        slot_from=HEAD - 150_000,
        slot_to=HEAD - 149_990,
        cause=GapCause.MISSED,
        detected_at=now - timedelta(hours=17),
    )
    feeds.reorg(slot_from=HEAD - 33_001, slot_to=HEAD - 33_000, detected_at=now - timedelta(hours=4))
    token = factories.token(symbol="WIF", name="Dog Wif Coffee", creation_timestamp=now - timedelta(hours=2))
    pool = factories.pool(token, platform=Venue.PUMPFUN, last_trade_at=now, last_slot=HEAD)
    feeds.break_of(
        pool.pool_address, slot_from=HEAD - 1_800, slot_to=HEAD - 1_780, detected_at=now - timedelta(minutes=9)
    )
    factories.transaction(pool, block_time=now - timedelta(minutes=1), slot=HEAD - 10)
    return token


def page_of(name: str) -> str:
    return reverse(f"admin:tokens_{name}_changelist")


def test_streams_show_each_venue_and_draw_its_day(visit: Visiting, admin: User, watched: Token) -> None:
    """Each venue says how far it is compared, each source whether it is there, and three charts are drawn."""
    tab = visit(user=admin)
    tab.open(page_of("streamcursor"))

    def steps(page: Page) -> tuple[str, int]:
        page.wait_for_function("document.querySelectorAll('[data-lines][data-drawn]').length === 3")
        return page.inner_text("#main, body"), page.locator("[data-lines][data-drawn]").count()

    text, drawn = tab.do(steps)
    assert drawn == 3
    for said in ("419,999,960", "40 slots", "away", "quarantined", "3 open gaps", "59.0 %", "not watched"):
        assert said in text


def test_a_gap_is_accepted_with_a_reason(visit: Visiting, admin: User, watched: Token) -> None:
    """Accepting says how many slots are given up, asks why, and leaves an audit entry."""
    row = SlotGap.objects.get(cause=GapCause.COVERAGE)
    tab = visit(user=admin)
    tab.open(page_of("slotgap"))

    def steps(page: Page) -> str:
        page.locator(f"input[name=_selected_action][value='{row.pk}']").check()
        page.locator("select[name=action]").select_option("accept")
        page.get_by_role("button", name="Run").click()
        page.wait_for_selector("#accept_reason")
        told = page.inner_text("form.mg-card")
        page.get_by_label("Reason").fill("the provider lost these slots")
        page.get_by_role("button", name="Accept the loss").click()
        page.wait_for_selector("text=Accepted 1.")
        return told

    told = tab.do(steps)
    row.refresh_from_db()
    assert "Accept 1 gap of 101 slots?" in told
    assert (row.outcome, AuditEntry.objects.get().reason) == ("accepted", "the provider lost these slots")


def test_the_chain_is_asked_again_for_a_range(visit: Visiting, admin: User, watched: Token) -> None:
    """The form refuses a range that runs backwards, and opens a gap for one that does not."""
    tab = visit(user=admin)
    tab.open(page_of("slotgap"))

    def steps(page: Page) -> str:
        page.get_by_role("link", name="Ask the chain again").click()
        page.get_by_label("From slot").fill("1000")
        page.get_by_label("To slot, included").fill("999")
        page.get_by_label("Why").fill("a customer misses a trade")
        page.get_by_role("button", name="Ask the chain").click()
        refused = page.inner_text("form.mg-card")
        page.get_by_label("To slot, included").fill("1009")
        page.get_by_role("button", name="Ask the chain").click()
        page.wait_for_selector("text=slots 1,000 to 1,009")
        return refused

    refused = tab.do(steps)
    row = SlotGap.objects.get(cause=GapCause.OPERATOR)
    assert "This is before the first slot." in refused
    assert (row.slot_from, row.slot_to, row.venue) == (1_000, 1_009, "pumpfun")


def test_overview_and_token_say_what_is_missing(visit: Visiting, admin: User, watched: Token) -> None:
    """The overview counts the gaps that do not heal and the feed that is away; the token names the slots in doubt."""
    tab = visit(user=admin)
    tab.open(reverse("admin:index"))
    overview = tab.do(lambda page: page.inner_text("[aria-label='What needs me now']"))
    tab.open(reverse("admin:tokens_token_change", args=[watched.pk]))
    token = tab.do(lambda page: page.inner_text("body"))
    assert "2 open" in overview
    assert "helius of Pump.fun" in overview
    assert "1 time" in overview
    assert "Complete from slot" in token
    assert "A trade may be missing in slots" in token


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_narrow_screens(visit: Visiting, admin: User, watched: Token, scheme: str) -> None:
    """At 390 pixels no page of the feeds scrolls sideways, in either theme."""
    tab = visit(user=admin, width=390, scheme=scheme)
    widths = {}
    for path in [*map(page_of, PAGES), reverse("admin:tokens_slotgap_ask")]:
        tab.open(path)
        widths[path] = tab.do(lambda page: page.evaluate("document.documentElement.scrollWidth"))
    assert widths == dict.fromkeys(widths, 390)


def test_pages_open_without_any_feed(visit: Visiting, admin: User) -> None:
    """Before the first feed each page says what to do instead of showing nothing."""
    tab = visit(user=admin)
    statuses = {name: tab.open(page_of(name)) for name in PAGES}
    assert statuses == dict.fromkeys(PAGES, 200)
    tab.open(page_of("streamcursor"))
    assert "manage.py monitor pumpfun" in tab.do(lambda page: page.inner_text("body"))
