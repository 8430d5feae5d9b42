from django.db import migrations

from megatron.core.timescale.operations import SummarisedTimeIndex


class Migration(migrations.Migration):
    """Without, a window of time was read through every row since the last VACUUM."""

    dependencies = [("holders", "0007_net_profit_and_judged_holders")]

    operations = [
        SummarisedTimeIndex("holder_snapshots", "snapshot_time"),
        SummarisedTimeIndex("api_credit_usage", "timestamp"),
    ]
