"""Why rows that are old enough to go must stay for now. Whoever drops asks here, and again inside the transaction that drops."""

from datetime import datetime, timedelta

from tokens.models import CandleDue, RetentionPolicy, StreamCursor

ROLLED_UP = frozenset({"transactions", "price_candles_1m"})
"""What candles are computed from: nothing of it is dropped while a candle of that time is still due (decision C5)."""

REPLAYS = frozenset({"replay", "retry"})
"""Feeds that speak of captures. Retention begins with the first live one."""


class StillNeeded(Exception):
    """What was about to be dropped must stay: its transaction must be rolled back."""


def without_live_feed() -> str:
    """Return why nothing at all may go before the first live feed has stored something, or an empty text."""
    if StreamCursor.objects.exclude(source__in=REPLAYS).exists():
        return ""
    return "no live feed has begun: what an operator replays or imports on purpose is not taken away again"


def reason(*, table: str, until: datetime) -> str:
    """Return why nothing of ``table`` before ``until`` may go yet, or an empty text."""
    if table not in ROLLED_UP:
        return ""
    due = CandleDue.objects.filter(bucket__lt=until).count()
    return f"{due} candles of that time are still due" if due else ""


def require_policy(*, table: str, drop_after: timedelta, exports: bool) -> None:
    """Raise :class:`StillNeeded` if the policy of ``table`` is not the one that the caller obeys any more.

    Call it before the rows go: who changes the policy then waits for the caller's transaction, and the next one sees the change.
    """
    policy = RetentionPolicy.objects.select_for_update().filter(table_name=table).first()
    if policy is None or (policy.drop_after, policy.export_before_drop) != (drop_after, exports):
        raise StillNeeded("its policy was changed meanwhile, the next run obeys it")


def require_unneeded(*, table: str, until: datetime) -> None:
    """Raise :class:`StillNeeded` if a candle is due that needs what was dropped in this transaction.

    Call it after the rows are gone and before the commit: who came before was waited for, and has said what is due.
    """
    if said := reason(table=table, until=until):
        raise StillNeeded(said)
