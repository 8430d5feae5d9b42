"""What the console's pages may load and run: a real Chromium reports whatever our policy refuses."""

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_shield_05_the_forms_of_scheduled_tasks_obey_the_policy(visit: Callable[..., Visit]) -> None:
    """Adding and changing one, its schedules, accounts and groups: no script or style of theirs is refused."""
    root = User.objects.create_superuser("root")
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    crontab = CrontabSchedule.objects.create(minute="7")
    task = PeriodicTask.objects.create(name="one", task="tokens.tasks.roll_candles", interval=every)
    PeriodicTask.objects.create(name="two", task="tokens.tasks.roll_candles", crontab=crontab)
    rows = (task, every, crontab, root, Group.objects.create(name="ops"))
    tab = visit(user=root)
    for row in rows:
        names = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        for address in (
            reverse(f"{names}_add"),
            *(reverse(f"{names}_{it}", args=[row.pk]) for it in ("change", "delete", "history")),
        ):
            assert tab.open(address) == 200, address
    tab.open(reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]))
    tab.do(lambda page: page.fill("#id_description", "seen in a browser"))
    tab.do(lambda page: page.click("[name=_save]"))
    tab.do(lambda page: page.wait_for_url("**/periodictask/"))
    task.refresh_from_db()
    assert task.description == "seen in a browser"


def test_shield_05_every_list_and_form_of_the_console_obeys_the_policy(visit: Callable[..., Visit]) -> None:
    """Every page's list, and the form of a new row where there is one."""
    root = User.objects.create_superuser("root")
    tab = visit(user=root)
    for model, page in admin.site._registry.items():
        names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert tab.open(reverse(f"{names}_changelist")) == 200, names
        if page.opts.app_label in ("auth", "core", "django_celery_beat") and model._meta.model_name != "auditentry":
            assert tab.open(reverse(f"{names}_add")) == 200, names
    for name in ("index", "password_change"):
        assert tab.open(reverse(f"admin:{name}")) == 200
