import django.db.models.deletion
from django.db import migrations, models

from megatron.core.timescale.operations import SummarisedTimeIndex

POOLS = {
    "idx_pools_progress": "bonding_curve_progress",
    "idx_pools_progress_quote": "progress_quote_pct",
    "idx_pools_last_trade_at": "last_trade_at",
}


class Migration(migrations.Migration):
    """What curves prove is kept, and not read from all their trades; a window of time is not read through every row since the
    last VACUUM."""

    dependencies = [("tokens", "0023_aggregates_due_and_no_drop_jobs")]

    operations = [
        migrations.CreateModel(
            name="PoolChain",
            fields=[
                (
                    "pool",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tokens.pool",
                    ),
                ),
                ("judged_until", models.DateTimeField(help_text="Every trade before this block time is judged")),
                (
                    "first_at",
                    models.DateTimeField(
                        help_text="Block time of the first stored trade; once that is dropped the row is void"
                    ),
                ),
                ("first_slot", models.BigIntegerField(help_text="Slot of the first judged trade")),
                ("last_slot", models.BigIntegerField(help_text="Slot of the last judged trade")),
                (
                    "start",
                    models.CharField(
                        help_text="What was known of the curve's start; void once that changes", max_length=300
                    ),
                ),
                (
                    "breaks",
                    models.JSONField(help_text="First and last slot of each stretch in which trades are missing"),
                ),
            ],
            options={"db_table": "pool_chains"},
        ),
        SummarisedTimeIndex("transactions", "block_time"),
        SummarisedTimeIndex("price_candles_1m", "bucket"),
        SummarisedTimeIndex("price_candles_5m", "bucket"),
        SummarisedTimeIndex("price_candles_1h", "bucket"),
        SummarisedTimeIndex("sol_usd_prices", "price_time"),
        SummarisedTimeIndex("quote_usd_prices", "price_time"),
        SummarisedTimeIndex("system_metrics", "metric_time"),
        # With the token, by which lists tell apart the thousands that share a progress.
        *(migrations.RemoveIndex(model_name="pool", name=name) for name in POOLS),
        *(
            migrations.AddIndex(model_name="pool", index=models.Index(fields=[column, "token"], name=name))
            for name, column in POOLS.items()
        ),
        migrations.AddIndex(model_name="token", index=models.Index(fields=["symbol"], name="idx_tokens_symbol")),
    ]
