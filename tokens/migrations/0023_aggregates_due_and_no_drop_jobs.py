from datetime import timedelta
from typing import Any

from django.db import migrations, models
from megatron.core.timescale import policies

# What there is of both aggregates' times, an hour a row: the longest candles that are kept as long as trades say which hours had
# trades, without reading them.
MARK = """
INSERT INTO aggregates_due (aggregate, bucket, marks, marked_at, error)
SELECT DISTINCT 'price_candles_1m_cagg', bucket, 1, now(), '' FROM price_candles_1h WHERE bucket < now() - interval '1 hour'
 UNION ALL
SELECT DISTINCT 'sol_usd_candles_1m', date_trunc('hour', price_time, 'UTC'), 1, now(), '' FROM sol_usd_prices
 WHERE price_time < now() - interval '1 hour'
ON CONFLICT (aggregate, bucket) DO NOTHING
"""

DROPPING = """
SELECT remove_retention_policy(format('%I.%I', coalesce(view_schema, jobs.hypertable_schema),
                                      coalesce(view_name, jobs.hypertable_name))::regclass)
  FROM timescaledb_information.jobs LEFT JOIN timescaledb_information.continuous_aggregates
    ON materialization_hypertable_schema = jobs.hypertable_schema
   AND materialization_hypertable_name = jobs.hypertable_name
 WHERE proc_name = 'policy_retention' AND coalesce(view_schema, jobs.hypertable_schema) = 'public'
"""


def follow(apps: Any, schema_editor: Any) -> None:  # noqa: ARG001  # Django calls it with both
    """Make due what aggregates lack from before, and remove the jobs that dropped: retention.apply does it."""
    if schema_editor.connection.timescale_level == "community":
        for statement in (MARK, DROPPING):
            schema_editor.execute(statement, params=None)


def seed(apps: Any, schema_editor: Any) -> None:
    """Compress where it saves room, where an operator did not choose otherwise: not the minutes, of which those of quiet coins
    take more room then, and snapshots of holders in the order of their tokens, since few of one token lie in a chunk."""
    kept = apps.get_model("tokens", "RetentionPolicy").objects.using(schema_editor.connection.alias)
    chosen = kept.filter(
        table_name="price_candles_1m", compress_after=timedelta(days=7), segment_by="", order_by="token_id, bucket DESC"
    )
    kept.filter(table_name="holder_snapshots", segment_by="token_mint", order_by="snapshot_time DESC").update(
        segment_by="", order_by="token_mint, snapshot_time DESC"
    )
    if chosen.update(compress_after=None) and schema_editor.connection.timescale_level == "community":
        schema_editor.execute(policies.remove_compression_sql("price_candles_1m"), params=None)


class Migration(migrations.Migration):
    """Aggregates know which hours they lack, TimescaleDB's jobs drop nothing any more, and minutes are not compressed."""

    dependencies = [("tokens", "0022_candles_are_leaves")]

    operations = [
        migrations.CreateModel(
            name="AggregateDue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("aggregate", models.CharField(max_length=63)),
                ("bucket", models.DateTimeField(help_text="Start of the hour")),
                ("marks", models.BigIntegerField(default=1, help_text="How often it was asked for: more than a worker saw, it stays due")),
                ("marked_at", models.DateTimeField(help_text="When it was first asked for")),
                ("ask_after", models.DateTimeField(help_text="Not tried before: the pause after a failure", null=True)),
                ("error", models.CharField(default="", help_text="What TimescaleDB said at the newest failure", max_length=300)),
            ],
            options={
                "db_table": "aggregates_due",
                "constraints": [
                    models.UniqueConstraint(fields=("aggregate", "bucket"), name="aggregate_due_once"),
                    models.CheckConstraint(
                        condition=models.Q(("aggregate__in", ["price_candles_1m_cagg", "sol_usd_candles_1m"])),
                        name="aggregate_due_known",
                    ),
                ],
            },
        ),
        migrations.RunPython(follow, migrations.RunPython.noop),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
