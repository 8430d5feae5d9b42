"""What this room stores."""

from tokens.models.alert import OperatorAlert
from tokens.models.candle import (
    AggregateDue,
    CandleDue,
    PriceCandle,
    PriceCandle1d,
    PriceCandle1h,
    PriceCandle1m,
    PriceCandle5m,
)
from tokens.models.drift import DriftCount, FeeRecipient, ProgramSnapshot
from tokens.models.metadata import TokenMetadata
from tokens.models.metric import SystemMetric
from tokens.models.pool import CurrentPool, Pool, PoolChain, PoolMilestone
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
from tokens.models.traded import TokenTraded
from tokens.models.transaction import Transaction

__all__ = [
    "AggregateDue",
    "CandleDue",
    "ChainReorg",
    "CurrentPool",
    "DriftCount",
    "FeeRecipient",
    "OperatorAlert",
    "Pool",
    "PoolChain",
    "PoolMilestone",
    "PriceCandle",
    "PriceCandle1d",
    "PriceCandle1h",
    "PriceCandle1m",
    "PriceCandle5m",
    "PriceSourceState",
    "ProgramSnapshot",
    "QuoteUsdPrice",
    "RejectedMessage",
    "RetentionPolicy",
    "SlotGap",
    "SolUsdPrice",
    "SourceTally",
    "StreamCursor",
    "StreamSighting",
    "SystemMetric",
    "Token",
    "TokenMetadata",
    "TokenTraded",
    "Transaction",
    "VenueState",
]
