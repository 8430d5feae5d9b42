"""What an operator says about how long things are kept: policies changed, and a run asked for. Each is audited."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from megatron.core import audit, nudges
from megatron.core.timescale import policies
from tokens.models import RetentionPolicy
from tokens.services import jobs

CHANGEABLE = ("drop_after", "compress_after", "segment_by", "order_by", "export_before_drop", "note")
_KIND = "tokens.retentionpolicy"


@transaction.atomic
def change(*, policy: RetentionPolicy, operator: str, now: datetime) -> None:
    """Store what an operator changed about one policy, with an entry of before and after. It holds from the commit on: the job
    that compresses follows in the same transaction, and what drops reads the policy each time.

    Raises ``ValidationError`` for a policy that could not be obeyed, and then nothing has changed.
    """
    stored = RetentionPolicy.objects.select_for_update().get(pk=policy.pk)
    before = _figures(stored)
    for name in CHANGEABLE:
        setattr(stored, name, getattr(policy, name))
    stored.full_clean()
    if (after := _figures(stored)) == before:
        return
    stored.save(update_fields=CHANGEABLE)
    if policies.level(connection) == "community" and stored.table_name in jobs.followed():
        try:
            jobs.follow(stored.table_name)
        except DatabaseError as error:
            raise ValidationError(f"TimescaleDB does not take it: {(str(error).splitlines() or [''])[0]}") from error
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
