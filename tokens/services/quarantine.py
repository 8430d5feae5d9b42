"""A venue that is not understood any more is quarantined: its messages are kept as they came, and stored on release."""

from collections.abc import Sequence, Set
from datetime import datetime

from django.db import transaction
from msgspec.structs import replace

from megatron.core import audit, nudges
from tokens.choices import AlertKind, AlertSeverity, Program, RejectionReason, RejectionStatus, VenueStatus
from tokens.domain.decode import Decoded, Outcome
from tokens.models import RejectedMessage, VenueState
from tokens.services import alerts, ingest
from tokens.services.ingest import release_of

SENTINEL = "drift sentinel"
"""The actor of a quarantine that nobody asked for."""


def held() -> frozenset[Program]:
    """Return the venues that are quarantined now."""
    states = VenueState.objects.filter(status=VenueStatus.QUARANTINED)
    return frozenset(Program(venue) for venue in states.values_list("venue", flat=True))


def know_all() -> None:
    """Write a row for each venue that has none, so that every venue can be looked at and quarantined."""
    known = set(VenueState.objects.values_list("venue", flat=True))
    VenueState.objects.bulk_create(
        [VenueState(venue=venue) for venue in Program if venue not in known], ignore_conflicts=True
    )


@transaction.atomic
def start(*, venue: Program, reason: str, now: datetime, operator: str = SENTINEL) -> bool:
    """Quarantine a venue, with an audit entry and an alert; return whether it was live before. ``reason`` is not empty."""
    if not reason:
        raise ValueError("A quarantine has a reason.")
    VenueState.objects.get_or_create(venue=venue)
    state = VenueState.objects.select_for_update().get(venue=venue)
    if state.status == VenueStatus.QUARANTINED:
        return False
    after: dict[str, object] = {
        "status": VenueStatus.QUARANTINED.value,
        "quarantined_at": now,
        "quarantine_reason": reason,
    }
    _change(state, after, action="venue.quarantine", operator=operator, reason=reason, now=now)
    alerts.raise_alert(
        kind=AlertKind.QUARANTINE,
        subject=venue.value,
        severity=AlertSeverity.CRITICAL,
        message=f"{venue.label} is quarantined: {reason}. Its messages are kept and nothing of it is stored until an "
        "operator releases it.",
        detail={"venue": venue.value, "reason": reason, "by": operator},
        now=now,
    )
    return True


@transaction.atomic
def end(*, venue: Program, operator: str, reason: str, now: datetime) -> int:
    """Release a venue, with an audit entry, and have what was kept of it played again; return how many messages that are.

    ``releases.play`` does it, woken after the commit; 0 as well when the venue is not quarantined.
    """
    state = VenueState.objects.select_for_update().filter(venue=venue, status=VenueStatus.QUARANTINED).first()
    if state is None:
        return 0
    after: dict[str, object] = {"status": VenueStatus.LIVE.value, "quarantined_at": None, "quarantine_reason": ""}
    _change(state, after, action="venue.release", operator=operator, reason=reason, now=now)
    waiting = RejectedMessage.objects.filter(status=RejectionStatus.WAITING, waits_for=release_of(venue))
    kept = waiting.update(reason=RejectionReason.QUARANTINED)
    alerts.resolve_alert(kind=AlertKind.QUARANTINE, subject=venue.value, now=now)
    nudges.ring("venue_released")
    return kept


def _change(
    state: VenueState, after: dict[str, object], *, action: str, operator: str, reason: str, now: datetime
) -> None:
    before = {name: getattr(state, name) for name in after}
    VenueState.objects.filter(pk=state.pk).update(**after)
    audit.record(
        actor=operator,
        action=action,
        reason=reason,
        kind="VenueState",
        key=state.venue,
        before=before,
        after=after,
        now=now,
    )


def touches(decoded: Decoded, *, venues: Set[Program]) -> Program | None:
    """Return the first of ``venues`` that a transaction carries events of, readable or not; ``None`` for none."""
    if not venues:
        return None
    if decoded.refused_by in venues:
        return decoded.refused_by
    of_events = (event.program for event in decoded.events)
    of_drift = (Program(key.partition(".")[0]) for key in decoded.drift)
    return next((program for program in (*of_events, *of_drift) if program in venues), None)


def divide(
    batch: Sequence[ingest.Received], *, venues: Set[Program]
) -> tuple[Sequence[ingest.Received], list[ingest.Rejection]]:
    """Return what of a batch may be stored while ``venues`` are quarantined, and the messages to be kept for their release.

    A transaction that also has events of other venues is both: those are stored now, the rest when it is played again.
    Each message is kept once, by its digest.
    """
    if not venues:
        return batch, []
    free: list[ingest.Received] = []
    kept: list[ingest.Rejection] = []
    for received in batch:
        decoded = received.decoded
        venue = touches(decoded, venues=venues)
        if venue is None:
            free.append(received)
            continue
        detail = f"{venue.label} is quarantined"
        kept.append(ingest.refusal(received, RejectionReason.QUARANTINED, detail, release_of(venue)))
        others = tuple(event for event in decoded.events if event.program not in venues)
        if others and decoded.outcome is not Outcome.UNDECODABLE:
            free.append(ingest.Received(replace(decoded, events=others), received.source, received.payload))
    return free, kept


def store(*, batch: Sequence[ingest.Received], feed: str, now: datetime) -> ingest.Stored:
    """Store a batch as ``ingest.store`` does, but keep what is of quarantined venues: for those who fetch from the chain."""
    with transaction.atomic():
        free, kept = divide(batch, venues=held())
        if kept:
            ingest.keep(rejections=kept, now=now)
        stored = ingest.store(batch=free, feed=feed, now=now, survives=True) if free else ingest.Stored()
    stored.rejected.update(rejection.reason.value for rejection in kept)
    return stored
