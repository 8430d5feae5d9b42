from django.db import migrations, models

from megatron.core.timescale.operations import SummarisedTimeIndex

FLAGS = {
    "idx_token_holders_smart": "is_smart_money",
    "idx_token_holders_bots": "is_bot",
    "idx_token_holders_insiders": "is_insider",
}


class Migration(migrations.Migration):
    """Lists of flagged holdings have an index; a window of time is not read through every row since the last VACUUM."""

    dependencies = [("holders", "0007_net_profit_and_judged_holders")]

    operations = [
        SummarisedTimeIndex("holder_snapshots", "snapshot_time"),
        SummarisedTimeIndex("api_credit_usage", "timestamp"),
        *(
            migrations.AddIndex(
                model_name="tokenholder",
                index=models.Index(condition=models.Q((flag, True)), fields=["id"], name=name),
            )
            for name, flag in FLAGS.items()
        ),
    ]
