"""Alerts and venues in a real browser."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page

from megatron.core.clock import utc_now
from tests import factories
from tests.browser.conftest import Visit
from tokens.choices import AlertKind, AlertSeverity, Program
from tokens.models import OperatorAlert
from tokens.services import quarantine

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visiting = Callable[..., Visit]


@pytest.fixture
def admin() -> User:
    return User.objects.create_superuser("operator")


def told() -> None:
    """Raise three alerts and quarantine a venue."""
    now = utc_now()
    when = {"first_seen_at": now, "last_seen_at": now}
    factories.alert(
        message="Pump.fun TradeEvent grew by 8 bytes: seen in slot 455000000, 1,204 times this hour.", **when
    )
    factories.alert(
        kind=AlertKind.PROGRAM_CHANGED,
        message="Pump.fun program changed by slot 455000001: deployed_slot was 400000000, is 454900000.",
        **when,
    )
    factories.alert(acknowledged_at=now, acknowledged_by="bob", message="Hermes has not moved.", **when)
    factories.drift_count(what="TradeEvent.unknown_bytes.8", hour=now, first_seen_at=now, last_seen_at=now)
    factories.fee_recipient(first_seen_at=now)
    factories.program_snapshot(observed_at=now)
    quarantine.start(
        venue=Program.LAUNCHLAB,
        reason="113 of its newest 200 trades cannot be read, in slots 455000000 to 455000026",
        now=now,
    )


def choose(page: Page, action: str, reason: str) -> None:
    """Tick the first row, choose an action, say why and do it."""
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", action)
    page.fill("input[name=reason]", reason)
    page.locator("button[name=index]").first.click()
    page.wait_for_load_state("networkidle")


def test_an_operator_reads_and_acknowledges_what_is_wrong(visit: Visiting, admin: User) -> None:
    """From the overview to the alert, known with a reason; the gravest one is what the overview said."""
    told()
    tab = visit(user=admin)
    tab.open(reverse("admin:index"))
    assert "3 alerts" in tab.do(lambda page: page.locator(".mg-tiles").first.inner_text())
    tab.open(reverse("admin:tokens_operatoralert_changelist") + "?severity__exact=critical")
    tab.do(lambda page: choose(page, "acknowledge", "we are on it"))
    alert = OperatorAlert.objects.get(severity=AlertSeverity.CRITICAL)
    assert alert.acknowledged_by == "operator"


def test_an_operator_releases_a_venue(visit: Visiting, admin: User) -> None:
    """The page of venues says which is quarantined and why; releasing it takes a reason."""
    told()
    tab = visit(user=admin)
    tab.open(reverse("admin:tokens_venuestate_changelist") + "?status__exact=quarantined")
    assert "113 of its newest 200 trades" in tab.do(lambda page: page.inner_text("#result_list"))
    tab.do(lambda page: choose(page, "release", "layout published"))
    assert quarantine.held() == frozenset()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("model", ["operatoralert", "venuestate", "driftcount", "feerecipient", "programsnapshot"])
def test_the_pages_of_change_fit_the_screen(visit: Visiting, admin: User, model: str, width: int) -> None:
    """On a telephone and on a desk, nothing complains and the page itself does not scroll sideways."""
    told()
    tab = visit(user=admin, width=width)
    assert tab.open(reverse(f"admin:tokens_{model}_changelist")) == 200
    assert tab.do(lambda page: page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"))
