"""Our own numbers for Prometheus. Services count (``metrics.stored.inc(n)``); the address ``/metrics`` shows.

Each process counts for itself. With ``PROMETHEUS_MULTIPROC_DIR`` they share one folder, and any web process shows the
sum.
"""

from prometheus_client import Counter, Gauge

decoded = Counter("megatron_messages_decoded", "Messages that were read and understood", ["venue"])
stored = Counter("megatron_events_stored", "Events stored, duplicates not counted")
duplicates = Counter("megatron_events_duplicate", "Events that were stored already")
rejected = Counter("megatron_messages_rejected", "Messages that could not be stored", ["reason"])
candles_due = Gauge(
    "megatron_candles_due", "Candles that wait to be computed", ["interval"], multiprocess_mode="mostrecent"
)
