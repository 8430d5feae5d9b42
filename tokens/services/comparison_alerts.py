"""Telling operators that the comparison with the chain comes no further, and that feeds stay away."""

from datetime import datetime, timedelta

from megatron.core import display
from tokens.choices import AlertKind, AlertSeverity, Program
from tokens.models import OperatorAlert
from tokens.selectors import feeds, indexing
from tokens.selectors.indexing import Watch
from tokens.services import alerts

AWAY_AFTER = timedelta(minutes=5)
"""A feed that connects again within so long has its gap healed and is not told of."""


def alert_about_stalled(*, has_chain: bool, now: datetime) -> int:
    """Tell operators, a venue an alert, that a watched venue is not compared with the chain any more, whatever the cause,
    and close what is over; return how many are open.

    ``has_chain`` is whether there is a node to ask. Reads only what passes leave behind, so that a dead worker, a node
    that refuses and one that never gives what it lists all look the same: nothing comes further. A quarantined venue is not
    compared on purpose, and its own alert says so.
    """
    told = 0
    for watch in indexing.watches(now=now):
        if not watch.is_stalled and not watch.is_lagging:
            alerts.resolve_alert(kind=AlertKind.FINALITY, subject=watch.venue.value, now=now)
            continue
        told += 1
        alerts.raise_alert(
            kind=AlertKind.FINALITY,
            subject=watch.venue.value,
            severity=AlertSeverity.CRITICAL if watch.is_stalled else AlertSeverity.WARNING,
            message=_said(watch, has_chain=has_chain),
            detail={
                "settled_slot": watch.state and watch.state.settled_slot,
                "unmoved_seconds": int(watch.unmoved.total_seconds()) if watch.unmoved is not None else None,
                "behind_slots": watch.behind_slots,
            },
            now=now,
        )
    return told


def _said(watch: Watch, *, has_chain: bool) -> str:
    venue, unmoved = watch.venue.label, display.span(watch.unmoved or timedelta())
    if not watch.is_stalled:
        behind = display.span(watch.behind or timedelta())
        return f"The comparison of {venue} with the chain is {behind} behind the feeds: missing trades are not found in time."
    error = watch.state.comparison_error if watch.state is not None else ""
    if not has_chain:
        why = "SOLANA_RPC_URL names no node that could be asked."
    elif error:
        why = f"The newest attempt failed: {error}"
    else:
        why = "No attempt failed: see whether a worker of the queue chain runs, and how far the node is."
    return f"{venue} was not compared with the chain for {unmoved}: missing trades are not found. {why}"


def alert_about_away(*, now: datetime) -> int:
    """Tell operators of feeds that are away for longer than :data:`AWAY_AFTER`, and close what is over; return how many are
    told of.

    Critical where the venue has no other live feed that brings something. What a monitor told of a source that gave up
    stays as it is.
    """
    away = feeds.running()
    alive = {lag.cursor.venue for lag in indexing.lags(now=now) if lag.live and lag.silent <= feeds.SILENT
             and (lag.cursor.venue, lag.cursor.source) not in away}  # fmt: skip
    late = {
        f"{source} {venue}": (source, Program(venue), since)
        for (venue, source), since in away.items()
        if now - since > AWAY_AFTER
    }
    told = {alert.subject: alert for alert in OperatorAlert.objects.filter(kind=AlertKind.STREAM, resolved_at=None)}
    for subject, (source, venue, since) in late.items():
        if subject in told and "away_since" not in told[subject].detail:
            continue
        alerts.raise_alert(
            kind=AlertKind.STREAM,
            subject=subject,
            severity=AlertSeverity.WARNING if venue.value in alive else AlertSeverity.CRITICAL,
            message=f"{source} of {venue.label} has been away for {display.span(now - since)}.",
            detail={"away_since": since},
            now=now,
        )
    for subject, alert in told.items():
        if subject not in late and "away_since" in alert.detail:
            alerts.resolve_alert(kind=AlertKind.STREAM, subject=subject, now=now)
    return len(late)
