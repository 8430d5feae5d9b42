"""What stands in a list of the console is what its page's class says."""

import re

import pytest
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.urls import reverse
from django.utils.text import capfirst

PAGES = [(model, type(page)) for model, page in admin.site._registry.items()]


@pytest.mark.parametrize(("model", "page"), PAGES, ids=lambda it: it.__name__)
def test_no_method_of_an_admin_has_the_name_of_a_field(model: type, page: type) -> None:
    """In ``list_display`` the field of that name wins: the method would never run, and the raw value be shown."""
    shadowed = []
    for name in dir(page):
        try:
            model._meta.get_field(name)  # type: ignore[attr-defined]  # any model
        except FieldDoesNotExist:
            continue
        shadowed.append(name)
    assert not shadowed


NAMED_ELSEWHERE = {"auth.user", "django_celery_beat.periodictask", "core.auditentry"}
"""Two of other packages, and the log, whose rows are entries: the menu calls these lists by another name."""


def test_a_list_is_called_the_same_by_the_menu_and_by_its_page() -> None:
    """An operator who follows a link arrives where it said."""
    titles = {
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"): model
        for model in admin.site._registry
    }
    items = [item for group in settings.UNFOLD["SIDEBAR"]["navigation"] for item in group["items"]]
    lists = [(item["title"], titles[str(item["link"])]) for item in items if str(item["link"]) in titles]
    assert len(lists) > 40
    differ = {
        title: str(model._meta.verbose_name_plural)
        for title, model in lists
        if title != capfirst(model._meta.verbose_name_plural) and model._meta.label_lower not in NAMED_ELSEWHERE
    }
    assert differ == {}


def test_no_title_is_made_of_a_class_name() -> None:
    """No "candle1ms": Django's plural of a name with a digit; no "usd" in small letters, no field's abbreviation."""
    for model in admin.site._registry:
        for name in (str(model._meta.verbose_name), str(model._meta.verbose_name_plural)):
            assert not re.search(r"\d\w*s\b|[a-z]\d|\busd\b|\bapi\b|\bdues\b", name), name
