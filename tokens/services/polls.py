"""Asking the price sources: whose turn it is ▣, their answers outside any transaction, what is believed of them ▣.

Turns are rows, so two polls at once never ask the same source, and a source that fails is asked less and less often.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.transaction import TransactionManagementError

from megatron.clients.errors import ClientError, Refused, TryLater
from megatron.clients.ports import PriceQuote, PriceSource
from megatron.core.transactions import in_transaction
from tokens.choices import AlertKind, AlertSeverity, PriceDrop, PriceOrigin, PriceSourceStatus
from tokens.domain.prices import YOUNG, Quote, Track, Used, followed, judged
from tokens.domain.programs import QUOTE_DECIMALS, WRAPPED_SOL
from tokens.models import PriceSourceState
from tokens.selectors import prices as price_reads
from tokens.selectors.prices import FRESH
from tokens.services import alerts, prices

MINTS = tuple(QUOTE_DECIMALS)
"""What is priced: everything that coins are quoted in."""

EVERY = timedelta(seconds=10)
TURN = timedelta(seconds=5)
"""An answered source is asked again after this: shorter than the beat, so that a late beat loses no turn."""
LEASE = timedelta(seconds=60)
"""The turn of a poll that dies on the way comes again after this."""
WITNESS = timedelta(seconds=60)
"""How old the answer of a source may be that is not asked this time, to be compared with."""
LONGEST_PAUSE = timedelta(minutes=10)
TELL_AFTER = timedelta(minutes=5)
"""A source may fail for this long before an operator hears of it."""

log = structlog.get_logger(__name__)

Answer = Mapping[str, PriceQuote] | Exception


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll came to. ``dropped`` and ``unreachable`` name sources."""

    asked: tuple[str, ...]
    stored: int
    dropped: tuple[str, ...]
    unreachable: tuple[str, ...]


def poll(*, sources: Sequence[PriceSource], now: datetime, mints: Sequence[str] = MINTS) -> Polled:
    """Ask each source whose turn it is, all at once; store what is believed, and of each source what its answer was
    worth.

    Raises ``TransactionManagementError`` inside a transaction: it waits for the network.
    """
    if in_transaction():
        raise TransactionManagementError("Prices are asked for outside any transaction: the answers take seconds.")
    turns = _take_turns([source.name for source in sources], mints, now)
    answers = _ask([source for source in sources if source.name in turns], turns)
    return _settle(turns, answers, now)


def _take_turns(names: Sequence[str], mints: Sequence[str], now: datetime) -> dict[str, list[str]]:
    """Claim what may be asked now; return the mints by source."""
    wanted = {(name, mint) for name in names for mint in mints}
    states = PriceSourceState.objects.filter(source__in=names, mint__in=mints)
    if missing := wanted - set(states.values_list("source", "mint")):
        fresh = (PriceSourceState(source=name, mint=mint, since=now, ask_after=now) for name, mint in sorted(missing))
        PriceSourceState.objects.bulk_create(fresh, ignore_conflicts=True)
    turns: dict[str, list[str]] = {}
    with transaction.atomic():
        due = list(states.filter(ask_after__lte=now).select_for_update().order_by("id"))
        PriceSourceState.objects.filter(pk__in=[state.pk for state in due]).update(
            last_asked_at=now, ask_after=now + LEASE
        )
    for state in due:
        turns.setdefault(state.source, []).append(state.mint)
    return turns


def _ask(sources: Sequence[PriceSource], turns: Mapping[str, Sequence[str]]) -> dict[str, Answer]:
    """Return each source's prices, or what went wrong. One that is slow holds nobody up but the end."""
    if not sources:
        return {}
    with ThreadPoolExecutor(len(sources), thread_name_prefix="prices") as threads:
        asked = {source.name: threads.submit(_asked, source, sorted(turns[source.name])) for source in sources}
    return {name: one.result() for name, one in asked.items()}


def _asked(source: PriceSource, mints: Sequence[str]) -> Answer:
    try:
        return dict(source.get_prices(mints))
    except ClientError as error:
        return error
    except Exception as error:  # whatever one adapter does wrong, the others' prices are stored
        log.exception("prices.adapter_failed", source=source.name)
        return error


def _settle(turns: Mapping[str, Sequence[str]], answers: Mapping[str, Answer], now: datetime) -> Polled:
    """Judge the answers coin by coin and write samples and states, in one transaction."""
    accepted: list[prices.Sample] = []
    told: list[PriceSourceState] = []
    with transaction.atomic():
        mints = {mint for asked in turns.values() for mint in asked}
        states = list(PriceSourceState.objects.select_for_update().filter(mint__in=mints).order_by("id"))
        for mint in sorted(mints):
            of_mint = [state for state in states if state.mint == mint]
            asked = [state for state in of_mint if mint in turns.get(state.source, ())]
            accepted += _judge_coin(mint, asked, [state for state in of_mint if state not in asked], answers, now)
            told += asked
        stored = prices.record(samples=accepted, now=now)
        PriceSourceState.objects.bulk_update(told, _WRITTEN)
    _tell(told, now)
    return Polled(
        asked=tuple(sorted(answers)),
        stored=stored,
        dropped=_named(told, PriceSourceStatus.DROPPED),
        unreachable=_named(told, PriceSourceStatus.UNREACHABLE),
    )


_WRITTEN = (
    "status",
    "reason",
    "since",
    "last_price",
    "last_price_at",
    "unmoved_since",
    "repeats",
    "last_ok_at",
    "ask_after",
    "failures",
    "dropped_count",
    "error",
)


def _tell(told: Sequence[PriceSourceState], now: datetime) -> None:
    """Tell an operator of sources that were not used for a while, and of coins without a fresh price; or that it is over."""
    for state in told:
        subject = f"{state.source} {state.mint}"
        if state.status == PriceSourceStatus.OK:
            if state.since == now:
                alerts.resolve_alert(kind=AlertKind.PRICE_SOURCE, subject=subject, now=now)
        elif now - state.since >= TELL_AFTER and not _is_told_elsewhere(state):
            why = state.error or state.get_reason_display()
            alerts.raise_alert(
                kind=AlertKind.PRICE_SOURCE,
                subject=subject,
                severity=AlertSeverity.WARNING,
                message=f"{state.get_source_display()} is not used since {state.since:%Y-%m-%d %H:%M} UTC: {why}"[
                    :1000
                ],
                now=now,
            )
    if any(state.mint == WRAPPED_SOL for state in told):
        _tell_of_sol(now)


def _is_told_elsewhere(state: PriceSourceState) -> bool:
    """Say whether there is nothing to tell: a coin that a source does not have, or the same failure as for SOL."""
    failed_as_a_whole = state.status == PriceSourceStatus.UNREACHABLE and state.mint != WRAPPED_SOL
    return failed_as_a_whole or state.reason == PriceDrop.ABSENT


def _tell_of_sol(now: datetime) -> None:
    states = PriceSourceState.objects.filter(mint=WRAPPED_SOL)
    if states.filter(status=PriceSourceStatus.OK, last_ok_at__gte=now - FRESH).exists():
        alerts.resolve_alert(kind=AlertKind.PRICE_STALE, subject=WRAPPED_SOL, now=now)
    elif not states.filter(since__gt=now - FRESH).exists():
        alerts.raise_alert(
            kind=AlertKind.PRICE_STALE,
            subject=WRAPPED_SOL,
            severity=AlertSeverity.CRITICAL,
            message="No source gives a price of SOL that can be used: trades stay without USD until one does.",
            now=now,
        )


def _named(states: Iterable[PriceSourceState], status: PriceSourceStatus) -> tuple[str, ...]:
    return tuple(sorted({state.source for state in states if state.status == status}))


def _judge_coin(
    mint: str,
    asked: Sequence[PriceSourceState],
    others: Sequence[PriceSourceState],
    answers: Mapping[str, Answer],
    now: datetime,
) -> list[prices.Sample]:
    """Write into the states what their answers about one coin were worth; return the samples to keep."""
    quotes, tracks = {}, {}
    for state in asked:
        answer = answers[state.source]
        if isinstance(answer, Exception):
            _note_failure(state, answer, now)
        elif mint not in answer:
            _note(state, PriceSourceStatus.DROPPED, PriceDrop.ABSENT, now)
        else:
            one = answer[mint]
            quote = Quote(source=state.source, price_usd=one.price_usd, at=one.at, confidence=one.confidence)
            quotes[state.source], tracks[state.source] = quote, followed(_track(state), quote, now=now)
    witnesses = [seen for state in others if (seen := _witness(state, now)) is not None]
    tracks |= {state.source: track for state in others if (track := _track(state)) is not None}
    if not quotes:
        return []
    last = price_reads.find_used(mint=mint, since=now - YOUNG, until=now)
    used = None if last is None else Used(price_usd=last.price_usd, at=last.price_time)
    verdicts = judged([*quotes.values(), *witnesses], tracks=tracks, last=used, now=now)
    samples = []
    for state in asked:
        if state.source not in quotes:
            continue
        quote, track, verdict = quotes[state.source], tracks[state.source], verdicts[state.source]
        state.last_price, state.last_price_at = track.price, track.at
        state.unmoved_since, state.repeats = track.unmoved_since, track.repeats
        if verdict is None:
            _note(state, PriceSourceStatus.OK, "", now)
            samples.append(
                prices.Sample(quote.at, quote.price_usd, PriceOrigin(state.source), quote.confidence, mint=mint)
            )
        else:
            _note(state, PriceSourceStatus.DROPPED, verdict, now)
    return samples


def _track(state: PriceSourceState) -> Track | None:
    if state.unmoved_since is None:
        return None
    return Track(
        price=state.last_price, at=state.last_price_at, unmoved_since=state.unmoved_since, repeats=state.repeats
    )


def _witness(state: PriceSourceState, now: datetime) -> Quote | None:
    """Return the newest price of a source that is not asked this time, if it was used and is young."""
    at = state.last_price_at
    if state.status != PriceSourceStatus.OK or at is None or now - at > WITNESS:
        return None
    return Quote(source=state.source, price_usd=Decimal(state.last_price), at=at)


def _note(state: PriceSourceState, status: PriceSourceStatus, reason: str, now: datetime) -> None:
    if (state.status, state.reason) != (status, reason):
        state.since = now
    state.status, state.reason, state.failures, state.error = status, reason, 0, ""
    state.ask_after = now + TURN
    if status == PriceSourceStatus.OK:
        state.last_ok_at = now
    else:
        state.dropped_count += 1


def _note_failure(state: PriceSourceState, error: Exception, now: datetime) -> None:
    if state.status != PriceSourceStatus.UNREACHABLE:
        state.since = now
    state.status, state.reason, state.failures = PriceSourceStatus.UNREACHABLE, "", state.failures + 1
    state.error = (str(error) or type(error).__name__)[:500]
    state.ask_after = now + pause(error, failures=state.failures)


def pause(error: Exception, *, failures: int) -> timedelta:
    """Return how long a source is left alone after its ``failures``-th failure in a row: doubling from the beat on, never
    shorter than it asks for, and at once the longest where repeating cannot help."""
    if isinstance(error, Refused):
        return LONGEST_PAUSE
    wait = min(EVERY * (1 << min(failures - 1, 10)), LONGEST_PAUSE)
    if isinstance(error, TryLater) and error.retry_after is not None:
        wait = max(wait, min(error.retry_after, 6 * LONGEST_PAUSE))
    return wait
