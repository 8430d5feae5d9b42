"""Our own numbers for Prometheus. Services count (``metrics.stored.inc(n)``); the address ``/metrics`` shows.

Each process counts for itself. With ``PROMETHEUS_MULTIPROC_DIR`` they share one folder, and any web process shows the
sum. What the database knows better than any process (lag, queues, gaps) is not counted here but read when somebody asks:
:mod:`megatron.core.readings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Histogram


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge as it is read now: its name without ``megatron_``, and a value for each set of labels."""

    name: str
    help: str
    values: Sequence[tuple[Mapping[str, str], float]]


frames = Counter("megatron_frames_received", "Frames that a stream delivered", ["source", "venue"])
decoded = Counter("megatron_messages_decoded", "Messages that were read and understood", ["venue"])
stored = Counter("megatron_events_stored", "Events stored, duplicates not counted")
duplicates = Counter("megatron_events_duplicate", "Events that were stored already")
rejected = Counter("megatron_messages_rejected", "Messages that could not be stored", ["reason"])
ingest_seconds = Histogram(
    "megatron_ingest_seconds",
    "From the first statement of a batch to its commit",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
gaps_opened = Counter("megatron_gaps_opened", "Stretches of slots that were found missing", ["venue", "cause"])
gaps_healed = Counter("megatron_gaps_healed", "Stretches of slots that were read after all", ["venue"])
reorganisations = Counter("megatron_reorganisations", "Forks of the chain whose rows were taken back", ["venue"])
cache_reads = Counter("megatron_cache_reads", "Keys asked of the cache, by what came", ["cache", "outcome"])
provider_calls = Counter("megatron_provider_calls", "Calls to providers", ["provider", "outcome"])
provider_credits = Counter("megatron_provider_credits", "Credits that calls to providers cost", ["provider"])
provider_calls_lost = Counter("megatron_provider_calls_lost", "Calls that could not be written to the accounts in time")
