from django.db import migrations

from megatron.core.timescale.operations import SummarisedTimeIndex


class Migration(migrations.Migration):
    """Without, a window of time was read through every row since the last VACUUM."""

    dependencies = [("scoring", "0008_no_velocity_over_no_time")]

    operations = [
        SummarisedTimeIndex("social_metrics", "timestamp"),
        SummarisedTimeIndex("social_scores", "calculated_at"),
        SummarisedTimeIndex("technical_scores", "timestamp"),
        SummarisedTimeIndex("activity_metrics", "timestamp"),
    ]
