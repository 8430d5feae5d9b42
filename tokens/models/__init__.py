"""What this room stores."""

from tokens.models.candle import CandleDue, PriceCandle, PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m
from tokens.models.metric import SystemMetric
from tokens.models.pool import Pool, PoolMilestone
from tokens.models.price import PriceSourceState, QuoteUsdPrice, SolUsdPrice
from tokens.models.retention import RetentionPolicy
from tokens.models.stream import (
    ChainReorg,
    RejectedMessage,
    SlotGap,
    SourceTally,
    StreamCursor,
    StreamSighting,
    VenueState,
)
from tokens.models.token import Token
from tokens.models.transaction import Transaction

__all__ = [
    "CandleDue",
    "ChainReorg",
    "Pool",
    "PoolMilestone",
    "PriceCandle",
    "PriceCandle1d",
    "PriceCandle1h",
    "PriceCandle1m",
    "PriceCandle5m",
    "PriceSourceState",
    "QuoteUsdPrice",
    "RejectedMessage",
    "RetentionPolicy",
    "SlotGap",
    "SolUsdPrice",
    "SourceTally",
    "StreamCursor",
    "SystemMetric",
    "StreamSighting",
    "Token",
    "Transaction",
    "VenueState",
]
