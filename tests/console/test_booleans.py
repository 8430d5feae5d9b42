"""Yes and no in the console: whether they are good or bad depends on what is asked, and unknown is neither."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.models import User
from django.db.models import UUIDField
from django.test import Client
from django.urls import reverse

from holders.admin.balances import HolderAdmin
from megatron.core import booleans, ids
from megatron.core.booleans import DANGER, MERIT, NEUTRAL, Booleans, Meaning, pill
from megatron.core.templatetags.console import danger
from tests import factories
from tests.holders import shown
from tests.scoring import shown as scored

pytestmark = pytest.mark.django_db

ADMINS = list(admin.site._registry.items())


def columns(model: Any) -> set[str]:
    return {field.name for field in model._meta.get_fields() if field.concrete and booleans.is_boolean(field)}


@pytest.mark.parametrize(("model", "page"), ADMINS, ids=lambda it: getattr(it, "__name__", type(it).__name__))
def test_truth_23_every_boolean_of_every_page_says_what_yes_means(model: Any, page: Any) -> None:
    """Each column is declared a danger, a merit or neutral, and no page draws Django's ticks and crosses."""
    if columns(model):
        assert isinstance(page, Booleans)
        assert set(page.booleans) == columns(model)
        assert set(page.boolean_known) <= columns(model)
    for name in (*page.list_display, *page.readonly_fields):
        shows = name if callable(name) else getattr(page, str(name), None)
        assert not getattr(shows, "boolean", False), name


def test_truth_23_no_page_of_a_row_shows_a_boolean_without_its_meaning(rf: Any) -> None:
    """Where rows are only read, also in fields that stand side by side."""
    request = rf.get("/")
    request.user = User.objects.create(username="reader", is_staff=True)
    for model, page in ADMINS:
        if columns(model):
            key = ids.new_id() if isinstance(model._meta.pk, UUIDField) else 1
            named = flatten_fieldsets(page.get_fieldsets(request, model(pk=key)))
            assert columns(model).isdisjoint(name for name in named if isinstance(name, str)), model
            assert columns(model).isdisjoint(page.get_list_display(request)), model


@pytest.mark.parametrize(
    ("value", "meaning", "said", "tone"),
    [
        (True, DANGER, "Detected", "mg-pill-sell"),
        (False, DANGER, "Not detected", "mg-pill-active"),
        (None, DANGER, "Unknown", ""),
        (True, MERIT, "Yes", "mg-pill-active"),
        (False, MERIT, "No", "mg-pill-complete"),
        (None, MERIT, "Unknown", ""),
        (True, NEUTRAL, "Yes", ""),
        (False, NEUTRAL, "No", ""),
        (None, NEUTRAL, "Unknown", ""),
    ],
)
def test_truth_23_colours_of_yes_and_no(value: bool | None, meaning: Meaning, said: str, tone: str) -> None:
    """No danger is green, a danger is red, and what nobody knows has no colour."""
    drawn = pill(value, meaning)
    assert f">{said}<" in drawn
    assert [name for name in ("mg-pill-sell", "mg-pill-active", "mg-pill-complete") if name in drawn] == [
        name for name in [tone] if name
    ]
    if meaning is DANGER:
        assert danger(value) == drawn


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_truth_23_a_risk_record_has_green_red_and_grey_signs(console: Client) -> None:
    """The row's own page and the token's page say the same of each sign."""
    token = factories.token()
    signs = {
        "creator_dumping": {"seen": True, "words": "He sold."},
        "insider_selling": {"seen": False, "words": "They hold."},
        "coordinated_buying": {"seen": None, "words": "No trade is known."},
    }
    risk = scored.risk(token, evidence=signs, creator_dumping=True, insider_selling=False, coordinated_buying=None)
    own = console.get(reverse("admin:scoring_riskmetric_change", args=[risk.pk])).content.decode()
    page = console.get(reverse("admin:tokens_token_change", args=[token.pk])).content.decode()
    for text in (own, page):
        assert 'mg-pill-sell">Detected</span>' in text
        assert 'mg-pill-active">Not detected</span>' in text
        assert 'mg-pill">Unknown</span>' in text
    assert "text-red" not in own.split("Insider selling")[1][:300]


def test_truth_23_a_wallet_that_nobody_judged_is_not_found_harmless(console: Client) -> None:
    """The columns say no by default; only a judged wallet is shown as no bot, also outside."""
    token = factories.token()
    unknown = shown.holding(token, "unknown", flags=None, flagged_at=None)
    judged = shown.holding(token, "judged", is_bot=True)
    cells = HolderAdmin(type(unknown), admin.site)
    show = booleans.cell(type(unknown), "is_bot", DANGER, cells.boolean_known["is_bot"])
    assert ">Unknown<" in show(unknown)
    assert ">Detected<" in show(judged)
    text = console.get(reverse("admin:holders_tokenholder_change", args=[unknown.pk])).content.decode()
    assert "Not detected" not in text
