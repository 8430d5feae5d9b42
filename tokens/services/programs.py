"""Programs and their settings, looked at each hour: a row when one differs from the row before, and a word to operators."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.ports import Account, ChainReader
from tokens.choices import AlertKind, AlertSeverity, Program, RecipientOrigin
from tokens.domain import accounts
from tokens.domain.accounts import Watched
from tokens.domain.decode import Undecodable
from tokens.domain.programs import PROGRAMS
from tokens.models import ProgramSnapshot
from tokens.services import alerts, drift

log = structlog.get_logger(__name__)


def watch(*, chain: ChainReader, now: datetime) -> int:
    """Look at each venue's program and settings through ``chain`` and return how many changed.

    The first look at an account only remembers it. One that cannot be read now is passed over until the next time.
    """
    changed = 0
    for watched, account in _looked_at(chain):
        with transaction.atomic():
            changed += _compare(watched, account, now)
    return changed


def _looked_at(chain: ChainReader) -> Iterator[tuple[Watched, Account]]:
    for watched in (*_programs(chain), *accounts.SETTINGS):
        account = _ask(chain, watched.address)
        if account is not None:
            yield watched, account


def _programs(chain: ChainReader) -> Iterator[Watched]:
    for address, venue in PROGRAMS.items():
        account = _ask(chain, address)
        if account is None or not account.data:
            continue
        try:
            code = accounts.program_data_address(account.data)
        except Undecodable as refusal:
            log.warning("program.not_upgradeable", venue=venue.value, detail=refusal.detail)
            continue
        yield Watched(venue, "program", code, accounts.program_data)


def _ask(chain: ChainReader, address: str) -> Account | None:
    """Return an account, an empty one where the chain has none; ``None`` when nobody can tell now."""
    try:
        found = chain.get_account(address)
    except (TryLater, Refused, Malformed) as error:
        log.warning("program.not_read", address=address, error=str(error))
        return None
    return found or Account(slot=_newest_slot(chain), owner="", data=b"")


def _newest_slot(chain: ChainReader) -> int:
    """Return the newest final slot; 0, which is older than any answer, when nobody can tell."""
    try:
        return chain.get_slot(finalized=True)
    except (TryLater, Refused, Malformed):
        return 0


def _compare(watched: Watched, account: Account, now: datetime) -> bool:
    before = ProgramSnapshot.objects.filter(address=watched.address).order_by("-observed_at").first()
    if before is not None and (account.slot < before.slot or now <= before.observed_at):
        return False  # a node that lags behind
    details = _details(watched, account)
    digest = hashlib.sha256(json.dumps([len(account.data), details], sort_keys=True).encode()).hexdigest()
    if before is not None and before.digest == digest:
        return False
    after = ProgramSnapshot.objects.create(
        venue=watched.venue,
        role=watched.role,
        address=watched.address,
        observed_at=now,
        slot=account.slot,
        length=len(account.data),
        digest=digest,
        details=details,
    )
    if before is not None:
        _tell(watched, before, after, now)
    found = dict.fromkeys(((watched.venue, address) for address in accounts.recipients(details)), None)
    drift.learn(recipients=found, origin=RecipientOrigin.ACCOUNT, now=now)
    return before is not None


def _details(watched: Watched, account: Account) -> dict[str, Any]:
    if not account.data:
        return {"absent": True}
    try:
        return watched.read(account.data)
    except Undecodable as refusal:
        return {"unreadable": refusal.detail, "sha256": hashlib.sha256(account.data).hexdigest()}


def _tell(watched: Watched, before: ProgramSnapshot, after: ProgramSnapshot, now: datetime) -> None:
    told = accounts.changes(before.details, after.details)
    if before.length != after.length:
        told.insert(0, f"{before.length:,} bytes became {after.length:,}")
    lost = "unreadable" in after.details or "absent" in after.details
    venue = Program(watched.venue).label
    alerts.raise_alert(
        kind=AlertKind.PROGRAM_CHANGED,
        subject=f"{watched.venue.value} {watched.role}",
        severity=AlertSeverity.CRITICAL if lost else AlertSeverity.WARNING,
        message=f"{venue} {watched.role.replace('_', ' ')} changed by slot {after.slot}: {'; '.join(told)}.",
        detail={"address": watched.address, "before": before.details, "after": after.details},
        now=now,
    )
