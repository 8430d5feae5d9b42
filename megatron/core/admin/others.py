"""Pages of other packages' models: accounts and scheduled tasks, guarded as ours are and with booleans as ours."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from celery.exceptions import OperationalError
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django_celery_beat import admin as beat
from django_celery_beat import models as schedules
from django_celery_beat.models import PeriodicTask

from megatron.core import audit, clock
from megatron.core.admin.guard import Guarded, reason_of
from megatron.core.admin.pages import ReasonForm
from megatron.core.booleans import MERIT, NEUTRAL, Booleans

if TYPE_CHECKING:

    class _UserAdmin(UserAdmin[User]):
        """Django's page of accounts takes a type parameter in its stubs only."""
else:
    _UserAdmin = UserAdmin

for _model in (User, Group, PeriodicTask):
    admin.site.unregister(_model)


@admin.register(User)
class AccountAdmin(Guarded, Booleans, _UserAdmin):
    booleans = {"is_active": MERIT, "is_staff": NEUTRAL, "is_superuser": NEUTRAL}


@admin.register(Group)
class GuardedGroupAdmin(Guarded, GroupAdmin):
    """Groups of accounts."""


@admin.register(PeriodicTask)
class ScheduledTaskAdmin(Guarded, Booleans, beat.PeriodicTaskAdmin):
    """Scheduled tasks. The package lets whoever may look at them turn them off and run them."""

    booleans = {"enabled": MERIT, "one_off": NEUTRAL}
    action_form = ReasonForm
    # The package's own has a script in the page, which our policy for scripts refuses.
    change_form_template = None

    @admin.action(description="Enable", permissions=["change"])
    def enable_tasks(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let tasks run again."""
        self._operate(request, queryset, "enable", super().enable_tasks)

    @admin.action(description="Disable", permissions=["change"])
    def disable_tasks(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Keep tasks from running."""
        self._operate(request, queryset, "disable", super().disable_tasks)

    @admin.action(description="Enable those that are off, disable the others", permissions=["change"])
    def toggle_tasks(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Turn each task the other way."""
        self._operate(request, queryset, "toggle", super().toggle_tasks)

    @admin.action(description="Run now", permissions=["change"])
    def run_tasks(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Send tasks to their workers now."""
        self.celery_app.loader.import_default_modules()
        unknown = [task.name for task in queryset if task.task not in self.celery_app.tasks]
        if unknown:
            self.message_user(request, f"Nobody knows the task of: {', '.join(unknown)[:500]}.", messages.ERROR)
            return
        self._operate(request, queryset, "run", super().run_tasks)

    def _operate(
        self, request: HttpRequest, tasks: QuerySet[Any], what: str, act: Callable[[HttpRequest, QuerySet[Any]], None]
    ) -> None:
        """Do it to ``tasks`` and tell the audit log, both or neither."""
        reason = reason_of(self, request)
        if not reason:
            return
        with transaction.atomic():
            keys = list(tasks.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
            chosen = PeriodicTask.objects.filter(pk__in=keys).order_by("pk")
            for task in chosen:
                then = {"enable": True, "disable": False, "toggle": not task.enabled}.get(what, task.enabled)
                audit.record(
                    actor=request.user.get_username(),
                    action=f"scheduled_task.{what}",
                    reason=reason,
                    kind="scheduled_task",
                    key=task.name,
                    before={"enabled": task.enabled},
                    after={"enabled": then},
                    now=clock.utc_now(),
                )
            try:
                act(request, chosen)
            except OperationalError:
                # The entries stay: some may have been sent.
                self.message_user(
                    request, "The broker does not answer: not all of these were started. Try again.", messages.ERROR
                )


def change_own_password(request: HttpRequest) -> HttpResponse:
    """Answer the console's page for an operator's own password, and tell the audit log when he has changed it."""
    with transaction.atomic():
        answer = admin.site.password_change(request)
        if answer.status_code == HTTPStatus.FOUND:
            name = request.user.get_username()
            audit.record(
                actor=name, action="account.password", kind="auth.user", key=request.user.pk, now=clock.utc_now()
            )
    return answer


def _guard(package_admin: type[Any]) -> type[Any]:
    return type(f"Guarded{package_admin.__name__}", (Guarded, package_admin), {"__doc__": "When tasks run."})


for _model, _page in (
    (schedules.ClockedSchedule, beat.ClockedScheduleAdmin),
    (schedules.CrontabSchedule, beat.CrontabScheduleAdmin),
    (schedules.IntervalSchedule, beat.IntervalScheduleAdmin),
    (schedules.SolarSchedule, beat.SolarScheduleAdmin),
):
    admin.site.unregister(_model)
    admin.site.register(_model, _guard(_page))
