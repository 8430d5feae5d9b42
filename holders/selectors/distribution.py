"""Snapshots, holdings and differences of tokens, for lists."""

from django.db.models import QuerySet

from holders.models import HolderSnapshot, TokenHolder
from tokens.domain.programs import MAYHEM_AGENT


def newest(*, token_mint: str) -> HolderSnapshot | None:
    """Return the newest snapshot of a token, ``None`` without one."""
    return snapshots(token_mint=token_mint).order_by("-snapshot_time").first()


def snapshots(*, token_mint: str) -> QuerySet[HolderSnapshot]:
    """Return the snapshots of a token, unordered."""
    return HolderSnapshot.objects.filter(token_mint=token_mint)


def holders(*, token_mint: str, everybody: bool = False) -> QuerySet[TokenHolder]:
    """Return who holds a token, unordered; with ``everybody`` also those who have left. The mayhem agent is no holder (T15):
    the snapshot's list of those left out has it."""
    rows = TokenHolder.objects.filter(token_mint=token_mint).exclude(wallet_address=MAYHEM_AGENT)
    return rows if everybody else rows.filter(current_balance__gt=0)
