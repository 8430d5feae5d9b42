"""The operator's doors to tokens, pools, trades, prices and feeds."""

from tokens.admin.candle import CandleAdmin, CandleDueAdmin
from tokens.admin.pool import MilestoneAdmin, PoolAdmin
from tokens.admin.price import SolUsdAdmin
from tokens.admin.rejected import RejectedAdmin
from tokens.admin.stream import CursorAdmin
from tokens.admin.token import TokenAdmin
from tokens.admin.transaction import TransactionAdmin

__all__ = [
    "CandleAdmin",
    "CandleDueAdmin",
    "CursorAdmin",
    "MilestoneAdmin",
    "PoolAdmin",
    "RejectedAdmin",
    "SolUsdAdmin",
    "TokenAdmin",
    "TransactionAdmin",
]
