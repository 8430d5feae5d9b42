"""Named advisory locks. A lock may save work; only a constraint may save money."""

from django.db import connection

from megatron.core.transactions import require_transaction

LOCKS = {
    "audit.record": 7001,
    "login.attempt": 7006,
    "retention.apply": 7002,
    "score_policy.publish": 7003,
    "scoring.holder": 7004,
    "transactions.update": 7005,
}
"""Name → number, permanent: never renumber, never reuse."""


def hold_until_commit(name: str, *, of: str | None = None) -> None:
    """Wait for the lock ``name`` and keep it until the surrounding transaction ends. Call it before locking any row. With
    ``of`` only those wait for each other that name the same thing.

    Raises ``KeyError`` for a name that is not registered and ``TransactionManagementError`` outside a transaction.
    """
    number = LOCKS[name]
    require_transaction()
    with connection.cursor() as cursor:
        if of is None:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
        else:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [number, of])


def try_hold(name: str) -> bool:
    """Take the lock ``name`` until the surrounding transaction ends, or return ``False`` at once when another has it.

    Raises like :func:`hold_until_commit`.
    """
    number = LOCKS[name]
    require_transaction()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone() == (True,))
