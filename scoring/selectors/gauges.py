"""Gauges of this room for /metrics, read from the rows."""

from collections.abc import Iterator
from datetime import datetime

from megatron.core.metrics import Gauge
from scoring.choices import SelloffStatus
from scoring.models import SelloffEvent


def read(*, now: datetime) -> Iterator[Gauge]:
    """Yield all gauges of this room at ``now``."""
    opened = SelloffEvent.objects.filter(status=SelloffStatus.OPEN, detection_time__lte=now).count()
    yield Gauge("selloffs_open", "Sell-offs that neither recovered nor expired", [({}, float(opened))])
