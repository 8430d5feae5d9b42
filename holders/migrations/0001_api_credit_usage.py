from datetime import timedelta
from typing import Any

import django.db.models.functions.datetime
import megatron.core.ids
import megatron.core.timescale.fields
from django.db import migrations, models
from megatron.core.timescale.operations import TimeIndex

KEPT = timedelta(days=90)


def seed(apps: Any, schema_editor: Any) -> None:
    """Write how long the rows are kept; an operator's own figure stays."""
    policies = apps.get_model("tokens", "RetentionPolicy").objects.using(schema_editor.connection.alias)
    policies.get_or_create(table_name="api_credit_usage", defaults={"drop_after": KEPT, "note": "A quarter of bills can be checked"})


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tokens', '0009_system_metrics'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiCreditUsage',
            fields=[
                ('id', models.UUIDField(default=megatron.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('timestamp', megatron.core.timescale.fields.HypertableTimeField(help_text='When the first of the calls was made', interval='7 days', key=('id',))),
                ('api_provider', models.CharField(help_text='helius, jupiter, …', max_length=50)),
                ('endpoint', models.CharField(help_text='Method or path, without keys', max_length=100)),
                ('calls', models.IntegerField(default=1, help_text='How many calls the row counts')),
                ('credits_used', models.IntegerField(help_text="Credits of all its calls, as the provider's price list says")),
                ('response_time_ms', models.IntegerField(help_text='Mean of its calls; NULL for streams', null=True)),
                ('status_code', models.IntegerField(help_text='HTTP status; NULL when no answer came', null=True)),
                ('error_message', models.TextField(help_text='Without secrets; NULL for an answer', null=True)),
                ('token_mint', models.CharField(help_text='Whom the call was about, where it is known', max_length=44, null=True)),
                ('request_type', models.CharField(help_text='What it was for', max_length=50, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only')),
            ],
            options={
                'verbose_name_plural': 'API credit usage',
                'db_table': 'api_credit_usage',
                'constraints': [models.CheckConstraint(condition=models.Q(('calls__gt', 0)), name='credit_row_has_calls'), models.CheckConstraint(condition=models.Q(('credits_used__gte', 0)), name='credits_not_negative')],
            },
        ),
        TimeIndex("api_credit_usage", "timestamp"),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
