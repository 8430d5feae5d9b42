"""What was kept while a venue was quarantined is played again once it is released."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from tokens.choices import RejectionReason, RejectionStatus
from tokens.models import RejectedMessage
from tokens.services import ingest, quarantine
from tokens.services.playback import Player
from tokens.services.rejections import Retried

_BATCH = 200


def play(*, now: datetime, limit: int = 2_000) -> Retried:
    """Play up to ``limit`` kept messages of released venues again, in the order in which they came; return what came of it.

    One transaction for 200 of them: what still cannot be stored waits again, with the reason of now.
    """
    total = Retried()
    while total.played < limit:
        done = _play_batch(min(_BATCH, limit - total.played), now)
        if not done.played:
            break
        total = Retried(total.played + done.played, total.resolved + done.resolved, total.stored + done.stored)
    return total


@transaction.atomic
def _play_batch(size: int, now: datetime) -> Retried:
    waiting = RejectedMessage.objects.filter(status=RejectionStatus.WAITING, reason=RejectionReason.QUARANTINED)
    released = waiting.exclude(waits_for__in=[ingest.release_of(venue) for venue in quarantine.held()])
    rows = list(released.order_by("observed_at", "id").select_for_update(skip_locked=True)[:size])
    keys = [row.pk for row in rows]
    # Resolved first: a message that is refused again comes back to waiting, with its new reason.
    RejectedMessage.objects.filter(pk__in=keys).update(
        status=RejectionStatus.RESOLVED, resolved_at=now, attempts=F("attempts") + 1
    )
    player = Player(feed="retry", survives=True)
    for row in rows:
        payload = bytes(row.payload)
        player.take(player.decode(source=row.source, payload=payload), source=row.source, payload=payload)
    player.flush(now=now)
    return Retried(len(rows), _resolved(keys), player.stored.transactions)


def _resolved(keys: Sequence[UUID]) -> int:
    return RejectedMessage.objects.filter(pk__in=keys, status=RejectionStatus.RESOLVED).count()
