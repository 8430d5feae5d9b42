"""The operator's pages of this room, a module a subject."""

from scoring.admin.holder import HolderScoreAdmin, HolderScoreFreezeAdmin, RiskMetricAdmin
from scoring.admin.policy import ScorePolicyAdmin
from scoring.admin.score import LatestTokenScoreAdmin, TokenScoreAdmin
from scoring.admin.selloff import SelloffEventAdmin
from scoring.admin.social import SocialMetricAdmin, SocialPollAdmin, SocialScoreAdmin
from scoring.admin.technical import ActivityMetricAdmin, TechnicalDueAdmin, TechnicalScoreAdmin

__all__ = [
    "ActivityMetricAdmin",
    "HolderScoreAdmin",
    "HolderScoreFreezeAdmin",
    "LatestTokenScoreAdmin",
    "RiskMetricAdmin",
    "ScorePolicyAdmin",
    "SelloffEventAdmin",
    "SocialMetricAdmin",
    "SocialPollAdmin",
    "SocialScoreAdmin",
    "TechnicalDueAdmin",
    "TechnicalScoreAdmin",
    "TokenScoreAdmin",
]
