"""What this room stores."""

from scoring.models.holder import HolderScore, HolderScoreFreeze
from scoring.models.policy import ScorePolicy
from scoring.models.risk import RiskMetric
from scoring.models.social import SocialMetric, SocialPoll, SocialScore
from scoring.models.total import LatestTokenScore, TokenScore

__all__ = [
    "HolderScore",
    "HolderScoreFreeze",
    "LatestTokenScore",
    "RiskMetric",
    "ScorePolicy",
    "SocialMetric",
    "SocialPoll",
    "SocialScore",
    "TokenScore",
]
