"""The console's pages of score policies: errors in words, a preview before anything is stored, two versions compared."""

import json
from copy import deepcopy
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from scoring.models import ScorePolicy
from scoring.services import totals
from tests import factories
from tests.factories import NOON
from tests.scoring import parts

pytestmark = pytest.mark.django_db

NEW, LIST = "/console/scoring/scorepolicy/new/", "/console/scoring/scorepolicy/"


@pytest.fixture
def operator(client: Client) -> Client:
    """An operator who may do everything."""
    client.force_login(User.objects.create_superuser("ada"))
    return client


def terms(**high: Any) -> dict[str, Any]:
    """Return the active terms with another high ratio."""
    found = deepcopy(ScorePolicy.objects.get(active=True).terms)
    found["total"].update(high)
    return found


def posted(client: Client, found: Any, **fields: Any) -> Any:
    """Send the form with ``found`` as terms."""
    written = found if isinstance(found, str) else json.dumps(found)
    return client.post(NEW, {"terms": written, "on_top_of": 1, **fields})


def test_an_operator_previews_and_publishes(operator: Client) -> None:
    """The preview says who would move; the second click, with a reason, publishes what was previewed."""
    token = factories.token(symbol="MOVES")
    parts.holder(token)
    totals.refresh(mints=[token.mint_address], now=NOON)
    wanted = terms()
    wanted["holder"]["wallet_age_days"] = [{"points": "11"}]
    page = posted(operator, wanted, preview="1")
    assert page.context["preview"].moved == 1
    assert "MOVES" in page.content.decode()
    assert ScorePolicy.objects.count() == 1
    sent = {"publish": "1", "reason": "Age says less", "previewed": page.context["previewed"]}
    done = posted(operator, wanted, **sent)
    made = ScorePolicy.objects.get(version=2)
    assert (done.status_code, done["Location"]) == (302, f"{LIST}{made.pk}/change/")
    assert (made.active, made.created_by, made.reason) == (True, "ada", "Age says less")
    shown = operator.get(done["Location"]).content.decode()
    assert "holder.wallet_age_days" in shown


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{", "This is not JSON (line 1, column 2)"),
        ("[]", "Write the terms as one JSON object"),
        (terms, "total.high_ratio: write a ratio above 0 and at most 1."),
    ],
)
def test_what_cannot_be_is_said_in_words(operator: Client, written: Any, said: str) -> None:
    """The form keeps what was written, says what is wrong, and stores nothing."""
    page = posted(operator, written(high_ratio="7") if callable(written) else written, preview="1")
    assert page.status_code == 422
    assert said in page.context["refusal"]
    assert ScorePolicy.objects.count() == 1


def test_nothing_is_published_unseen(operator: Client) -> None:
    """Without a reason, without a preview of these very terms, or on top of an old version."""
    wanted = terms(high_ratio="0.8")
    unseen = posted(operator, wanted, publish="1", reason="Quick")
    assert "since the preview" in unseen.context["notice"]
    previewed = {"previewed": unseen.context["previewed"], "publish": "1"}
    assert "Say why" in posted(operator, wanted, **previewed).context["refusal"]
    stale = posted(operator, wanted, **previewed, reason="Late", on_top_of=9)
    assert "Version 1 is active by now, not 9." in stale.context["refusal"]
    assert ScorePolicy.objects.count() == 1


def test_two_versions_are_compared(operator: Client) -> None:
    """By their numbers; a number that is none says so."""
    ScorePolicy.objects.create(version=2, terms=terms(high_ratio="0.8"), reason="Try", created_by="ada")
    page = operator.get(f"{LIST}compare/?first=1&second=2")
    assert (page.status_code, page.context["differences"]) == (200, [("total.high_ratio", "0.70", "0.8")])
    assert operator.get(f"{LIST}compare/?first=1&second=9").context["refusal"] == (
        "There is no version 9 of the score policy."
    )
    assert operator.get(f"{LIST}compare/?first=x").status_code == 422


def test_who_may_only_look_publishes_nothing(client: Client) -> None:
    """The list is open to him, the form is not."""
    reader = User.objects.create_user("eve", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_scorepolicy"))
    client.force_login(reader)
    assert "New version" not in client.get(LIST).content.decode()
    assert (client.get(NEW).status_code, posted(client, terms()).status_code) == (403, 403)
