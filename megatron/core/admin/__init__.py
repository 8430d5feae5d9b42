"""What every room's console pages are built from."""

from megatron.core.admin.guard import Guarded
from megatron.core.admin.others import AccountAdmin, ScheduledTaskAdmin
from megatron.core.admin.pages import FactAdmin, WorkAdmin
from megatron.core.admin.reading import BoundedPaginator, EstimatedPaginator, ExactSearch
from megatron.core.admin.registered import ApiKeyAdmin, AuditEntryAdmin

__all__ = [
    "AccountAdmin",
    "ApiKeyAdmin",
    "AuditEntryAdmin",
    "BoundedPaginator",
    "EstimatedPaginator",
    "ExactSearch",
    "FactAdmin",
    "Guarded",
    "ScheduledTaskAdmin",
    "WorkAdmin",
]
