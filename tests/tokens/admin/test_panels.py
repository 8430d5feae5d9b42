"""What the rooms above bring to a token's page."""

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from megatron.core.admin.panels import Panel
from tests import factories
from tokens.models import Token

pytestmark = pytest.mark.django_db


def tile(*, token: Token, now: datetime) -> Panel | None:
    """Bring a tile that names the token and the day."""
    told = {"question": f"{token.symbol} on {now:%A}", "link": "#"}
    return Panel("tests/panel.html", told) if token.symbol else None


@pytest.fixture
def wired(settings: Any) -> None:
    loader = ("django.template.loaders.locmem.Loader", {"tests/panel.html": "<p>{{ it.question }}</p>"})
    templates = settings.TEMPLATES[0]
    options = {**templates["OPTIONS"], "loaders": [loader, *_loaders()]}
    settings.TEMPLATES = [{**templates, "APP_DIRS": False, "OPTIONS": options}]
    settings.TOKEN_PANELS = (f"{__name__}.tile",)


def _loaders() -> list[str]:
    return [f"django.template.loaders.{name}.Loader" for name in ("filesystem", "app_directories")]


@pytest.mark.usefixtures("wired")
def test_a_panel_is_shown_and_one_with_nothing_to_say_is_not(client: Client) -> None:
    """The page hands its token and time to whoever is on the wiring page, and renders what comes back as text."""
    client.force_login(User.objects.create_superuser("operator"))
    told = factories.token(symbol="<b>WIF")
    silent = factories.token(symbol="")
    shown = client.get(reverse("admin:tokens_token_change", args=[told.pk])).content.decode()
    assert "<p>&lt;b&gt;WIF on " in shown
    page = client.get(reverse("admin:tokens_token_change", args=[silent.pk]))
    assert (page.status_code, page.context["panels"]) == (200, [])
