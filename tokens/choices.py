"""The words of this room."""

from django.db.models import IntegerChoices, TextChoices


class Platform(TextChoices):
    """Where a token was launched."""

    PUMPFUN = "pumpfun", "Pump.fun"
    RAYDIUM_LAUNCHPAD = "raydium_launchpad", "Raydium LaunchLab"
    UNKNOWN = "unknown", "Unknown"  # first seen on an AMM, its launch was not observed


class Venue(TextChoices):
    """Which program runs a pool."""

    PUMPFUN = "pumpfun", "Pump.fun curve"
    PUMPSWAP = "pumpswap", "PumpSwap"
    RAYDIUM_LAUNCHPAD = "raydium_launchpad", "Raydium LaunchLab"
    RAYDIUM = "raydium", "Raydium AMM v4"
    RAYDIUM_CPMM = "raydium_cpmm", "Raydium CPMM"
    MOONSHOT = "moonshot", "Moonshot"
    METEORA = "meteora", "Meteora"


class PoolType(TextChoices):
    """What a pool is to its token."""

    INITIAL = "initial", "Launch curve"
    GRADUATED = "graduated", "Graduated pool"
    PERMISSIONLESS = "permissionless", "Side pool"  # anyone can open one: never prices the token


class PoolStatus(TextChoices):
    ACTIVE = "active", "Active"
    COMPLETE = "complete", "Complete, waiting for migration"
    MIGRATED = "migrated", "Migrated"


class TransactionType(TextChoices):
    BUY = "buy", "Buy"
    SELL = "sell", "Sell"
    ADD_LIQUIDITY = "add_liquidity", "Add liquidity"
    REMOVE_LIQUIDITY = "remove_liquidity", "Remove liquidity"


class Commitment(IntegerChoices):
    """How settled a slot was when we read it; the numbers are Solana's own (Yellowstone CommitmentLevel)."""

    PROCESSED = 0, "Processed"
    CONFIRMED = 1, "Confirmed"
    FINALIZED = 2, "Finalized"


class PriceOrigin(TextChoices):
    """Sources of SOL/USD, in the order in which they are believed (decision T8)."""

    HERMES = "hermes", "Pyth Hermes"
    JUPITER = "jupiter", "Jupiter"
    PYTH = "pyth", "Pyth on chain"
    BIRDEYE = "birdeye", "Birdeye"
    IMPORTED = "imported", "Imported by an operator"


class PriceSourceStatus(TextChoices):
    """What a price source's newest answer was worth."""

    WAITING = "waiting", "Not answered yet"
    OK = "ok", "Used"
    DROPPED = "dropped", "Dropped"
    UNREACHABLE = "unreachable", "Unreachable"


class PriceDrop(TextChoices):
    """Why a source's price was not used."""

    ABSENT = "absent", "The source has no price for it"
    NOT_POSITIVE = "not_positive", "Not a positive number"
    FROM_FUTURE = "from_future", "Its time is in the future"
    STALE = "stale", "Too old"
    UNSURE = "unsure", "The source itself is not sure enough"
    FROZEN = "frozen", "Does not move any more"
    FAR_OFF = "far_off", "Far from what the others say"
    DISPUTED = "disputed", "The sources disagree and nothing tells who is right"
    JUMPED = "jumped", "A jump that no other source confirms"


class CandleInterval(IntegerChoices):
    """Length of a candle in seconds."""

    M1 = 60, "1m"
    M5 = 300, "5m"
    H1 = 3600, "1h"
    D1 = 86400, "1d"


class RejectionReason(TextChoices):
    """Why a message could not be stored. The first group waits for a fact, the second for a repair."""

    NO_BLOCK_TIME = "no_block_time", "Waits: the message carries no block time"
    NO_SLOT = "no_slot", "Waits: the message carries no slot"
    NEEDS_TRANSACTION = "needs_transaction", "Waits: the log alone does not name mint and trader"
    UNKNOWN_POOL = "unknown_pool", "Waits: the pool's mints are not known yet"
    TRUNCATED = "truncated", "Waits: the log was cut, the whole transaction is needed"
    UNDECODABLE = "undecodable", "Not decodable"
    NOT_STORABLE = "not_storable", "Decoded, but it cannot be stored"
    QUARANTINED = "quarantined", "Set aside with its venue, played again on release"
    FAILED = "failed", "Our own error while it was handled"


class RejectionStatus(TextChoices):
    WAITING = "waiting", "Waiting"
    RESOLVED = "resolved", "Resolved"
    DISCARDED = "discarded", "Discarded by an operator"
    NOISE = "noise", "Noise: nothing that an operator does makes a row of it"


class Program(TextChoices):
    """The launchpad programs that are decoded, by the name that ``manage.py decode`` prints."""

    PUMPFUN = "pumpfun", "Pump.fun"
    PUMPSWAP = "pumpswap", "PumpSwap"
    LAUNCHLAB = "launchlab", "Raydium LaunchLab"


class EventKind(TextChoices):
    """What an event says. Every decoded event has one; only some become rows."""

    CREATE = "create", "Token created"
    BUY = "buy", "Buy"
    SELL = "sell", "Sell"
    COMPLETE = "complete", "Curve complete"
    MIGRATE = "migrate", "Migrated to an AMM"
    CREATE_POOL = "create_pool", "Pool created"
    DEPOSIT = "deposit", "Liquidity added"
    WITHDRAW = "withdraw", "Liquidity removed"
    CREATOR_FEE = "creator_fee", "Creator fee collected or distributed"
    SWEEP_FEE = "sweep_fee", "Parked fee paid out"
    RESERVES = "reserves", "Reserves changed without a trade"
    CREATOR = "creator", "Creator or fee settings changed"
    OTHER = "other", "Other event of the program"


class GapCause(TextChoices):
    """How it became known that something may be missing."""

    DISCONNECT = "disconnect", "The feed was away"
    RESTART = "restart", "The monitor was away"
    COVERAGE = "coverage", "A slot of the chain of which nothing came"
    MISSED = "missed", "A transaction of the chain that did not come"
    CONSERVATION = "conservation", "Reserves that do not follow from the trade before"
    OPERATOR = "operator", "An operator asked for it"


class GapOutcome(TextChoices):
    """How a gap ended."""

    HEALED = "healed", "Healed"  # what was missing is stored
    EMPTY = "empty", "Nothing was missing"  # the chain lists nothing that we do not have
    ACCEPTED = "accepted", "Accepted by an operator"


class VenueStatus(TextChoices):
    LIVE = "live", "Not quarantined"  # whether a feed brings something of it is another question
    QUARANTINED = "quarantined", "Quarantined: messages are kept, not stored"


class ProcessKind(TextChoices):
    """Which kind of process a row of ``system_metrics`` speaks of."""

    MONITOR = "monitor", "Monitor of a stream"
    WORKER = "worker", "Celery worker"


class AlertKind(TextChoices):
    """What an operator is told of; each is raised by a service."""

    DRIFT = "drift", "Events changed"
    FEE_RECIPIENT = "fee_recipient", "New fee recipient"
    PROGRAM_CHANGED = "program_changed", "Program or its settings changed"
    QUARANTINE = "quarantine", "Venue quarantined"
    GAP = "gap", "Gap that does not heal"
    STREAM = "stream", "Stream away, or a message failed"
    FINALITY = "finality", "Chain comparison stalled"
    PRICE_SOURCE = "price_source", "Price source not used"
    PRICE_STALE = "price_stale", "No fresh price"
    CREDITS = "credits", "Provider credits run low"


class AlertSeverity(TextChoices):
    """How soon somebody has to look."""

    INFO = "info", "For information"
    WARNING = "warning", "Look today"
    CRITICAL = "critical", "Look now"


class RecipientOrigin(TextChoices):
    """From where a fee recipient is known."""

    PUBLISHED = "published", "Published by the venue"
    EVENT = "event", "Named by an event"
    ACCOUNT = "account", "Named by the venue's configuration account"
