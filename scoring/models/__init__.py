"""What this room stores."""

from scoring.models.policy import ScorePolicy

__all__ = ["ScorePolicy"]
