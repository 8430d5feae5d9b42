"""Whether a database transaction is open. What waits (network, sleep, a step of work) must never stand inside one."""

from django.db import connection
from django.db.transaction import TransactionManagementError


def in_transaction() -> bool:
    """Return whether a transaction is open here. The one that a test case wraps around every test does not count."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def require_transaction() -> None:
    """Raise ``TransactionManagementError`` when no transaction is open."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("This must run inside transaction.atomic(): it holds until the commit.")
