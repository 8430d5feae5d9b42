"""Counts of what does not fit our layouts, and the addresses that venues pay their fees to. What is new is told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q, Sum

from megatron.core import ids
from tokens.choices import AlertKind, AlertSeverity, Program, RecipientOrigin
from tokens.domain import drift, programs
from tokens.domain.drift import Sighting
from tokens.models import DriftCount, FeeRecipient, OperatorAlert
from tokens.services import alerts

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)


@dataclass(slots=True)
class Seen:
    """How often one thing was sighted, and where first."""

    count: int = 0
    signature: str | None = None
    slot: int | None = None


_COUNT = """
INSERT INTO drift_counts AS d
    (id, hour, venue, what, count, sample_signature, sample_slot, first_seen_at, last_seen_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (hour, venue, what) DO UPDATE SET
    count = d.count + EXCLUDED.count, last_seen_at = greatest(d.last_seen_at, EXCLUDED.last_seen_at)
"""


def note(*, counts: Mapping[Sighting, Seen], now: datetime) -> dict[Sighting, int]:
    """Add what was sighted to its hour, in the surrounding transaction when there is one, and tell of what is new.

    Return how often each was sighted in the 24 hours before. What was not seen in them opens an alert; while the alert is
    open, acknowledged or not, further sightings are counted in it.
    """
    if not counts:
        return {}
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    with transaction.atomic():
        before = _counted(counts, since=hour - DAY)
        with connection.cursor() as cursor:
            cursor.executemany(
                _COUNT,
                [
                    (ids.new_id(), hour, one.venue.value, one.what, seen.count, seen.signature, seen.slot, now, now)
                    for one, seen in sorted(counts.items())
                ],
            )
        this_hour = _counted(counts, since=hour)
        subjects = {_subject(one): one for one in counts}
        told = OperatorAlert.objects.filter(kind=AlertKind.DRIFT, subject__in=subjects, resolved_at=None)
        is_open = {subjects[subject] for subject in told.values_list("subject", flat=True)}
        for one, seen in sorted(counts.items()):
            if one in is_open or one not in before:
                _tell(one, seen, this_hour[one], now)
    return before


def _counted(sightings: Iterable[Sighting], *, since: datetime) -> dict[Sighting, int]:
    asked = Q()
    for one in sightings:
        asked |= Q(venue=one.venue, what=one.what)
    rows = DriftCount.objects.filter(asked, hour__gte=since).values_list("venue", "what").annotate(sum=Sum("count"))
    return {Sighting(Program(venue), what): count for venue, what, count in rows}


def _subject(sighting: Sighting) -> str:
    return f"{sighting.venue.value} {sighting.what}"


def _tell(sighting: Sighting, seen: Seen, this_hour: int, now: datetime) -> None:
    where = f" in slot {seen.slot}" if seen.slot is not None else ""
    times = "once" if this_hour == 1 else f"{this_hour:,} times"
    alerts.raise_alert(
        kind=AlertKind.DRIFT,
        subject=_subject(sighting),
        severity=AlertSeverity.CRITICAL if drift.is_grave(sighting) else AlertSeverity.WARNING,
        message=f"{drift.in_words(sighting)}: seen{where}, {times} this hour.",
        detail={
            "venue": sighting.venue.value,
            "what": sighting.what,
            "this_hour": this_hour,
            "sample_signature": seen.signature,
            "sample_slot": seen.slot,
        },
        occurrences=seen.count,
        now=now,
    )


def settle(*, now: datetime) -> int:
    """Close alerts about drift that is over: not seen for 24 hours, or for a week where an operator knows of it; return how
    many."""
    quiet = Q(acknowledged_at=None, last_seen_at__lt=now - DAY) | Q(last_seen_at__lt=now - WEEK)
    return alerts.resolve_all(OperatorAlert.objects.filter(quiet, kind=AlertKind.DRIFT), now=now)


def known_recipients() -> set[tuple[Program, str]]:
    """Return the addresses that each venue is known to pay its own fees to."""
    return {(Program(venue), address) for venue, address in FeeRecipient.objects.values_list("venue", "address")}


def learn(
    *,
    recipients: Mapping[tuple[Program, str], str | None],
    origin: RecipientOrigin = RecipientOrigin.EVENT,
    now: datetime,
) -> int:
    """Remember fee recipients, as (venue, address) with the transaction that named it; tell of each that is new; return how
    many were."""
    new = 0
    for (venue, address), signature in sorted(recipients.items()):
        if not programs.is_address(address):
            continue
        with transaction.atomic():
            _, created = FeeRecipient.objects.get_or_create(
                venue=venue,
                address=address,
                defaults={"origin": origin, "first_seen_at": now, "sample_signature": signature},
            )
            if not created:
                continue
            new += 1
            alerts.raise_alert(
                kind=AlertKind.FEE_RECIPIENT,
                subject=f"{venue.value} {address}",
                severity=AlertSeverity.WARNING,
                message=f"{venue.label} pays fees to an address that was not seen before: {address}.",
                detail={
                    "venue": venue.value,
                    "address": address,
                    "sample_signature": signature,
                    "origin": origin.value,
                },
                now=now,
            )
    return new
