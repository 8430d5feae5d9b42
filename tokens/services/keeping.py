"""What an operator says about how long things are kept: policies changed, and a run asked for. Each is audited."""

from datetime import datetime
from typing import Any

from django.db import transaction

from megatron.core import audit, nudges
from tokens.models import RetentionPolicy

CHANGEABLE = ("drop_after", "compress_after", "segment_by", "order_by", "export_before_drop", "note")
_KIND = "tokens.retentionpolicy"


@transaction.atomic
def change(*, policy: RetentionPolicy, operator: str, now: datetime) -> None:
    """Store what an operator changed about one policy, with an entry of before and after; the next run obeys it.

    Raises ``ValidationError`` for a policy that could not be obeyed.
    """
    stored = RetentionPolicy.objects.select_for_update().get(pk=policy.pk)
    before = _figures(stored)
    for name in CHANGEABLE:
        setattr(stored, name, getattr(policy, name))
    stored.full_clean()
    if (after := _figures(stored)) == before:
        return
    stored.save(update_fields=CHANGEABLE)
    audit.record(
        actor=operator,
        action="retention.change",
        kind=_KIND,
        key=stored.table_name,
        before=before,
        after=after,
        now=now,
    )


@transaction.atomic
def ask_to_apply(*, operator: str, reason: str, now: datetime) -> None:
    """Wake the worker that drops what is expired, and note who asked; without a worker the hourly run does it."""
    audit.record(actor=operator, action="retention.apply", kind=_KIND, key="all", reason=reason, now=now)
    nudges.ring("retention_asked")


def _figures(policy: RetentionPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in CHANGEABLE}
