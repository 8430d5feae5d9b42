"""What this room stores."""

from tokens.models.candle import CandleDue, PriceCandle, PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m
from tokens.models.pool import Pool, PoolMilestone
from tokens.models.price import SolUsdPrice
from tokens.models.retention import RetentionPolicy
from tokens.models.stream import RejectedMessage, StreamCursor
from tokens.models.token import Token
from tokens.models.transaction import Transaction

__all__ = [
    "CandleDue",
    "Pool",
    "PoolMilestone",
    "PriceCandle",
    "PriceCandle1d",
    "PriceCandle1h",
    "PriceCandle1m",
    "PriceCandle5m",
    "RejectedMessage",
    "RetentionPolicy",
    "SolUsdPrice",
    "StreamCursor",
    "Token",
    "Transaction",
]
