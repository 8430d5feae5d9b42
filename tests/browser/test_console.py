"""What an operator sees and does."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page

from megatron.core.clock import utc_now
from megatron.core.models import AuditEntry
from tests import factories
from tests.browser.conftest import Visit
from tokens.models import PriceCandle1h, RejectedMessage, Token

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visiting = Callable[..., Visit]

GREEN, RED = (22, 163, 74), (220, 38, 38)
COUNT_COLOUR = """([red, green, blue]) => {
  let found = 0;
  for (const canvas of document.querySelectorAll("[data-canvas] canvas")) {
    if (!canvas.width || !canvas.height) continue;
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    for (let at = 0; at < pixels.length; at += 4)
      if (pixels[at] === red && pixels[at + 1] === green && pixels[at + 2] === blue) found += 1;
  }
  return found;
}"""


@pytest.fixture
def admin() -> User:
    return User.objects.create_superuser("operator", password="correct horse battery")


@pytest.fixture
def traded() -> Token:
    """A token with one rising and one falling minute, one hour of candles, and a trade a minute ago."""
    at = utc_now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    token = factories.token(symbol="WIF", name="Dog Wif Coffee", creation_timestamp=at)
    pool = factories.pool(token, last_trade_at=at)
    factories.milestone(pool, reached_at=at)
    factories.candle(token, bucket=at)
    falling = {"open": Decimal("0.00000003"), "close": Decimal("0.000000028")}
    factories.candle(token, bucket=at + timedelta(minutes=1), **falling)
    factories.candle(token, model=PriceCandle1h, bucket=at.replace(minute=0))
    factories.transaction(pool, block_time=at + timedelta(minutes=4))
    return token


def painted(page: Page, colour: tuple[int, int, int]) -> int:
    """Return how many pixels of the page's charts have exactly ``colour``."""
    return int(page.evaluate(COUNT_COLOUR, list(colour)))


def page_of(token: Token) -> str:
    return reverse("admin:tokens_token_change", args=[token.pk])


def test_operator_logs_in_and_reads_the_overview(visit: Visiting, admin: User, traded: Token) -> None:
    """A password leads to the overview, which names the mode and draws the last hour's trades."""
    tab = visit()
    tab.open(reverse("admin:login"))

    def steps(page: Page) -> tuple[str, int]:
        page.fill("[name=username]", "operator")
        page.fill("[name=password]", "correct horse battery")
        page.click("[type=submit]")
        page.wait_for_selector("[data-lines][data-drawn]")
        return page.inner_text("body"), painted(page, GREEN)

    text, green = tab.do(steps)
    assert "SIMULATION" in text
    assert "WIF" in text
    assert green > 100


def test_token_page_draws_its_candles(visit: Visiting, admin: User, traded: Token) -> None:
    """Both candles are painted, and the legend writes a price of 3e-8 with its zeros counted."""
    tab = visit(user=admin)
    tab.open(page_of(traded))

    def steps(page: Page) -> tuple[int, int, str]:
        page.wait_for_selector("[data-candles][data-drawn='2']")
        return painted(page, GREEN), painted(page, RED), page.inner_text("[data-legend]")

    green, red, legend = tab.do(steps)
    assert green > 50
    assert red > 50
    assert "O 0.0₇3" in legend
    assert "C 0.0₇28" in legend


def test_switches_change_interval_and_currency(visit: Visiting, admin: User, traded: Token) -> None:
    """The hour has one candle, and in USD it closes at 0.0000045."""
    tab = visit(user=admin)
    tab.open(page_of(traded))

    def steps(page: Page) -> tuple[str, str | None]:
        page.wait_for_selector("[data-candles][data-drawn='2']")
        page.click("button[value='3600']")
        page.wait_for_selector("[data-candles][data-drawn='1']")
        page.click("button[value='usd']")
        page.wait_for_selector("[data-legend]:has-text('USD')")
        return page.inner_text("[data-legend]"), page.get_attribute("button[value='3600']", "aria-pressed")

    legend, pressed = tab.do(steps)
    assert "C 0.0₅45" in legend
    assert pressed == "true"


def test_token_without_candles_says_why(visit: Visiting, admin: User) -> None:
    """A token that never traded explains its empty chart in words."""
    tab = visit(user=admin)
    tab.open(page_of(factories.token()))
    assert "has not traded yet" in tab.do(lambda page: page.inner_text("[data-empty]"))


def test_dark_theme_repaints_the_chart(visit: Visiting, admin: User, traded: Token) -> None:
    """Where the system is dark, so are the page and the chart's ground; Ctrl+E turns both light."""
    tab = visit(user=admin, scheme="dark")
    tab.open(page_of(traded))

    def ground(page: Page) -> tuple[str, int]:
        page.wait_for_selector("[data-candles][data-drawn='2']")
        page.wait_for_timeout(200)
        return page.get_attribute("html", "class") or "", painted(page, (255, 255, 255))

    dark, white_at_first = tab.do(ground)
    tab.do(lambda page: page.keyboard.press("Control+e"))
    light, white_then = tab.do(ground)
    assert (dark, light) == ("dark", "light")
    assert white_at_first < 1000 < white_then


def test_narrow_screens_never_scroll_sideways(visit: Visiting, admin: User, traded: Token) -> None:
    """At 390 pixels the overview, a token and the lists fit, and the navigation opens by its button."""
    factories.rejected(b"\xff" * 3000)
    tab = visit(user=admin, width=390)
    lists = [reverse(f"admin:tokens_{name}_changelist") for name in ("token", "transaction", "rejectedmessage")]
    rejected = reverse("admin:tokens_rejectedmessage_change", args=[RejectedMessage.objects.get().pk])
    widths = {}
    for path in [reverse("admin:index"), page_of(traded), rejected, *lists]:
        tab.open(path)
        widths[path] = tab.do(lambda page: page.evaluate("document.documentElement.scrollWidth"))
    assert widths == dict.fromkeys(widths, 390)

    def steps(page: Page) -> bool:
        page.locator("span.material-symbols-outlined:visible", has_text="dock_to_right").click()
        page.wait_for_timeout(300)
        return page.get_by_role("link", name="Streams and lag").is_visible()

    assert tab.do(steps)


@pytest.mark.parametrize("half", [0, 1])
def test_every_page_of_the_navigation_opens_cleanly(visit: Visiting, admin: User, traded: Token, half: int) -> None:
    """Each link of the navigation answers 200 without an error, a policy violation or a request to another host."""
    factories.rejected()
    factories.sol_usd()
    factories.cursor()
    factories.candle_due(traded)
    tab = visit(user=admin)
    tab.open(reverse("admin:index"))
    links = tab.do(
        lambda page: page.eval_on_selector_all("#nav-sidebar a[href^='/']", "all => all.map((a) => a.pathname)")
    )
    paths = [path for path in dict.fromkeys(links) if "logout" not in path]
    statuses = {path: tab.open(path) for path in paths[half::2]}
    assert len(statuses) >= 13
    assert set(statuses.values()) == {200}


def test_a_message_is_shown_as_text_and_discarded_with_a_reason(visit: Visiting, admin: User) -> None:
    """Markup inside a rejected message stays text, and discarding it asks why and leaves an audit entry."""
    message = factories.rejected(b'{"log": "<img src=x onerror=alert(1)>"}')
    tab = visit(user=admin)
    tab.open(reverse("admin:tokens_rejectedmessage_change", args=[message.pk]))

    def steps(page: Page) -> tuple[str, str]:
        shown = page.inner_text(".mg-payload")
        page.get_by_role("button", name="Discard…").click()
        page.get_by_label("Reason").fill("sent by a broken exporter")
        page.get_by_role("button", name="Discard", exact=True).click()
        page.wait_for_selector("text=Discarded 1.")
        return shown, page.url

    shown, url = tab.do(steps)
    message.refresh_from_db()
    entry = AuditEntry.objects.get()
    assert shown == '{"log": "<img src=x onerror=alert(1)>"}'
    assert url.endswith(reverse("admin:tokens_rejectedmessage_changelist"))
    assert message.status == "discarded"
    assert (entry.actor, entry.reason, entry.object_id) == ("operator", "sent by a broken exporter", str(message.pk))


def test_keyboard_reaches_search_and_keys_are_copied(visit: Visiting, admin: User, traded: Token) -> None:
    """A slash focuses a list's search, and the shortened mint copies whole."""
    tab = visit(user=admin)
    tab.do(lambda page: page.context.grant_permissions(["clipboard-read", "clipboard-write"]))
    tab.open(reverse("admin:tokens_token_changelist"))

    def search(page: Page) -> str:
        page.keyboard.press("/")
        return str(page.evaluate("document.activeElement.name"))

    def copy(page: Page) -> Any:
        page.locator("[data-copy]").first.click()
        return page.evaluate("navigator.clipboard.readText()")

    assert tab.do(search) == "q"
    tab.open(page_of(traded))
    assert tab.do(copy) == traded.mint_address
