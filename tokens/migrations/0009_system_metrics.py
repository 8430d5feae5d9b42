from datetime import timedelta
from typing import Any

import django.db.models.functions.datetime
import megatron.core.timescale.fields
from django.db import migrations, models
from megatron.core.timescale.operations import TimeIndex

KEPT = timedelta(days=30)


def seed(apps: Any, schema_editor: Any) -> None:
    """Write how long the rows are kept; an operator's own figure stays."""
    policies = apps.get_model("tokens", "RetentionPolicy").objects.using(schema_editor.connection.alias)
    policies.get_or_create(table_name="system_metrics", defaults={"drop_after": KEPT, "note": "A month of minutes for each process"})


class Migration(migrations.Migration):

    dependencies = [
        ('tokens', '0008_live_streams'),
    ]

    operations = [
        migrations.CreateModel(
            name='SystemMetric',
            fields=[
                ('id', models.UUIDField(editable=False, help_text='event_id(metric_time, metric_type, process)', primary_key=True, serialize=False)),
                ('metric_time', megatron.core.timescale.fields.HypertableTimeField(help_text='Start of the minute', interval='7 days', key=('id',))),
                ('metric_type', models.CharField(choices=[('monitor', 'Monitor of a stream'), ('worker', 'Celery worker')], help_text='What kind of process', max_length=50)),
                ('transactions_processed', models.IntegerField(help_text='Events stored in the minute', null=True)),
                ('tokens_monitored', models.IntegerField(help_text='Tokens that traded in the last hour', null=True)),
                ('signals_generated', models.IntegerField(help_text='Signals of the minute; NULL before stage Signals', null=True)),
                ('avg_processing_latency_ms', models.DecimalField(decimal_places=2, help_text='Mean from block time to commit', max_digits=10, null=True)),
                ('p99_processing_latency_ms', models.DecimalField(decimal_places=2, help_text='99th percentile from block time to commit', max_digits=10, null=True)),
                ('grpc_stream_health', models.CharField(help_text="Worst state of the process's streams, whatever they speak; the seed's name", max_length=20, null=True)),
                ('memory_usage_mb', models.IntegerField(help_text='Resident memory of the process, MiB', null=True)),
                ('cpu_usage_percent', models.DecimalField(decimal_places=2, help_text="Of one core since the process's row before; 999.99 at most", max_digits=5, null=True)),
                ('metric_data', models.JSONField(help_text='The process, and whatever else its kind tells', null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only')),
            ],
            options={
                'db_table': 'system_metrics',
                'constraints': [models.CheckConstraint(condition=models.Q(('metric_type__in', ['monitor', 'worker'])), name='metric_type_known')],
            },
        ),
        TimeIndex("system_metrics", "metric_time"),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
