from datetime import timedelta

from django.db import migrations

from megatron.core.timescale.operations import Compression

DAY = timedelta(days=1)


class Migration(migrations.Migration):
    """The figures that 0002 wrote into retention_policies, as jobs; from here retention.apply keeps the two equal."""

    dependencies = [("tokens", "0004_aggregates_and_latest_views")]

    operations = [
        Compression("transactions", "", "token_id, block_time DESC", 7 * DAY),
        Compression("price_candles_1m", "", "token_id, bucket DESC", 7 * DAY),
        Compression("sol_usd_prices", "source", "price_time DESC", 7 * DAY),
    ]
