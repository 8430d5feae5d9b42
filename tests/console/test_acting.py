"""Who may act in the console, and that each act leaves its entry: every action and every address of every page is pressed.

Pages, actions and addresses are found from the site, so a new one is pressed too; a model that has none of its rows here
yet fails until it says how one is made.
"""

from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from celery.app.task import Task
from celery.exceptions import OperationalError
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.urls import URLPattern, reverse
from django_celery_beat import models as beat

from megatron.core import api_keys
from megatron.core.admin.guard import Guarded, needed
from megatron.core.models import ApiKey, AuditEntry
from tests import factories, feeds
from tests.factories import NOON
from tests.holders import building
from tokens import models as tokens
from tokens.choices import VenueStatus
from tokens.services import quarantine

pytestmark = pytest.mark.django_db

PAGES = list(admin.site._registry.items())
LATER = NOON + timedelta(days=36_500)
ROOMY = {"waiting": {"due_at": LATER}, "aside": {"quarantined_at": NOON, "last_error": "a test"}}


def work(make: Callable[..., Any]) -> Callable[[str], Any]:
    """Return what makes a row that the action can move."""
    return lambda action: make(**ROOMY["aside" if action == "release" else "waiting"])


def venue(action: str) -> Any:
    quarantine.know_all()  # as the list does for whoever looks
    quarantined = {"status": VenueStatus.QUARANTINED, "quarantined_at": NOON, "quarantine_reason": "a test"}
    row, _ = tokens.VenueState.objects.update_or_create(
        venue="pumpfun", defaults=quarantined if action == "release" else {}
    )
    return row


def periodic(action: str) -> Any:
    every, _ = beat.IntervalSchedule.objects.get_or_create(every=7, period="seconds")
    return beat.PeriodicTask.objects.create(
        name="pressed", task="tokens.tasks.roll_candles", interval=every, enabled=action != "enable_tasks"
    )


MAKERS: dict[str, Callable[[str], Any]] = {
    "auth.user": lambda _: User.objects.create(username="pressed"),
    "auth.group": lambda _: Group.objects.create(name="pressed"),
    "core.apikey": lambda _: api_keys.issue(name="pressed", scopes=["read"], actor="test", now=NOON)[0],
    "django_celery_beat.periodictask": periodic,
    "django_celery_beat.intervalschedule": lambda _: beat.IntervalSchedule.objects.create(every=9, period="days"),
    "django_celery_beat.crontabschedule": lambda _: beat.CrontabSchedule.objects.create(minute="7"),
    "django_celery_beat.solarschedule": lambda _: beat.SolarSchedule.objects.create(
        event="sunrise", latitude=1, longitude=2
    ),
    "django_celery_beat.clockedschedule": lambda _: beat.ClockedSchedule.objects.create(clocked_time=NOON),
    "tokens.operatoralert": lambda _: factories.alert(),
    "tokens.slotgap": work(feeds.gap),
    "tokens.tokenmetadata": work(factories.metadata),
    "tokens.rejectedmessage": lambda _: factories.rejected(),
    "tokens.retentionpolicy": lambda _: tokens.RetentionPolicy.objects.order_by("table_name").first(),
    "tokens.venuestate": venue,
    "holders.holderscorejob": work(building.job),
}
ADDED: dict[str, dict[str, str]] = {
    "auth.user": {"username": "new", "password1": "correct horse battery", "password2": "correct horse battery"},
    "auth.group": {"name": "new"},
    "core.apikey": {"name": "new", "scopes": "read", "rate_per_minute": "5"},
    "django_celery_beat.periodictask": {"name": "new", "task": "tokens.tasks.roll_candles"},
    "django_celery_beat.intervalschedule": {"every": "11", "period": "days"},
    "django_celery_beat.crontabschedule": {"minute": "11"},
    "django_celery_beat.solarschedule": {"event": "sunset", "latitude": "3", "longitude": "4"},
    "django_celery_beat.clockedschedule": {"clocked_time_0": "2026-12-02", "clocked_time_1": "12:00:00"},
}
CHANGED: dict[str, dict[str, str]] = {
    "auth.user": {"first_name": "Ann"},
    "auth.group": {"name": "other"},
    "django_celery_beat.periodictask": {"description": "other"},
    "django_celery_beat.intervalschedule": {"every": "12"},
    "django_celery_beat.crontabschedule": {"minute": "12"},
    "django_celery_beat.solarschedule": {"latitude": "5"},
    "django_celery_beat.clockedschedule": {"clocked_time_1": "13:00:00"},
    "tokens.retentionpolicy": {"drop_after": "36500"},
}
READS = ("changelist", "history", "tokens_find", "tokens_token_candles", "scoring_scorepolicy_compare")
"""Ends of the names of addresses that change nothing, whoever posts to them."""


def actions() -> list[tuple[Any, Any, str]]:
    """Return every action of every page, those that no operator is offered too."""
    return [
        (model, page, name)
        for model, page in PAGES
        if page.actions is not None
        for _, name, _ in page._get_base_actions()
    ]


def named(it: Any) -> str:
    return it if isinstance(it, str) else getattr(it, "__name__", type(it).__name__)


def operator(*kinds: str, model: Any = None) -> Client:
    """Return an operator with permissions of these kinds, on one model or on all."""
    user = User.objects.create_user("op", password="correct horse battery", is_staff=True)
    wanted = Permission.objects.filter(codename__regex=f"^({'|'.join(kinds)})_")
    if model is not None:
        wanted = wanted.filter(
            content_type__app_label=model._meta.app_label, content_type__model=model._meta.model_name
        )
    user.user_permissions.set(wanted)
    client = Client()
    client.force_login(user)
    return client


def everything() -> dict[str, Any]:
    """Return what may not change unseen: how many rows each table has, and the rows of those that can be acted on."""
    found: dict[str, Any] = {"audit": AuditEntry.objects.count(), "log": LogEntry.objects.count()}
    for label in MAKERS:
        model = apps.get_model(label)
        found[label] = sorted(map(str, model._default_manager.values()))
    found["permissions"] = list(User.user_permissions.through.objects.values_list())
    return found


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were sent to workers."""
    names: list[str] = []
    monkeypatch.setattr(Task, "apply_async", lambda self, *_, **__: names.append(self.name))
    return names


def press(client: Client, model: Any, action: str, row: Any) -> Any:
    said = dict.fromkeys(("reason", "accept_reason", "discard_reason"), "because")
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return client.post(page, {"action": action, "_selected_action": str(row.pk), "index": "0", "post": "yes", **said})


@pytest.mark.parametrize(("model", "page", "action"), actions(), ids=named)
def test_shield_05_an_action_is_refused_to_who_may_only_look(
    model: Any, page: Any, action: str, sent: list[str]
) -> None:
    """With every permission to view, posting the action changes no row, sends no task and leaves no entry."""
    client, row = operator("view"), MAKERS[model._meta.label_lower](action)
    before = everything()
    press(client, model, action, row)
    assert everything() == before
    assert sent == []


@pytest.mark.parametrize(("model", "page", "action"), actions(), ids=named)
def test_shield_05_an_action_leaves_its_entry(model: Any, page: Any, action: str, sent: list[str], rf: Any) -> None:
    """With the permissions of this model alone the action does something, and the audit log says who did it."""
    client, row = operator("view", "add", "change", "delete", model=model), MAKERS[model._meta.label_lower](action)
    request = rf.get("/")
    request.user = User.objects.create_superuser("root")
    before, entries = everything(), set(AuditEntry.objects.values_list("pk", flat=True))
    press(client, model, action, row)
    if action not in page.get_actions(request):
        # Facts are never deleted, not even by the superuser, who is not offered it.
        request.user.delete()
        assert action == "delete_selected"
        assert model._default_manager.filter(pk=row.pk).exists()
        return
    new = AuditEntry.objects.exclude(pk__in=entries)
    assert {entry.actor for entry in new} == {"op"}
    assert everything() != before | {"audit": before["audit"] + len(new)} or sent


@pytest.mark.parametrize(("model", "page"), PAGES, ids=named)
def test_shield_05_every_page_is_guarded(model: Any, page: Any) -> None:
    """Each page is a guarded one, no list is edited in place, and unfold's own kinds of buttons are not used: whoever needs
    one writes its test."""
    assert isinstance(page, Guarded)
    assert not page.list_editable
    for kind in ("actions_list", "actions_row", "actions_detail", "actions_submit_line"):
        assert not getattr(page, kind, ())
    for inline in page.inlines:
        assert inline.can_delete is False
        assert not set(inline.fields) - set(inline.readonly_fields)
    for function, name, _ in page._get_base_actions() if page.actions is not None else ():
        assert needed(function), f"{name} names no permission but the one to look"


def test_shield_05_an_action_without_a_permission_needs_the_one_to_change(rf: Any) -> None:
    """Also one of another package that forgot to name any, and one that names the permission to view."""

    def open_to_all(*_: Any) -> None: ...
    def for_readers(*_: Any) -> None: ...

    for_readers.allowed_permissions = ["view"]  # type: ignore[attr-defined]  # as Django's decorator does

    class Page(Guarded, admin.ModelAdmin):  # type: ignore[type-arg]  # takes a type parameter in its stubs only
        actions = (open_to_all, for_readers)

    page, request = Page(Group, admin.site), rf.get("/")
    request.user = User.objects.create_user("reader", is_staff=True)
    request.user.user_permissions.set(Permission.objects.filter(codename="view_group"))
    assert page.get_actions(request) == {}
    request.user = User.objects.create_superuser("root")
    assert {"open_to_all", "for_readers"} <= set(page.get_actions(request))


@pytest.mark.parametrize(("model", "page"), PAGES, ids=named)
def test_shield_05_no_address_does_anything_for_who_may_only_look(model: Any, page: Any, sent: list[str]) -> None:
    """What is posted to a form, a deletion or a page of our own is refused and changes nothing."""
    maker = MAKERS.get(model._meta.label_lower)
    row = maker("") if maker else None
    client, before = operator("view"), everything()
    for url in filter(lambda it: it.name, page.get_urls()):
        name, values = str(url.name), _values(url, row)
        answer = client.post(
            reverse(f"admin:{name}", kwargs=values),
            {"post": "yes", "reason": "x", "publish": "1", "usable_password": "true", "set-password": "1"}
            | {"password1": "correct horse battery 2", "password2": "correct horse battery 2"},
        )
        assert everything() == before, name
        assert sent == []
        if not name.endswith(READS) and (row is not None or not values):
            assert answer.status_code == 403, name


def _values(url: URLPattern, row: Any) -> dict[str, Any]:
    """Return what fills the address: the row's key, or one that nothing has."""
    key = str(row.pk) if row else "00000000-0000-7000-8000-000000000000"
    if url.pattern.converters:
        return dict.fromkeys(url.pattern.converters, key)
    return {"id": key} if url.pattern.regex.groups else {}  # Django's page of a password has an expression


class Form(HTMLParser):
    """What a browser would send of a page's forms."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self._select = self._area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        it = dict(attrs)
        name, value = it.get("name") or "", it.get("value") or ""
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            self._area = name
            self.values[name] = ""
        elif tag == "option" and "selected" in it:
            self.values[self._select] = value
        elif tag == "input" and name and it.get("type") not in ("submit", "button"):
            ticked = it.get("type") not in ("checkbox", "radio") or "checked" in it
            self.values |= {name: value or ("on" if it.get("type") == "checkbox" else "")} if ticked else {}

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data


def fill(client: Client, path: str, said: dict[str, str]) -> Any:
    page = client.get(path).content.decode()
    values = {name: value for name, value in Form(page).values.items() if name not in ("q", "key", "")}
    return client.post(path, values | said)


@pytest.mark.parametrize(("model", "page"), PAGES, ids=named)
def test_shield_05_what_a_form_does_is_in_the_audit_log(model: Any, page: Any, rf: Any) -> None:
    """A new row, a changed one and a removed one, wherever the site lets an operator make them."""
    request = rf.get("/")
    request.user = User.objects.create_superuser("root")
    client, label = Client(), model._meta.label_lower
    client.force_login(request.user)
    names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    may = {
        "add": page.has_add_permission(request),
        "change": page.has_change_permission(request),
        "delete": page.has_delete_permission(request),
    }
    if may["add"]:
        said = dict(ADDED[label])
        if label == "django_celery_beat.periodictask":
            said["interval"] = str(beat.IntervalSchedule.objects.create(every=3, period="days").pk)
        fill(client, reverse(f"{names}_add"), said)
        assert AuditEntry.objects.filter(actor="root").count() == 1, "adding"
    if not may["change"] and not may["delete"]:
        return
    row = MAKERS[label]("")
    if may["change"]:
        before = AuditEntry.objects.count()
        answer = fill(client, reverse(f"{names}_change", args=[row.pk]), CHANGED[label])
        assert answer.status_code == 302, answer.content.decode()[:200]
        assert AuditEntry.objects.count() == before + 1, "changing"
    if may["delete"]:
        before = AuditEntry.objects.count()
        client.post(reverse(f"{names}_delete", args=[row.pk]), {"post": "yes"})
        assert AuditEntry.objects.count() == before + 1, "removing"
        assert AuditEntry.objects.order_by("-sequence").values_list("action", "object_id")[0] == (
            "console.delete",
            str(row.pk),
        )


def test_shield_05_a_password_is_changed_with_an_entry() -> None:
    """An operator's own, and somebody else's; neither the old nor the new one is in the log."""
    client = operator("view", "change")
    said = {
        "old_password": "correct horse battery",
        "new_password1": "staple staple 42",
        "new_password2": "staple staple 42",
    }
    assert client.post("/console/password_change/", {**said, "old_password": "wrong"}).status_code == 200
    assert not AuditEntry.objects.exists()
    assert client.post("/console/password_change/", said).status_code == 302
    assert AuditEntry.objects.get().action == "account.password"
    other = User.objects.create_user("other")
    said = {"password1": "staple staple 43", "password2": "staple staple 43", "usable_password": "true"}
    client.post(reverse("admin:auth_user_password_change", args=[other.pk]), {**said, "set-password": "1"})
    other.refresh_from_db()
    assert other.check_password("staple staple 43")
    assert AuditEntry.objects.order_by("-sequence")[0].action == "console.change"
    assert "staple" not in str(list(AuditEntry.objects.values()))


def test_shield_05_a_scheduled_task_is_turned_off_with_a_reason() -> None:
    """Without one nothing happens; with one the entry says what was and what is."""
    client, row = operator("view", "change"), periodic("")
    page = reverse("admin:django_celery_beat_periodictask_changelist")
    for reason in ("", "too dear"):
        client.post(page, {"action": "toggle_tasks", "_selected_action": [row.pk], "reason": reason, "index": "0"})
        row.refresh_from_db()
        assert row.enabled is (not reason)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason, entry.object_id) == ("scheduled_task.toggle", "too dear", "pressed")
    assert (entry.before, entry.after) == ({"enabled": True}, {"enabled": False})


def test_shield_05_a_task_that_cannot_be_sent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the broker away the page says so and the entry stays; a task that nobody knows is not ordered at all."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(Task, "apply_async", refuse)
    client, row = operator("view", "change"), periodic("")
    page = reverse("admin:django_celery_beat_periodictask_changelist")
    said = {"action": "run_tasks", "_selected_action": [row.pk], "reason": "now", "index": "0"}
    assert "The broker does not answer" in client.post(page, said, follow=True).content.decode()
    assert AuditEntry.objects.get().action == "scheduled_task.run"
    beat.PeriodicTask.objects.filter(pk=row.pk).update(task="nobody.knows")
    assert "Nobody knows the task of: pressed" in client.post(page, said, follow=True).content.decode()
    assert AuditEntry.objects.count() == 1


def test_shield_05_a_deletion_that_fails_leaves_no_entry(rf: Any) -> None:
    """Rows and entries go together."""
    group = Group.objects.create(name="stays")
    page = admin.site._registry[Group]
    request = rf.post("/")
    request.user = User.objects.create_superuser("root")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;"
            "CREATE TRIGGER no BEFORE DELETE ON auth_group FOR EACH ROW EXECUTE FUNCTION pg_temp.no()"
        )
    with pytest.raises(Exception, match="no"):
        page.delete_queryset(request, Group.objects.filter(pk=group.pk))
    assert Group.objects.filter(pk=group.pk).exists()
    assert not AuditEntry.objects.exists()


def test_shield_05_models_are_known() -> None:
    """Each model whose rows can be acted on says above how one is made."""
    acted = {model._meta.label_lower for model, _, _ in actions()}
    assert acted <= set(MAKERS)
    assert ApiKey._meta.label_lower in acted
