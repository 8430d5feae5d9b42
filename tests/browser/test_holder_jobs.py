"""The desk of the queue of analyses in a real browser."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from holders.choices import JobReason
from holders.models import HolderScoreJob
from megatron.core.clock import utc_now
from tests import factories
from tests.browser.conftest import Visit
from tests.browser.test_alerts import choose
from tests.holders.building import job, usage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visiting = Callable[..., Visit]
DESK = "/console/holders/holderscorejob/"


@pytest.fixture
def admin() -> User:
    return User.objects.create_superuser("operator")


def fill() -> None:
    """Create jobs of every kind, and a month of which three quarters are used."""
    now = utc_now()
    usage(timestamp=now, credits_used=760_000)
    jobs: tuple[dict[str, Any], ...] = (
        {"priority": 1100, "reason": JobReason.MILESTONE_CROSSED},
        {"priority": 900, "reason": JobReason.FIRST_ANALYSIS},
        {"priority": 600, "attempts": 1, "leased_until": now + timedelta(minutes=9)},
        {"priority": 400, "attempts": 2, "last_error": "TryLater: Helius answered 429, ask again in a minute"},
        {"priority": 200},
        {"priority": 50, "due_at": now + timedelta(minutes=20)},
        {
            "priority": 300,
            "attempts": 3,
            "quarantined_at": now,
            "last_error": "Malformed: The reply is a page, not data.",
        },
        {"priority": 800, "finished_at": now, "paid_at": now, "credits_used": 312, "reason": JobReason.VELOCITY_CHANGE},
    )
    for number, fields in enumerate(jobs):
        token = factories.token(
            symbol=("WIF", "BONK", "POPCAT", "A LONG SYMBOL OF A TOKEN", "X", "Y", "Z", "MOON")[number]
        )
        asked = now - timedelta(minutes=3 * number + 1)
        job(**{"token_mint": token.mint_address, "scheduled_at": asked, "due_at": asked, **fields})


def test_an_operator_sets_the_first_job_aside(visit: Visiting, admin: User) -> None:
    """From the desk's line of a tier to its jobs; one is set aside with a reason, and the desk counts it."""
    fill()
    tab = visit(user=admin)
    tab.open(DESK)
    assert "Ultra critical" in tab.do(lambda page: page.locator(".mg-grid").inner_text())
    tab.open(f"{DESK}?tier=ultra_critical&state=waiting")
    tab.do(lambda page: choose(page, "quarantine", "looks wrong"))
    assert HolderScoreJob.objects.get(priority=1100).last_error == "looks wrong"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_desk_fits_the_screen(visit: Visiting, admin: User, width: int, scheme: str) -> None:
    """On a telephone and on a desk, by day and by night, nothing complains and the page does not scroll sideways."""
    fill()
    tab = visit(user=admin, width=width, scheme=scheme)
    assert tab.open(DESK) == 200
    assert tab.do(lambda page: page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"))
