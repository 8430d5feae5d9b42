from datetime import timedelta
from typing import Any

import django.db.models.expressions
import django.db.models.functions.datetime
import megatron.core.fields
import megatron.core.ids
import megatron.core.timescale.fields
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models
from megatron.core.timescale.operations import Compression, TimeIndex

DAY = timedelta(days=1)

# The same measures as holders.domain.concentration: of positive balances, NULL without any.
GINI = """
CREATE FUNCTION calculate_gini_coefficient(balances numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(sum((2 * place - many - 1) * balance) / (max(many) * sum(balance)), 10)
      FROM (SELECT balance, row_number() OVER (ORDER BY balance) AS place, count(*) OVER () AS many
              FROM unnest(balances) AS balance WHERE balance > 0) AS held
$$;
COMMENT ON FUNCTION calculate_gini_coefficient(numeric[]) IS
    'Gini coefficient of positive balances, 0 (all equal) to 1 - 1/n (one has all); NULL without any';
"""

THEIL = """
CREATE FUNCTION calculate_theil_index(balances numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(greatest(0, ln(count(*)::float8) + sum(share * ln(share)))::numeric, 10)
      FROM (SELECT (balance / sum(balance) OVER ())::float8 AS share
              FROM unnest(balances) AS balance WHERE balance > 0) AS held
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION calculate_theil_index(numeric[]) IS
    'Theil index of positive balances, 0 (all equal) to ln n (one has all); NULL without any';
"""

SHANNON = """
CREATE FUNCTION calculate_shannon_entropy(balances numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN count(*) = 1 THEN 0
                ELSE round(least(1, greatest(0, -sum(share * ln(share)) / ln(count(*)::float8)))::numeric, 10) END
      FROM (SELECT (balance / sum(balance) OVER ())::float8 AS share
              FROM unnest(balances) AS balance WHERE balance > 0) AS held
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION calculate_shannon_entropy(numeric[]) IS
    'Entropy of positive balances as a part of the most that n could have, 0 to 1; NULL without any';
"""


def seed(apps: Any, schema_editor: Any) -> None:
    """Write how long the rows are kept; an operator's own figures stay."""
    policies = apps.get_model("tokens", "RetentionPolicy").objects.using(schema_editor.connection.alias)
    policies.get_or_create(
        table_name="holder_snapshots",
        defaults={
            "drop_after": 180 * DAY,
            "compress_after": 30 * DAY,
            "segment_by": "",
            "order_by": "token_mint, snapshot_time DESC",
            "note": "Half a year of distributions",
        },
    )


class Migration(migrations.Migration):

    dependencies = [
        ('holders', '0002_holder_score_queue'),
    ]

    operations = [
        migrations.CreateModel(
            name='HolderSnapshot',
            fields=[
                ('id', models.UUIDField(default=megatron.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('token_mint', megatron.core.fields.PubkeyField(hot=True)),
                ('snapshot_time', megatron.core.timescale.fields.HypertableTimeField(help_text='When the list of holders was complete', interval='7 days', key=('token_mint',))),
                ('slot', models.BigIntegerField(help_text='The list holds at this slot; NULL when its source does not say', null=True)),
                ('data_source', models.CharField(choices=[('helius_rpc', 'Helius getTokenAccounts'), ('solana_rpc', 'getProgramAccounts of a node'), ('transactions', 'Our own trades'), ('import', 'A file')], max_length=50)),
                ('is_complete', models.BooleanField(help_text='No holder is missing from the list')),
                ('incomplete_reason', models.CharField(blank=True, default='', max_length=200)),
                ('total_holders', models.PositiveIntegerField(help_text='Owners with a balance, without the excluded')),
                ('unique_holders', models.PositiveIntegerField(help_text='Owners with a balance, with the excluded')),
                ('holders_fetched', models.PositiveIntegerField(help_text='Owners with a balance that the list had')),
                ('token_accounts', models.PositiveIntegerField(help_text='Accounts of them; NULL when not counted', null=True)),
                ('active_holders', models.PositiveIntegerField(help_text='Holders that traded the token in the last 24 hours; NULL without trades of ours', null=True)),
                ('dust_accounts', models.PositiveIntegerField(help_text='Holders of less than one USD; NULL without a price', null=True)),
                ('new_holders_1h', models.PositiveIntegerField(help_text='First held in the last hour', null=True)),
                ('holder_growth_rate', models.DecimalField(decimal_places=4, help_text='Percent against an hour earlier; NULL when not known', max_digits=14, null=True)),
                ('unique_buyers_1h', models.PositiveIntegerField(null=True)),
                ('unique_sellers_1h', models.PositiveIntegerField(null=True)),
                ('has_trades', models.BooleanField(help_text='We have trades of the token')),
                ('gini_coefficient', models.DecimalField(decimal_places=8, help_text='0 to 1 - 1/n', max_digits=9, null=True)),
                ('theil_index', models.DecimalField(decimal_places=8, help_text='0 to ln n', max_digits=12, null=True)),
                ('shannon_entropy', models.DecimalField(decimal_places=8, help_text='Normalised, 0 to 1', max_digits=9, null=True)),
                ('hhi', models.DecimalField(decimal_places=4, help_text='10,000/n to 10,000', max_digits=9, null=True)),
                ('circulating_supply', models.DecimalField(decimal_places=18, help_text='Whole tokens: the supply without excluded accounts', max_digits=39, null=True)),
                ('excluded_balance', models.DecimalField(decimal_places=18, default=0, help_text='Whole tokens in excluded accounts', max_digits=39)),
                ('top_1_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('top_5_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('top_10_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('top_20_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('top_25_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('top_50_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('top_100_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('top_1_percentage', megatron.core.fields.PercentField(null=True)),
                ('top_5_percentage', megatron.core.fields.PercentField(null=True)),
                ('top_10_percentage', megatron.core.fields.PercentField(null=True)),
                ('top_20_percentage', megatron.core.fields.PercentField(null=True)),
                ('top_25_percentage', megatron.core.fields.PercentField(null=True)),
                ('top_50_percentage', megatron.core.fields.PercentField(null=True)),
                ('top_100_percentage', megatron.core.fields.PercentField(null=True)),
                ('creator_percentage', megatron.core.fields.PercentField(help_text='What the creator holds; NULL when nobody knows the creator', null=True)),
                ('holders_1_100', models.PositiveIntegerField(default=0, help_text='Holders of less than 100 whole tokens')),
                ('holders_100_1k', models.PositiveIntegerField(default=0)),
                ('holders_1k_10k', models.PositiveIntegerField(default=0)),
                ('holders_10k_100k', models.PositiveIntegerField(default=0)),
                ('holders_100k_plus', models.PositiveIntegerField(default=0)),
                ('average_holding_size', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('median_holding_size', models.DecimalField(decimal_places=18, help_text='Whole tokens', max_digits=39, null=True)),
                ('diamond_hands_count', models.PositiveIntegerField(help_text='Hold for more than 24 hours and sold less than a tenth of what they bought', null=True)),
                ('raw_distribution', models.JSONField(default=dict, help_text='Excluded accounts with reasons, the Lorenz curve, the largest holders, classes by size')),
                ('bonding_curve_progress', megatron.core.fields.PercentField(help_text='Tokens sold, percent', null=True)),
                ('progress_quote_pct', megatron.core.fields.PercentField(help_text='Quote raised, percent of the target', null=True)),
                ('market_cap_usd', megatron.core.fields.PriceField(null=True, usd=True)),
                ('measured_at', models.DateTimeField(help_text='When the quality of its wallets was measured', null=True)),
                ('scored_at', models.DateTimeField(help_text='When the room above was done with it', null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only')),
            ],
            options={
                'db_table': 'holder_snapshots',
            },
        ),
        migrations.CreateModel(
            name='HolderUpdate',
            fields=[
                ('id', models.UUIDField(default=megatron.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only: when the row was written')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only: set by trigger')),
                ('token_mint', megatron.core.fields.PubkeyField(hot=True)),
                ('update_time', models.DateTimeField(help_text='Time of the list')),
                ('update_type', models.CharField(choices=[('balance_change', 'Balance changed'), ('new_holder', 'New holder'), ('holder_exit', 'Holder left')], max_length=50)),
                ('wallet_address', megatron.core.fields.PubkeyField(hot=True)),
                ('old_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens by our books', max_digits=39)),
                ('new_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens by the list', max_digits=39)),
                ('balance_change', models.DecimalField(decimal_places=18, help_text='New less old', max_digits=39)),
                ('impact_on_concentration', models.DecimalField(decimal_places=4, help_text='Points of HHI that the change adds or takes', max_digits=10, null=True)),
                ('new_holder_count', models.PositiveIntegerField(help_text='Holders of the list', null=True)),
                ('processed', models.BooleanField(db_default=False, default=False)),
            ],
            options={
                'db_table': 'holder_updates',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='TokenHolder',
            fields=[
                ('id', models.UUIDField(default=megatron.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only: when the row was written')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only: set by trigger')),
                ('token_mint', megatron.core.fields.PubkeyField(hot=True)),
                ('wallet_address', megatron.core.fields.PubkeyField(hot=True)),
                ('current_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens that it holds', max_digits=39)),
                ('initial_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens after its first trade', max_digits=39, null=True)),
                ('peak_balance', models.DecimalField(decimal_places=18, help_text='Most whole tokens that its trades left at any time', max_digits=39, null=True)),
                ('traded_balance', models.DecimalField(decimal_places=18, default=0, help_text='Whole tokens that its trades leave, never below zero', max_digits=39)),
                ('chain_balance', models.DecimalField(decimal_places=18, help_text='Whole tokens by the newest complete list; NULL when none named it', max_digits=39, null=True)),
                ('chain_slot', models.BigIntegerField(help_text='Slot of that list', null=True)),
                ('first_transaction_time', models.DateTimeField(null=True)),
                ('last_transaction_time', models.DateTimeField(null=True)),
                ('held_since', models.DateTimeField(help_text='Start of its newest holding', null=True)),
                ('held_until', models.DateTimeField(help_text='End of its newest holding; NULL while it holds', null=True)),
                ('hold_hours', models.DecimalField(decimal_places=4, help_text='Length of its newest holding up to last_updated', max_digits=14, null=True)),
                ('total_bought', models.DecimalField(decimal_places=18, default=0, help_text='Whole tokens', max_digits=39)),
                ('total_sold', models.DecimalField(decimal_places=18, default=0, help_text='Whole tokens', max_digits=39)),
                ('untracked_sold', models.DecimalField(decimal_places=18, default=0, help_text='Of these what it had not bought here: transfers, or lost trades', max_digits=39)),
                ('buy_count', models.PositiveIntegerField(default=0)),
                ('sell_count', models.PositiveIntegerField(default=0)),
                ('transaction_count', models.PositiveIntegerField(default=0)),
                ('cost_sol', models.DecimalField(decimal_places=9, help_text='What the traded balance cost, SOL without fees; NULL for other quotes', max_digits=38, null=True)),
                ('cost_usd', models.DecimalField(decimal_places=9, help_text='The same in USD; NULL when a price was missing', max_digits=38, null=True)),
                ('avg_buy_price', megatron.core.fields.PriceField(help_text='Average of all its buys, SOL per whole token', null=True)),
                ('avg_sell_price', megatron.core.fields.PriceField(help_text='Average of all its sells, SOL per whole token', null=True)),
                ('realized_pnl_sol', models.DecimalField(decimal_places=9, help_text='SOL, against average cost, without fees', max_digits=38, null=True)),
                ('unrealized_pnl_sol', models.DecimalField(decimal_places=9, help_text='SOL, at the newest price', max_digits=38, null=True)),
                ('realized_pnl', models.DecimalField(decimal_places=9, help_text='USD, against average cost, without fees', max_digits=38, null=True)),
                ('unrealized_pnl', models.DecimalField(decimal_places=9, help_text='USD, at the newest price', max_digits=38, null=True)),
                ('is_smart_money', models.BooleanField(db_default=False, default=False)),
                ('is_bot', models.BooleanField(db_default=False, default=False)),
                ('is_mev_bot', models.BooleanField(db_default=False, default=False)),
                ('is_insider', models.BooleanField(db_default=False, default=False)),
                ('diamond_hands_score', models.DecimalField(decimal_places=4, help_text='0 to 100', max_digits=7, null=True)),
                ('sold_ratio', models.DecimalField(decimal_places=6, help_text='Part of what it bought that it sold, at most 1', max_digits=7, null=True)),
                ('trades_digest', models.BigIntegerField(db_default=0, default=0, help_text='Digests of its trades, xor-ed: a change of them is seen by it')),
                ('last_updated', models.DateTimeField(help_text='As of when')),
            ],
            options={
                'db_table': 'token_holders',
                'abstract': False,
            },
        ),
        migrations.AddIndex(
            model_name='holdersnapshot',
            index=models.Index(condition=models.Q(('measured_at__isnull', False), ('scored_at', None)), fields=['measured_at', 'token_mint'], name='idx_holder_snapshots_unscored'),
        ),
        migrations.AddConstraint(
            model_name='holdersnapshot',
            constraint=models.CheckConstraint(condition=models.Q(('data_source__in', ['helius_rpc', 'solana_rpc', 'transactions', 'import'])), name='holder_snapshot_source_known'),
        ),
        migrations.AddConstraint(
            model_name='holdersnapshot',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('incomplete_reason', ''), ('is_complete', True)), models.Q(('is_complete', False), models.Q(('incomplete_reason', ''), _negated=True)), _connector='OR'), name='holder_snapshot_incomplete_with_reason'),
        ),
        migrations.AddConstraint(
            model_name='holdersnapshot',
            constraint=models.CheckConstraint(condition=models.Q(('total_holders__lte', models.F('unique_holders'))), name='holder_snapshot_excludes_only'),
        ),
        migrations.AddConstraint(
            model_name='holdersnapshot',
            constraint=models.CheckConstraint(condition=models.Q(('scored_at', None), ('measured_at__isnull', False), _connector='OR'), name='holder_snapshot_measured_then_scored'),
        ),
        migrations.AddConstraint(
            model_name='holdersnapshot',
            constraint=models.CheckConstraint(condition=models.Q(('gini_coefficient__range', (0, 1)), ('shannon_entropy__range', (0, 1)), ('hhi__range', (0, 10000))), name='holder_snapshot_measures_in_range'),
        ),
        migrations.AddIndex(
            model_name='holderupdate',
            index=models.Index(models.F('token_mint'), models.OrderBy(models.F('update_time'), descending=True), name='idx_holder_updates_mint'),
        ),
        migrations.AddIndex(
            model_name='holderupdate',
            index=models.Index(condition=models.Q(('processed', False)), fields=['update_time'], name='idx_holder_updates_unprocessed'),
        ),
        migrations.AddConstraint(
            model_name='holderupdate',
            constraint=models.UniqueConstraint(fields=('token_mint', 'wallet_address', 'update_time'), name='holder_update_once_a_list'),
        ),
        migrations.AddConstraint(
            model_name='holderupdate',
            constraint=models.CheckConstraint(condition=models.Q(('update_type__in', ['balance_change', 'new_holder', 'holder_exit'])), name='holder_update_type_known'),
        ),
        migrations.AddConstraint(
            model_name='holderupdate',
            constraint=models.CheckConstraint(condition=models.Q(('balance_change', django.db.models.expressions.CombinedExpression(models.F('new_balance'), '-', models.F('old_balance')))), name='holder_update_change_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='holderupdate',
            constraint=models.CheckConstraint(condition=models.Q(('new_balance__gte', 0), ('old_balance__gte', 0)), name='holder_update_not_negative'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='holderupdate',
            trigger=pgtrigger.compiler.Trigger(name='set_updated_at', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)', func='NEW.updated_at := statement_timestamp(); RETURN NEW;', hash='684a6b8dd34d77c363c21c3896871430dc391c93', operation='UPDATE', pgid='pgtrigger_set_updated_at_62984', table='holder_updates', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='tokenholder',
            index=models.Index(models.F('token_mint'), models.OrderBy(models.F('current_balance'), descending=True), name='idx_token_holders_balance'),
        ),
        migrations.AddIndex(
            model_name='tokenholder',
            index=models.Index(fields=['wallet_address'], name='idx_token_holders_wallet'),
        ),
        migrations.AddIndex(
            model_name='tokenholder',
            index=models.Index(condition=models.Q(('is_smart_money', True)), fields=['wallet_address'], name='idx_token_holders_smart_money'),
        ),
        migrations.AddConstraint(
            model_name='tokenholder',
            constraint=models.UniqueConstraint(fields=('token_mint', 'wallet_address'), name='token_holder_once'),
        ),
        migrations.AddConstraint(
            model_name='tokenholder',
            constraint=models.CheckConstraint(condition=models.Q(('current_balance__gte', 0), ('total_bought__gte', 0), ('total_sold__gte', 0), ('traded_balance__gte', 0)), name='token_holder_balances_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='tokenholder',
            constraint=models.CheckConstraint(condition=models.Q(('transaction_count', django.db.models.expressions.CombinedExpression(models.F('buy_count'), '+', models.F('sell_count')))), name='token_holder_counts_add_up'),
        ),
        migrations.AddConstraint(
            model_name='tokenholder',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('chain_balance', None), ('chain_slot', None)), models.Q(('chain_balance__gte', 0), ('chain_slot__isnull', False)), _connector='OR'), name='token_holder_chain_balance_with_slot'),
        ),
        migrations.AddConstraint(
            model_name='tokenholder',
            constraint=models.CheckConstraint(condition=models.Q(('untracked_sold__gte', 0), ('untracked_sold__lte', models.F('total_sold'))), name='token_holder_untracked_is_sold'),
        ),
        migrations.AddConstraint(
            model_name='tokenholder',
            constraint=models.CheckConstraint(condition=models.Q(('sold_ratio__range', (0, 1)), ('diamond_hands_score__range', (0, 100))), name='token_holder_ratios_in_range'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='tokenholder',
            trigger=pgtrigger.compiler.Trigger(name='set_updated_at', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)', func='NEW.updated_at := statement_timestamp(); RETURN NEW;', hash='9f1854cd376b45908fba0e9b2cff500df98c0d41', operation='UPDATE', pgid='pgtrigger_set_updated_at_a737e', table='token_holders', when='BEFORE')),
        ),
        TimeIndex("holder_snapshots", "snapshot_time"),
        Compression("holder_snapshots", "", "token_mint, snapshot_time DESC", 30 * DAY),
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunSQL(GINI, "DROP FUNCTION calculate_gini_coefficient(numeric[])"),
        migrations.RunSQL(THEIL, "DROP FUNCTION calculate_theil_index(numeric[])"),
        migrations.RunSQL(SHANNON, "DROP FUNCTION calculate_shannon_entropy(numeric[])"),
    ]
