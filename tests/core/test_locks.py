import threading

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from megatron.core import locks


def elsewhere(name: str) -> bool:
    """Return whether another connection could take the lock."""
    answers: list[bool] = []

    def rival() -> None:
        with transaction.atomic():
            answers.append(locks.try_hold(name))
        connection.close()

    thread = threading.Thread(target=rival)
    thread.start()
    thread.join()
    return answers[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("take", [locks.hold_until_commit, locks.try_hold])
def test_a_lock_is_held_until_the_commit(take: object) -> None:
    """A rival is refused inside the transaction and let in after it."""
    with transaction.atomic():
        take("audit.record")  # type: ignore[operator]  # either of two functions of the same shape
        assert not elsewhere("audit.record")
        assert elsewhere("retention.apply")
    assert elsewhere("audit.record")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("take", [locks.hold_until_commit, locks.try_hold])
def test_a_lock_needs_a_transaction(take: object) -> None:
    """Outside a transaction the lock would be gone at once, so it is refused."""
    with pytest.raises(TransactionManagementError, match=r"inside transaction\.atomic"):
        take("audit.record")  # type: ignore[operator]  # either of two functions of the same shape


@pytest.mark.django_db
def test_an_unknown_lock_is_refused() -> None:
    """A name that is not registered is an error of the caller."""
    with pytest.raises(KeyError):
        locks.try_hold("nobody.knows")


def test_no_number_is_used_twice() -> None:
    """Two names never share a lock."""
    assert len(set(locks.LOCKS.values())) == len(locks.LOCKS)
