"""How much the house follows."""

from datetime import datetime

from tokens.models import Pool


def count_tokens_traded(*, since: datetime) -> int:
    """Return how many tokens' pools moved after ``since``; a token on two venues counts once."""
    return Pool.objects.filter(last_trade_at__gt=since).values("token_id").distinct().count()
