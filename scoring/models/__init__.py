"""What this room stores."""

from scoring.models.holder import HolderScore, HolderScoreFreeze
from scoring.models.policy import ScorePolicy
from scoring.models.risk import RiskMetric

__all__ = ["HolderScore", "HolderScoreFreeze", "RiskMetric", "ScorePolicy"]
