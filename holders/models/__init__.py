"""What this room stores."""

from holders.models.credit import ApiCreditUsage

__all__ = ["ApiCreditUsage"]
