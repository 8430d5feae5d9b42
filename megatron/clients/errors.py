"""What may go wrong outside the house, told by what to do about it. Every transport error is exactly one of these.

ClientError
├── TryLater         the same call may be repeated
├── Refused          repeating will not help; an operator should look
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


class Refused(ClientError):
    """The other side will not do it: a wrong key, a wrong question, a plan that does not include it."""


class Malformed(ClientError):
    """The other side answered with something else than was agreed: a page, half a reply, too much, another shape."""


class OutcomeUnknown(ClientError):
    """A write may have happened or not: nobody knows until it is looked up."""
