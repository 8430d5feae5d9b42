"""The overview: each tile's answer, and that nothing on any page comes from elsewhere."""

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from megatron.console import page
from megatron.core import health
from tests import factories, feeds
from tests.factories import NOON
from tests.scoring import shown
from tokens.choices import GapCause, Program, RejectionStatus
from tokens.models import VenueState

STATIC = Path(settings.BASE_DIR) / "megatron" / "static"


@pytest.fixture
def console(client: Client, db: None) -> Iterator[Client]:
    with time_machine.travel(NOON + timedelta(seconds=30), tick=False):
        client.force_login(User.objects.create_superuser("operator"))
        yield client


def answers(console: Client) -> dict[str, tuple[str, str]]:
    """Return answer and tone of each tile by its question."""
    context = console.get(reverse("admin:index")).context
    return {tile.question: (tile.answer, tile.tone) for tile in [*context["attention"], *context["stock"]]}


def all_workers() -> None:
    """Let a worker of each queue be seen now."""
    for queue in settings.QUEUES:
        health.beat(queue=queue, now=NOON + timedelta(seconds=30))


@pytest.fixture(autouse=True)
def no_worker_yet(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "overview"}}
    cache.clear()


def test_truth_24_an_empty_house_shows_no_green(console: Client) -> None:
    """Without any row and any worker nothing was proven: the overview says what is missing, and that the rest is unknown."""
    assert answers(console) == {
        "Is anything wrong?": ("Not known", ""),
        "Was a message rejected?": ("None waits", ""),
        "Are candles up to date?": ("No trade yet", ""),
        "What is SOL worth?": ("Unknown", "bad"),
        "Are the feeds alive?": ("No feed yet", "warn"),
        "Do the workers live?": ("Not all", "bad"),
        "Is any trade missing?": ("Not known", ""),
        "Did the chain fork?": ("Not known", ""),
        "How many tokens are kept?": ("0", ""),
        "How many pools are kept?": ("0", ""),
        "How many transactions are kept?": ("0", ""),
    }


def watch_everything() -> None:
    """Watch every program live and compare it with the chain."""
    for venue in Program:
        feeds.cursor(venue=venue)
        feeds.venue(venue=venue)


def test_fresh_data_is_good_and_work_is_named(console: Client) -> None:
    """A 30 seconds old price and block are fresh; a waiting message and candle are counted."""
    factories.candle_due(factories.transaction().token)
    factories.sol_usd()
    watch_everything()
    factories.rejected()
    all_workers()
    told = answers(console)
    assert told["Was a message rejected?"] == ("1 wait", "warn")
    assert told["Are candles up to date?"] == ("1 due", "")
    assert told["What is SOL worth?"] == ("$150.00", "good")
    assert told["Are the feeds alive?"] == ("Live", "good")
    assert told["Is anything wrong?"] == ("Nothing new", "good")
    assert told["Do the workers live?"] == ("Yes", "good")
    assert told["Is any trade missing?"] == ("None known", "good")
    assert told["Did the chain fork?"] == ("No", "good")


def test_a_house_on_live_feeds_says_what_is_missing_and_who_is_away(console: Client) -> None:
    """Compared a moment ago is good; a lagging comparison, a gap older than five minutes and a feed that is away are not."""
    watch_everything()
    assert answers(console)["Is any trade missing?"] == ("None known", "good")
    VenueState.objects.filter(venue=Program.PUMPFUN).update(settled_block_time=NOON - timedelta(minutes=3))
    assert answers(console)["Is any trade missing?"] == ("Not known", "warn")
    feeds.gap()
    assert answers(console)["Is any trade missing?"] == ("Not known", "warn")
    feeds.gap(slot_from=300, detected_at=NOON - timedelta(minutes=5))
    feeds.gap(source="helius", slot_to=None, cause=GapCause.DISCONNECT)
    feeds.reorg()
    feeds.reorg(detected_at=NOON - timedelta(days=2))
    told = answers(console)
    assert told["Is any trade missing?"] == ("1 open", "bad")
    assert told["Are the feeds alive?"] == ("1 away", "bad")
    assert told["Did the chain fork?"] == ("1 time", "")


def test_truth_24_a_gap_that_was_found_lately_is_no_proof_that_none_is_missing(console: Client) -> None:
    """Compared a moment ago, and a stretch of slots is open: it is counted, however young, and nothing is green."""
    watch_everything()
    feeds.gap()
    assert answers(console)["Is any trade missing?"] == ("1 open", "warn")
    feeds.gap(source="helius", slot_to=None, cause=GapCause.DISCONNECT)
    assert answers(console)["Is any trade missing?"] == ("2 open", "warn")
    feeds.ended_gap()
    assert answers(console)["Is any trade missing?"] == ("2 open", "warn")


def test_truth_24_what_was_discarded_was_not_stored(console: Client) -> None:
    """Messages that an operator discarded, or that nobody can mend, are counted where the rest is said to be stored."""
    watch_everything()

    def told() -> str:
        tiles = console.get(reverse("admin:index")).context["attention"]
        return next(tile.detail for tile in tiles if tile.question == "Was a message rejected?")

    assert told() == "Everything that came was stored"
    factories.rejected(status=RejectionStatus.DISCARDED, resolved_at=NOON)
    assert told() == "Everything else was stored; 1 discarded"
    factories.rejected(digest="f" * 64, status=RejectionStatus.NOISE, resolved_at=NOON)
    assert told() == "Everything else was stored; 1 noise, 1 discarded"


def test_truth_24_a_program_that_nobody_watches_is_named_and_not_green(console: Client) -> None:
    """One of three programs is live and compared: that much is said, and no more."""
    feeds.cursor()
    feeds.venue()
    context = console.get(reverse("admin:index")).context
    tiles = {tile.question: tile for tile in context["attention"]}
    alive, missing = tiles["Are the feeds alive?"], tiles["Is any trade missing?"]
    assert (alive.answer, alive.tone) == ("1 of 3 live", "")
    assert alive.detail == "Pump.fun: live, PumpSwap: not watched, Raydium LaunchLab: not watched"
    assert (missing.answer, missing.tone) == ("None known", "")
    assert missing.detail.endswith("not watched: PumpSwap, Raydium LaunchLab")


def test_truth_24_a_replayed_file_is_no_live_feed(console: Client) -> None:
    """However new what it holds: nobody would notice the next trade."""
    factories.cursor(last_block_time=NOON + timedelta(seconds=30), observed_at=NOON + timedelta(seconds=30))
    assert answers(console)["Are the feeds alive?"] == ("Not watched", "warn")


@pytest.mark.parametrize(
    ("block_age", "stored_age", "answer", "tone"),
    [
        (5 * 60, 10, "5 min behind", "warn"),
        (3600, 3600, "Silent", "bad"),
        (-60, 0, "Clock is wrong", "bad"),
    ],
)
def test_truth_24_the_worst_feed_speaks(
    console: Client, block_age: int, stored_age: int, answer: str, tone: str
) -> None:
    """Other programs that are live hide neither a feed that is behind or silent nor a wrong clock."""
    now = NOON + timedelta(seconds=30)
    feeds.cursor(venue=Program.PUMPSWAP)
    feeds.cursor(last_block_time=now - timedelta(seconds=block_age), observed_at=now - timedelta(seconds=stored_age))
    assert answers(console)["Are the feeds alive?"] == (answer, tone)


def test_truth_24_a_negative_delay_is_said_to_be_a_wrong_clock(console: Client) -> None:
    """The table of feeds does not show "-50 s" as if that were fast."""
    factories.cursor(last_block_time=NOON + timedelta(seconds=50), observed_at=NOON)
    text = console.get(reverse("admin:index")).content.decode()
    assert "50 s ahead: a clock is wrong" in text
    assert "-50 s" not in text


def test_truth_24_an_absent_worker_is_named(console: Client) -> None:
    """All but one queue have a worker."""
    all_workers()
    cache.delete("health:worker:chain")
    tile = next(
        tile
        for tile in console.get(reverse("admin:index")).context["attention"]
        if tile.question == "Do the workers live?"
    )
    assert (tile.answer, tile.detail, tile.tone) == ("Not all", "No worker of chain (never seen)", "bad")


def test_truth_25_a_stalled_comparison_is_red_on_the_overview(console: Client) -> None:
    """Two days without one, though the venue is quiet and no gap is open; nor is it known whether the chain forked."""
    watch_everything()
    VenueState.objects.filter(venue=Program.PUMPSWAP).update(settled_at=NOON - timedelta(days=2))
    told = answers(console)
    assert told["Is any trade missing?"] == ("Not known", "bad")
    assert told["Did the chain fork?"] == ("Not known", "")


def test_truth_24_an_acknowledged_alert_keeps_the_tile_from_green(console: Client) -> None:
    """Somebody knows, and it is not over."""
    all_workers()
    factories.alert(acknowledged_at=NOON, acknowledged_by="ann")
    assert answers(console)["Is anything wrong?"] == ("Nothing new", "warn")


def test_a_replay_does_not_hide_that_the_live_feed_is_behind(console: Client) -> None:
    """Where there are live feeds, only they say whether the house is alive."""
    feeds.cursor(last_block_time=NOON - timedelta(minutes=5), observed_at=NOON)
    factories.cursor(source="retry")
    assert answers(console)["Are the feeds alive?"] == ("5 min behind", "warn")


def test_old_data_is_shown_and_called_old(console: Client) -> None:
    """A capture of last week fills the charts with its own last hour, and the page says which hour."""
    factories.sol_usd(NOON - timedelta(days=7))
    factories.cursor(last_block_time=NOON - timedelta(days=7), observed_at=NOON)
    factories.transaction(block_time=NOON - timedelta(days=7))
    answer = console.get(reverse("admin:index"))
    assert answer.context["is_old"]
    assert answer.context["until"] == NOON - timedelta(days=7) + timedelta(seconds=1)
    assert len(answer.context["hot"]) == 1
    assert "No trade in the last hour." in answer.content.decode()
    told = answers(console)
    assert told["Are the feeds alive?"] == ("Not watched", "warn")
    assert told["What is SOL worth?"] == ("Unknown", "bad")


@pytest.mark.parametrize(
    ("mode", "label", "prefix"),
    [("simulation", ["here · SIMULATION", "success"], ""), ("live", ["here · LIVE", "danger"], "[LIVE]")],
)
def test_every_page_names_environment_and_mode(
    rf: object, settings: object, mode: str, label: list[str], prefix: str
) -> None:
    """Simulation is green; live is red and also in the title."""
    settings.CONSOLE_MODE, settings.CONSOLE_ENVIRONMENT = mode, "here"  # type: ignore[attr-defined] # pytest-django's wrapper
    assert page.environment(rf) == label  # type: ignore[arg-type] # the request is not read
    assert page.title_prefix(rf) == prefix  # type: ignore[arg-type] # the request is not read


def test_the_overview_costs_the_same_for_any_number_of_rows(
    console: Client, django_assert_max_num_queries: object
) -> None:
    """Eight hot, scored, new and graduated tokens and eight sell-offs are read with 35 queries at most."""
    for number in range(8):
        token = factories.token(is_graduated=True, graduation_timestamp=NOON)
        factories.transaction(factories.pool(token), block_time=NOON)
        factories.cursor(source=f"feed {number}")
        factories.candle(token)
        shown.newest_score(token)
        shown.selloff(token)
    with django_assert_max_num_queries(35):  # type: ignore[operator] # pytest-django's fixture is a context manager factory
        console.get(reverse("admin:index"))


def test_the_overview_names_who_scores_most_and_what_falls(console: Client) -> None:
    """Of the tokens that trade the best first; those without a score are in another table; an open sell-off by its fall."""
    best, next_best, unscored = (factories.token(symbol=name) for name in ("BEST", "NEXT", "NONE"))
    for token in (best, next_best, unscored):
        factories.transaction(factories.pool(token))
        factories.candle(token)
    shown.newest_score(best, technical_score=300)
    shown.newest_score(next_best)
    shown.selloff(next_best)
    answer = console.get(reverse("admin:index"))
    assert [row.token for row in answer.context["best"]] == [best, next_best]
    assert [(fall.symbol, fall.token_pk) for fall in answer.context["selloffs"]] == [("NEXT", next_best.pk)]
    assert "33.3 %" in answer.content.decode()


def test_no_page_refers_to_another_host(console: Client) -> None:
    """Every script, style, image and font of a page and of the styles comes from this server."""
    token = factories.transaction().token
    factories.sol_usd()
    paths = [
        reverse("admin:index"),
        reverse("admin:tokens_token_change", args=[token.pk]),
        reverse("admin:tokens_solusdprice_changelist"),
    ]
    client = Client()
    pages = [console.get(path).content.decode() for path in paths] + [
        client.get(reverse("admin:login")).content.decode()
    ]
    loaded = {name for text in pages for name in re.findall(r'<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"', text)}
    assert loaded
    assert {name for name in loaded if not name.startswith(("/static/", "/console/"))} == set()
    for name in loaded:
        found = finders.find(name.removeprefix("/static/")) if name.startswith("/static/") else None
        if found and name.endswith(".css"):
            assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", Path(found).read_text()) == []


def test_vendored_scripts_are_the_published_ones() -> None:
    """Each script of others has the digest that is written beside it, and compiles no text into code."""
    listed = re.findall(
        r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", (STATIC / "vendor" / "README.md").read_text(), re.MULTILINE
    )
    assert len(listed) == 2
    for name, digest in listed:
        content = (STATIC / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert b"new Function" not in content
        assert b"eval(" not in content


def test_alpine_without_eval_stands_in_front_of_unfolds() -> None:
    """The file that a page gets under Unfold's name is ours."""
    assert finders.find("unfold/js/alpine/alpine.js") == str(STATIC / "unfold/js/alpine/alpine.js")


def test_price_is_stale_just_after_the_two_minutes_of_the_rule(console: Client) -> None:
    """A price of exactly 120 seconds ago is fresh, as it is for the value of a trade (T8)."""
    asked_at = NOON + timedelta(seconds=30)
    factories.sol_usd(asked_at - timedelta(seconds=120))
    assert answers(console)["What is SOL worth?"] == ("$150.00", "good")
    with time_machine.travel(asked_at + timedelta(seconds=1), tick=False):
        assert answers(console)["What is SOL worth?"] == ("Unknown", "bad")


@pytest.mark.parametrize("age", [timedelta(days=443), -timedelta(hours=3), -timedelta(seconds=1)])
def test_truth_24_neither_an_old_nor_a_future_price_is_what_sol_is_worth(console: Client, age: timedelta) -> None:
    """The overview and the page of prices say that it is not known."""
    factories.sol_usd(NOON + timedelta(seconds=30) - age)
    assert answers(console)["What is SOL worth?"] == ("Unknown", "bad")
    text = console.get(reverse("admin:tokens_solusdprice_changelist")).content.decode()
    assert "The price of SOL is not known" in text
    assert "SOL is $" not in text
