"""What an operator sees of scores and holders: the token's panels, the lists, the overview."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page

from megatron.core.clock import utc_now
from scoring.domain.verdicts import Facts
from scoring.models import TokenScore
from tests import factories
from tests.browser.conftest import Visit
from tests.holders import shown as holders
from tests.scoring import shown as scores
from tokens.models import Token

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visiting = Callable[..., Visit]
CURVE = Facts(progress_pct=Decimal(80), reached_pct=Decimal(70), reached_after_hours=Decimal(1))
LISTS = ("latesttokenscore", "tokenscore", "selloffevent")

# WCAG's contrast of each text of the panels with the ground behind it; a canvas turns any colour into numbers.
WEAK = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (colour, ground) => {
    pen.fillStyle = `rgb(${ground.join(",")})`; pen.fillRect(0, 0, 1, 1);
    pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    return Array.from(pen.getImageData(0, 0, 1, 1).data.slice(0, 3));
  };
  const ground = (element) => {
    const above = element.parentElement ? ground(element.parentElement) : [255, 255, 255];
    return over(getComputedStyle(element).backgroundColor, above);
  };
  const light = (rgb) => rgb.map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const weak = [];
  for (const element of document.querySelectorAll(".mg :is(p, span, strong, li, dt, dd, h2, h3, h4, summary, td, th)")) {
    const text = Array.from(element.childNodes).filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!text || !element.getClientRects().length || element.closest("[data-legend]")) continue;
    const back = ground(element);
    const [one, two] = [light(over(getComputedStyle(element).color, back)), light(back)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (two + 0.05);
    if (contrast < 4.5) weak.push(`${text.slice(0, 30)} ${contrast.toFixed(2)}`);
  }
  return weak;
}"""


@pytest.fixture
def admin() -> User:
    return User.objects.create_superuser("operator", password="correct horse battery")


@pytest.fixture
def scored() -> Token:
    """A token that trades, with an hour of scores, risks, an open sell-off, holders, and a group of wallets."""
    now = utc_now()
    token = factories.token(symbol="WIF", name="Dog Wif Coffee", creation_timestamp=now - timedelta(hours=3))
    factories.transaction(factories.pool(token, last_trade_at=now), block_time=now - timedelta(minutes=1))
    factories.candle(token, bucket=now.replace(second=0, microsecond=0) - timedelta(minutes=2))
    for minutes in range(60, 1, -1):
        at = now - timedelta(minutes=minutes)
        scores.token_score(token, calculated_at=at, technical_score=200 - minutes, holder_score=100 + minutes)
    scores.newest_score(
        token,
        calculated_at=now - timedelta(seconds=40),
        technical_score=210,
        holder_score=Decimal("150.5"),
        available_max=666,
        score_multiplier=Decimal("1.15"),
        facts=CURVE,
    )
    scores.risk(token, timestamp=now - timedelta(minutes=4))
    scores.selloff(token, detection_time=now - timedelta(minutes=6))
    at = now - timedelta(minutes=4)
    holders.snapshot(token, snapshot_time=at)
    holders.quality(token, snapshot_time=at)
    bot = {"class": "bot", "score": "0.5", "evidence": [{"signal": "rhythm", "words": "trades each 7 s"}]}
    for number in range(12):
        holders.holding(token, f"holder {number}", flags=[bot] if number % 2 else [])
    holders.cluster(token, *(f"holder {number}" for number in range(9)))
    return token


def page_of(token: Token) -> str:
    return reverse("admin:tokens_token_change", args=[token.pk])


def test_a_token_shows_its_points_and_who_holds_it(visit: Visiting, admin: User, scored: Token) -> None:
    """Dial and curve say in words what they draw, the course is painted, and an unknown verdict opens with its reason."""
    tab = visit(user=admin)
    tab.open(page_of(scored))

    def steps(page: Page) -> tuple[list[str], Any, str, str]:
        page.wait_for_selector("[data-lines='mg-scores'][data-drawn]")
        drawings = page.eval_on_selector_all("svg[role=img]", "all => all.map((it) => it.getAttribute('aria-label'))")
        legend = page.inner_text("[data-lines='mg-scores'] [data-legend]")
        page.locator("summary", has_text="nobody knows").focus()
        page.keyboard.press("Enter")
        told = page.locator("details[open]").inner_text()
        return drawings, page.get_attribute("[data-lines='mg-scores']", "data-drawn"), legend, told

    drawings, drawn, legend, told = tab.do(steps)
    assert drawings == [
        "415 of 666 points that were to be had: Technical 210 of 333, Holders 150.5 of 333, Social unknown.",
        "Lorenz curve, Gini 0.710. The half of the holders with the least has 10.0 %, the tenth with the most 60.0 %.",
    ]
    assert int(drawn or 0) >= 59
    assert "Total 415" in legend
    assert "Social" not in legend
    assert "no source tells the sentiment" in told


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_scores_fit_narrow_screens_and_can_be_read(visit: Visiting, admin: User, scored: Token, scheme: str) -> None:
    """At 390 pixels nothing scrolls sideways, and each text of the panels has a contrast of 4.5 at least."""
    tab = visit(user=admin, width=390, scheme=scheme)
    score = TokenScore.objects.filter(token=scored).latest("calculated_at")
    paths = [
        page_of(scored),
        reverse("admin:index"),
        reverse("admin:scoring_tokenscore_change", args=[score.pk]),
        *(reverse(f"admin:scoring_{name}_changelist") for name in LISTS),
    ]
    widths, weak = {}, {}
    for path in paths:
        assert tab.open(path) == 200
        widths[path] = tab.do(lambda page: page.evaluate("document.documentElement.scrollWidth"))
        weak[path] = tab.do(lambda page: page.evaluate(WEAK))
    assert widths == dict.fromkeys(paths, 390)
    assert weak == {path: [] for path in paths}


def test_the_overview_leads_to_the_best_and_to_what_falls(visit: Visiting, admin: User, scored: Token) -> None:
    """The best token is a link to its page; the open sell-offs are the list of those that are open."""
    tab = visit(user=admin)
    tab.open(reverse("admin:index"))

    def steps(page: Page) -> tuple[str, str]:
        best = page.locator("section", has=page.get_by_role("heading", name="Which of them score most?"))
        told = best.inner_text()
        page.get_by_role("link", name="Sell-offs").last.click()
        page.wait_for_url("**status__exact=open")
        return told, page.inner_text("#result_list")

    told, falling = tab.do(steps)
    assert "WIF" in told
    assert "415 of 666" in told
    assert "33.3 %" in falling
