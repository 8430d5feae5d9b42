"""The accounts of calls, as programs and operators read them."""

from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from megatron.core import api_keys
from megatron.core.choices import Scope
from tests.factories import NOON
from tests.holders.building import usage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon(settings: Any) -> Any:
    settings.CREDITS_PER_MONTH = {"helius": 100}
    with time_machine.travel(NOON, tick=False):
        yield


def ask(client: Client, path: str) -> Any:
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    return client.get(path, headers={"Authorization": f"Api-Key {key}"})


def test_a_program_reads_budgets_and_endpoints(client: Client) -> None:
    """Used, left and projected credits of the month, and each endpoint's three windows."""
    usage(credits_used=25)
    assert ask(client, "/api/v1/credits/").json() == {
        "at": "2026-07-03T12:00:00Z",
        "budgets": [
            {"provider": "helius", "limit": 100, "used": 25, "left": 75, "projected": 126, "used_ratio": "0.25"}
        ],
        "endpoints": [
            {
                "provider": "helius",
                "endpoint": "getTransaction",
                "today": 25,
                "last_7_days": 25,
                "last_30_days": 25,
                "calls": 1,
                "failed": 0,
                "mean_ms": 120,
            }
        ],
    }


def test_an_unknown_parameter_is_refused(client: Client) -> None:
    """There is nothing to choose, and silence would hide a mistake."""
    answer = ask(client, "/api/v1/credits/?provider=helius")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "provider")


def test_a_stranger_reads_no_accounts(client: Client) -> None:
    """Without a key the answer is 401, and the desk asks for the login."""
    assert client.get("/api/v1/credits/").status_code == 401
    assert client.get(reverse("admin:holders_apicreditusage_changelist")).status_code == 302


def test_the_desk_shows_budgets_days_and_endpoints(client: Client) -> None:
    """What is short stands out; an endpoint has its failures, a day its point."""
    usage(credits_used=90)
    usage(credits_used=1, endpoint="getSlot", status_code=None, error_message="ReadTimeout")
    client.force_login(User.objects.create_superuser("operator"))
    answer = client.get(reverse("admin:holders_apicreditusage_changelist"))
    page = answer.content.decode()
    assert [(it.provider, it.left, it.is_short) for it in answer.context["budgets"]] == [("helius", 9, True)]
    assert answer.context["days"]["lines"] == [{"name": "helius", "points": [[1783036800, 91]]}]
    assert page.count("mg-text-bad") == 2
    assert "ReadTimeout" in page


def test_an_empty_desk_says_what_to_do(client: Client, settings: Any) -> None:
    """Without calls and without budgets both cards explain themselves."""
    settings.CREDITS_PER_MONTH = {}
    client.force_login(User.objects.create_superuser("operator"))
    page = client.get(reverse("admin:holders_apicreditusage_changelist")).content.decode()
    assert "No provider has a budget" in page
    assert "No call was made in 30 days" in page
