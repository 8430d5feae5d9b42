"""Our own errors on the way of a message: one must not stop the others, and somebody has to know of it."""

from datetime import datetime

import structlog

from tokens.choices import AlertKind, AlertSeverity, RejectionReason, RejectionStatus
from tokens.domain.text import storable
from tokens.models import OperatorAlert, RejectedMessage
from tokens.services import alerts

SUBJECT = "messages that failed"

log = structlog.get_logger(__name__)


def tell(error: Exception, *, source: str, count: int = 1, now: datetime) -> str:
    """Log an error with its traceback and alert the operators; return what is kept with the message.

    The alert is open until no message of this kind waits any more.
    """
    told = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no words'}"
    log.error("message.failed", source=source, count=count, exc_info=error)
    alerts.raise_alert(
        kind=AlertKind.STREAM,
        subject=SUBJECT,
        severity=AlertSeverity.CRITICAL,
        message=storable(
            f"Megatron failed on a message of {source}: {told}. It is kept among the rejected messages; play it again once"
            " the error is mended.",
            1_000,
        ),
        occurrences=count,
        now=now,
    )
    return f"failed: {told}"


def settle(*, now: datetime) -> None:
    """Close the alert once nothing that failed waits."""
    open_alert = OperatorAlert.objects.filter(kind=AlertKind.STREAM, subject=SUBJECT, resolved_at=None)
    waiting = RejectedMessage.objects.filter(reason=RejectionReason.FAILED, status=RejectionStatus.WAITING)
    if open_alert.exists() and not waiting.exists():
        alerts.resolve_all(open_alert, now=now)
