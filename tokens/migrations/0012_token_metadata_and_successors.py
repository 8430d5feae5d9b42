
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.lookups
import megatron.core.fields
import megatron.core.ids
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tokens', '0011_operator_alerts_and_drift'),
    ]

    operations = [
        migrations.CreateModel(
            name='TokenMetadata',
            fields=[
                ('id', models.UUIDField(default=megatron.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only: when the row was written')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only: set by trigger')),
                ('due_at', models.DateTimeField(help_text='Not before')),
                ('leased_until', models.DateTimeField(blank=True, help_text='A worker has it until then', null=True)),
                ('attempts', models.PositiveIntegerField(default=0, help_text='How often a worker took it')),
                ('last_error', models.TextField(blank=True, default='', help_text='Why the newest attempt failed')),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('quarantined_at', models.DateTimeField(blank=True, help_text='Set aside until an operator looks', null=True)),
                ('uri', models.CharField(help_text="What is fetched: the token's URI when the row was made due", max_length=500)),
                ('fetched_at', models.DateTimeField(blank=True, help_text='When the document was read', null=True)),
                ('found_at', models.CharField(blank=True, help_text='Address that answered, after gateways and redirects', max_length=2000, null=True)),
                ('content_type', models.CharField(blank=True, max_length=100, null=True)),
                ('digest', models.CharField(blank=True, help_text="SHA-256 of the document's bytes", max_length=64, null=True)),
                ('name', models.CharField(blank=True, help_text='As the document says', max_length=100, null=True)),
                ('symbol', models.CharField(blank=True, help_text='As the document says', max_length=32, null=True)),
                ('description', models.CharField(blank=True, max_length=2000, null=True)),
                ('image_url', models.CharField(blank=True, max_length=500, null=True)),
                ('twitter', models.CharField(blank=True, max_length=500, null=True)),
                ('telegram', models.CharField(blank=True, max_length=500, null=True)),
                ('website', models.CharField(blank=True, max_length=500, null=True)),
                ('discord', models.CharField(blank=True, max_length=500, null=True)),
                ('raw', models.JSONField(blank=True, help_text='The document itself, NUL escaped; NULL above 64 KiB of text', null=True)),
            ],
            options={
                'verbose_name_plural': 'token metadata',
                'db_table': 'token_metadata',
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='pool',
            name='liquidity_slot',
            field=models.BigIntegerField(blank=True, help_text='Slot of the deposit or withdrawal after which the pool held real_*; NULL when that is last_slot', null=True),
        ),
        migrations.AddField(
            model_name='pool',
            name='migration_signature',
            field=megatron.core.fields.SignatureField(blank=True, help_text='Of the migration itself; NULL while only trades of the successor show it', null=True),
        ),
        migrations.AddField(
            model_name='pool',
            name='migration_slot',
            field=models.BigIntegerField(blank=True, help_text='Slot of the earliest known event that shows the migration done', null=True),
        ),
        migrations.AddField(
            model_name='pool',
            name='successor',
            field=models.ForeignKey(blank=True, db_index=False, help_text='The pool into which this curve graduated, as soon as both are known', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tokens.pool'),
        ),
        migrations.AddConstraint(
            model_name='pool',
            constraint=models.CheckConstraint(condition=models.Q(('successor', None), ('pool_type', 'initial'), _connector='OR'), name='pool_successor_of_a_curve'),
        ),
        migrations.AddConstraint(
            model_name='pool',
            constraint=models.CheckConstraint(condition=models.Q(('migration_signature', None), ('migration_slot__isnull', False), _connector='OR'), name='pool_migration_signature_with_slot'),
        ),
        migrations.AddField(
            model_name='tokenmetadata',
            name='token',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='document', to='tokens.token'),
        ),
        migrations.AddIndex(
            model_name='tokenmetadata',
            index=models.Index(condition=models.Q(('finished_at', None), ('quarantined_at', None)), fields=['due_at'], name='idx_tokenmetadata_due'),
        ),
        migrations.AddConstraint(
            model_name='tokenmetadata',
            constraint=models.CheckConstraint(condition=models.Q(('finished_at', None), ('quarantined_at', None), _connector='OR'), name='tokenmetadata_finished_or_quarantined'),
        ),
        migrations.AddConstraint(
            model_name='tokenmetadata',
            constraint=models.CheckConstraint(condition=models.Q(('leased_until', None), models.Q(('finished_at', None), ('quarantined_at', None)), _connector='OR'), name='tokenmetadata_leased_only_while_open'),
        ),
        migrations.AddConstraint(
            model_name='tokenmetadata',
            constraint=models.CheckConstraint(condition=models.Q(('quarantined_at', None), models.Q(('last_error', ''), _negated=True), _connector='OR'), name='tokenmetadata_quarantined_with_reason'),
        ),
        migrations.AddConstraint(
            model_name='tokenmetadata',
            constraint=models.CheckConstraint(condition=models.Q(('uri', ''), _negated=True), name='metadata_uri_not_empty'),
        ),
        migrations.AddConstraint(
            model_name='tokenmetadata',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('content_type', None), ('digest', None), ('fetched_at', None), ('found_at', None)), models.Q(('content_type__isnull', False), ('digest__isnull', False), ('fetched_at__isnull', False), ('found_at__isnull', False)), _connector='OR'), name='metadata_fetched_whole'),
        ),
        migrations.AddConstraint(
            model_name='tokenmetadata',
            constraint=models.CheckConstraint(condition=models.Q(('digest', None), ('digest__regex', '^[0-9a-f]{64}$'), _connector='OR'), name='metadata_digest_is_sha256'),
        ),
        migrations.AddConstraint(
            model_name='tokenmetadata',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.LessThanOrEqual(models.Func(django.db.models.functions.comparison.Cast('raw', models.TextField()), function='octet_length', output_field=models.IntegerField()), 65536), name='metadata_raw_at_most_64_kib'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='tokenmetadata',
            trigger=pgtrigger.compiler.Trigger(name='set_updated_at', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)', func='NEW.updated_at := statement_timestamp(); RETURN NEW;', hash='368e0cede147d564aa955f11bb1ca15e844cf5c3', operation='UPDATE', pgid='pgtrigger_set_updated_at_10e40', table='token_metadata', when='BEFORE')),
        ),
    ]
