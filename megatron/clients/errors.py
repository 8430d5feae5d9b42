"""What may go wrong outside the house, told by what to do about it. Every transport error is exactly one of these.

ClientError
├── TryLater         the same call may be repeated
│   └── NotGiven     this node does not have what the chain may well have
├── Refused          repeating will not help; an operator should look
│   └── BudgetSpent  the credits of this piece of work are used up: nothing was asked
├── Malformed        the reply is not what was agreed; a programmer should look
└── OutcomeUnknown   a write may have happened: look it up, never repeat it blindly
"""

from datetime import timedelta


class ClientError(Exception):
    """Something outside failed."""


class TryLater(ClientError):
    """The same call may be repeated: nothing was done. ``retry_after`` is how long the other side asks to wait, if it
    says so."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotGiven(TryLater):
    """The node that answered does not have it, which says nothing about the chain: another node may, or the same one later."""


class Refused(ClientError):
    """The other side will not do it: a wrong key, a wrong question, a plan that does not include it."""


class BudgetSpent(Refused):
    """The call would cost more credits than its piece of work may: it was not made. Nobody outside has failed."""


class Malformed(ClientError):
    """The other side answered with something else than was agreed: a page, half a reply, too much, another shape."""


class OutcomeUnknown(ClientError):
    """A write may have happened or not: nobody knows until it is looked up."""
