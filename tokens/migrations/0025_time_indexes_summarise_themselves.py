from django.db import migrations

from megatron.core.timescale.operations import SummarisedTimeIndex


class Migration(migrations.Migration):
    """Without, a window of time was read through every row since the last VACUUM."""

    dependencies = [("tokens", "0022_candles_are_leaves")]

    operations = [
        SummarisedTimeIndex("transactions", "block_time"),
        SummarisedTimeIndex("price_candles_1m", "bucket"),
        SummarisedTimeIndex("price_candles_5m", "bucket"),
        SummarisedTimeIndex("price_candles_1h", "bucket"),
        SummarisedTimeIndex("sol_usd_prices", "price_time"),
        SummarisedTimeIndex("quote_usd_prices", "price_time"),
        SummarisedTimeIndex("system_metrics", "metric_time"),
    ]
