"""What every room's HTTP doors are built from."""

from megatron.core.access import HasScope, caller_of
from megatron.core.api import problems
from megatron.core.api.caching import conditional, etag
from megatron.core.api.fields import Amount, DecimalText, Seconds, shown
from megatron.core.api.idempotency import idempotent
from megatron.core.api.pagination import CursorPagination

__all__ = [
    "Amount",
    "CursorPagination",
    "DecimalText",
    "HasScope",
    "Seconds",
    "caller_of",
    "conditional",
    "etag",
    "idempotent",
    "problems",
    "shown",
]
