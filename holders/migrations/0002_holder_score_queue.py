import django.db.models.functions.datetime
import megatron.core.fields
import megatron.core.ids
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


# The seed's trigger on pools. It asks for one job whatever an update skips, at the priority of the most urgent threshold that
# it passed (75: 800, 10: 500, 25 and 50: 300, as holders.domain.priority has them); a job that failed keeps its pause. A curve that is full is not asked about:
# its score is frozen. Times are the chain's, so a replay asks for the same job. Names carry their schema: a restore runs with
# an empty search path.
QUEUE_HOLDER_SCORE_CALCULATION = """
CREATE FUNCTION queue_holder_score_calculation() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    passed int[] := ARRAY(
        SELECT t FROM unnest(ARRAY[10, 25, 50, 75]) AS t
        WHERE OLD.bonding_curve_progress < t AND NEW.bonding_curve_progress >= t ORDER BY t);
    urgency int := CASE WHEN 75 = ANY (passed) THEN 800 WHEN 10 = ANY (passed) THEN 500 ELSE 300 END;
    asked timestamptz := least(coalesce(NEW.last_trade_at, statement_timestamp()), statement_timestamp());
BEGIN
    IF NEW.pool_type = 'initial' AND NEW.status = 'active' THEN
        INSERT INTO public.holder_score_queue AS job
            (id, token_mint, priority, reason, scheduled_at, due_at, attempts, last_error, evidence)
        SELECT gen_random_uuid(), token.mint_address, urgency, 'milestone_crossed', asked, asked, 0, '',
            jsonb_build_object('passed_pct', to_jsonb(passed))
        FROM public.tokens token WHERE token.id = NEW.token_id AND NOT token.is_graduated
        ON CONFLICT (token_mint) WHERE processed_at IS NULL DO UPDATE SET
            priority = greatest(job.priority, EXCLUDED.priority),
            reason = CASE WHEN EXCLUDED.priority > job.priority THEN EXCLUDED.reason ELSE job.reason END,
            due_at = CASE WHEN job.attempts = 0 THEN least(job.due_at, EXCLUDED.due_at) ELSE job.due_at END,
            evidence = job.evidence || EXCLUDED.evidence;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION queue_holder_score_calculation() IS
    'Asks for one holder analysis when a curve has passed 10, 25, 50 or 75 percent upwards';
"""

# Only an update that writes what progress follows from looks at the condition, and only one that passes a threshold calls the
# function: a batch of trades pays two comparisons a pool.
TRIGGER = """
CREATE TRIGGER queue_holder_score_update AFTER UPDATE OF bonding_curve_progress ON pools FOR EACH ROW
    WHEN (NEW.bonding_curve_progress > OLD.bonding_curve_progress AND (
        (OLD.bonding_curve_progress < 10 AND NEW.bonding_curve_progress >= 10) OR
        (OLD.bonding_curve_progress < 25 AND NEW.bonding_curve_progress >= 25) OR
        (OLD.bonding_curve_progress < 50 AND NEW.bonding_curve_progress >= 50) OR
        (OLD.bonding_curve_progress < 75 AND NEW.bonding_curve_progress >= 75)))
    EXECUTE FUNCTION queue_holder_score_calculation();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('holders', '0001_api_credit_usage'),
        ('tokens', '0013_indexes_of_what_waits'),
    ]

    operations = [
        migrations.CreateModel(
            name='HolderScoreJob',
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
                ('token_mint', megatron.core.fields.PubkeyField()),
                ('priority', models.IntegerField(db_default=5, default=5, help_text='Larger is more urgent, on one scale up to 2000')),
                ('reason', models.CharField(choices=[('milestone_crossed', 'Curve passed 10, 25, 50 or 75 %'), ('velocity_change', 'Curve moves fast'), ('high_volume', 'High volume'), ('first_analysis', 'Scored well, never analysed'), ('tier_due', "Its tier's time has come"), ('operator', 'Asked for by an operator')], help_text='Who asked most urgently', max_length=100)),
                ('scheduled_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it was first asked for; for a milestone its block time')),
                ('processed_at', models.GeneratedField(db_persist=True, expression=models.F('finished_at'), help_text="The seed's name for finished_at", output_field=models.DateTimeField(null=True))),
                ('paid_at', models.DateTimeField(blank=True, help_text='When credits were set aside for it; NULL: none', null=True)),
                ('credits_used', models.IntegerField(db_default=0, default=0, help_text='Credits set aside when it began, then those that it did cost')),
                ('evidence', models.JSONField(blank=True, db_default={}, default=dict, help_text='What was decided, done and spent, stage by stage')),
            ],
            options={
                'verbose_name': 'holder analysis',
                'verbose_name_plural': 'holder analyses',
                'db_table': 'holder_score_queue',
                'indexes': [models.Index(models.OrderBy(models.F('priority'), descending=True), models.F('scheduled_at'), condition=models.Q(('finished_at', None), ('quarantined_at', None)), name='idx_queue_priority'), models.Index(models.F('token_mint'), models.OrderBy(models.F('finished_at'), descending=True), condition=models.Q(('finished_at__isnull', False)), name='idx_queue_done'), models.Index(condition=models.Q(('paid_at__isnull', False)), fields=['paid_at'], name='idx_queue_paid')],
                'constraints': [models.CheckConstraint(condition=models.Q(('finished_at', None), ('quarantined_at', None), _connector='OR'), name='holderscorejob_finished_or_quarantined'), models.CheckConstraint(condition=models.Q(('leased_until', None), models.Q(('finished_at', None), ('quarantined_at', None)), _connector='OR'), name='holderscorejob_leased_only_while_open'), models.CheckConstraint(condition=models.Q(('quarantined_at', None), models.Q(('last_error', ''), _negated=True), _connector='OR'), name='holderscorejob_quarantined_with_reason'), models.UniqueConstraint(condition=models.Q(('processed_at', None)), fields=('token_mint',), name='holder_job_one_open_a_token'), models.CheckConstraint(condition=models.Q(('priority__range', (1, 2000))), name='holder_job_priority_1_to_2000'), models.CheckConstraint(condition=models.Q(('reason__in', ['milestone_crossed', 'velocity_change', 'high_volume', 'first_analysis', 'tier_due', 'operator'])), name='holder_job_reason_known'), models.CheckConstraint(condition=models.Q(models.Q(('credits_used', 0), ('paid_at', None)), models.Q(('credits_used__gte', 0), ('paid_at__isnull', False)), _connector='OR'), name='holder_job_credits_with_their_time')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='holderscorejob',
            trigger=pgtrigger.compiler.Trigger(name='set_updated_at', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)', func='NEW.updated_at := statement_timestamp(); RETURN NEW;', hash='9d7a2f664cdb4652c886023f08dfa6240d2f9b14', operation='UPDATE', pgid='pgtrigger_set_updated_at_4cfb9', table='holder_score_queue', when='BEFORE')),
        ),
        migrations.RunSQL(QUEUE_HOLDER_SCORE_CALCULATION, "DROP FUNCTION queue_holder_score_calculation()"),
        migrations.RunSQL(TRIGGER, "DROP TRIGGER queue_holder_score_update ON pools"),
    ]
