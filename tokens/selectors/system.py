"""What the processes did, minute by minute."""

from collections.abc import Sequence
from datetime import datetime

from tokens.models import Pool, SystemMetric


def count_tokens_traded(*, since: datetime) -> int:
    """Return how many tokens' pools moved after ``since``; a token on two venues counts once."""
    return Pool.objects.filter(last_trade_at__gt=since).values("token_id").distinct().count()


def metrics_between(*, start: datetime, end: datetime) -> Sequence[SystemMetric]:
    """Return the minutes of all processes in ``[start, end)``, oldest first."""
    rows = SystemMetric.objects.filter(metric_time__gte=start, metric_time__lt=end)
    return list(rows.order_by("metric_time", "metric_type"))
