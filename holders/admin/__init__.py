"""The operator's pages of this room."""

from holders.admin.credits import CreditsAdmin
from holders.admin.jobs import JobAdmin

__all__ = ["CreditsAdmin", "JobAdmin"]
