"""The operator's pages of this room."""

from holders.admin.credits import CreditsAdmin

__all__ = ["CreditsAdmin"]
