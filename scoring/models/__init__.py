"""What this room stores."""

from scoring.models.holder import HolderScore, HolderScoreFreeze
from scoring.models.policy import ScorePolicy
from scoring.models.risk import RiskMetric
from scoring.models.selloff import SelloffEvent
from scoring.models.social import SocialMetric, SocialPoll, SocialScore
from scoring.models.technical import ActivityMetric, TechnicalDue, TechnicalScore
from scoring.models.total import LatestTokenScore, TokenScore

__all__ = [
    "ActivityMetric",
    "HolderScore",
    "HolderScoreFreeze",
    "LatestTokenScore",
    "RiskMetric",
    "ScorePolicy",
    "SelloffEvent",
    "SocialMetric",
    "SocialPoll",
    "SocialScore",
    "TechnicalDue",
    "TechnicalScore",
    "TokenScore",
]
