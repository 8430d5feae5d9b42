"""The operator's doors to tokens, pools, trades, prices and feeds."""

from tokens.admin.alert import AlertAdmin
from tokens.admin.candle import CandleAdmin, CandleDueAdmin
from tokens.admin.comparison import ReorgAdmin, TallyAdmin
from tokens.admin.gap import GapAdmin
from tokens.admin.metadata import TokenMetadataAdmin
from tokens.admin.metric import MetricAdmin
from tokens.admin.pool import MilestoneAdmin, PoolAdmin
from tokens.admin.price import QuoteUsdAdmin, SolUsdAdmin
from tokens.admin.rejected import RejectedAdmin
from tokens.admin.retention import RetentionAdmin
from tokens.admin.stream import CursorAdmin
from tokens.admin.token import TokenAdmin
from tokens.admin.transaction import TransactionAdmin
from tokens.admin.venue import DriftAdmin, RecipientAdmin, SnapshotAdmin, VenueAdmin

__all__ = [
    "AlertAdmin",
    "CandleAdmin",
    "CandleDueAdmin",
    "CursorAdmin",
    "DriftAdmin",
    "GapAdmin",
    "MetricAdmin",
    "MilestoneAdmin",
    "PoolAdmin",
    "QuoteUsdAdmin",
    "RecipientAdmin",
    "RejectedAdmin",
    "ReorgAdmin",
    "RetentionAdmin",
    "SnapshotAdmin",
    "SolUsdAdmin",
    "TallyAdmin",
    "TokenAdmin",
    "TokenMetadataAdmin",
    "TransactionAdmin",
    "VenueAdmin",
]
