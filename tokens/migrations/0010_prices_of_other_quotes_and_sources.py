from datetime import timedelta
from typing import Any

import django.db.models.functions.datetime
import megatron.core.fields
import megatron.core.ids
import megatron.core.timescale.fields
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models
from megatron.core.timescale.operations import Compression, TimeIndex

DAY = timedelta(days=1)

# Decision T8 for any quote, with the same sources in the same order. SOL keeps its own table and its own function.
QUOTE_USD_AT = """
CREATE FUNCTION quote_usd_at(quote text, at timestamptz) RETURNS numeric LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN quote = 'So11111111111111111111111111111111111111112' THEN public.sol_usd_at(at) ELSE coalesce(
        (SELECT price_usd FROM public.quote_usd_prices
          WHERE quote_mint = quote AND source = 'hermes' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1),
        (SELECT price_usd FROM public.quote_usd_prices
          WHERE quote_mint = quote AND source = 'jupiter' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1),
        (SELECT price_usd FROM public.quote_usd_prices
          WHERE quote_mint = quote AND source = 'pyth' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1),
        (SELECT price_usd FROM public.quote_usd_prices
          WHERE quote_mint = quote AND source = 'birdeye' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1),
        (SELECT price_usd FROM public.quote_usd_prices
          WHERE quote_mint = quote AND source = 'imported' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1)) END
$$;
COMMENT ON FUNCTION quote_usd_at(text, timestamptz) IS
    'USD for one whole coin of a quote, SOL or another: a sample at most 120 s old, by sol_usd_at''s order; else NULL';
"""

# Exact: numeric division would round, a product with a power of ten does not.
QUOTE_AMOUNT = """
CREATE FUNCTION quote_amount(type text, amount_in numeric, amount_out numeric, decimals int) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN type IN ('buy', 'add_liquidity') THEN amount_in ELSE amount_out END * ('1e-' || decimals)::numeric
$$;
COMMENT ON FUNCTION quote_amount(text, numeric, numeric, int) IS
    'What a trade moved of its quote, in whole coins; NULL while the quote''s decimals are not known';
"""

CALCULATE_USD_VALUES = """
CREATE OR REPLACE FUNCTION calculate_usd_values() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    usd numeric;
    amount numeric := NEW.sol_amount;
BEGIN
    IF amount IS NOT NULL THEN
        usd := public.sol_usd_at(NEW.block_time);
    ELSE
        SELECT public.quote_usd_at(quote_mint, NEW.block_time),
               public.quote_amount(NEW.type, NEW.amount_in, NEW.amount_out, quote_decimals)
          INTO usd, amount FROM public.pools WHERE id = NEW.pool_id;
    END IF;
    UPDATE public.transactions
       SET price_per_token_usd = NEW.price_per_token * usd, sol_amount_usd = amount * usd
     WHERE id = NEW.id AND block_time = NEW.block_time;
    RETURN NULL;
END $$;
"""

SOL_ONLY = """
CREATE OR REPLACE FUNCTION calculate_usd_values() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sol_usd numeric := CASE WHEN NEW.sol_amount IS NOT NULL THEN public.sol_usd_at(NEW.block_time) END;
BEGIN
    UPDATE public.transactions
       SET price_per_token_usd = NEW.price_per_token * sol_usd, sol_amount_usd = NEW.sol_amount * sol_usd
     WHERE id = NEW.id AND block_time = NEW.block_time;
    RETURN NULL;
END $$;
"""


def seed(apps: Any, schema_editor: Any) -> None:
    """Write how long the rows are kept; an operator's own figures stay."""
    policies = apps.get_model("tokens", "RetentionPolicy").objects.using(schema_editor.connection.alias)
    policies.get_or_create(
        table_name="quote_usd_prices",
        defaults={
            "drop_after": 90 * DAY,
            "compress_after": 7 * DAY,
            "segment_by": "quote_mint, source",
            "order_by": "price_time DESC",
            "note": "As long as the transactions it prices",
        },
    )


class Migration(migrations.Migration):

    dependencies = [
        ('tokens', '0009_system_metrics'),
    ]

    operations = [
        migrations.CreateModel(
            name='QuoteUsdPrice',
            fields=[
                ('id', models.UUIDField(default=megatron.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('quote_mint', megatron.core.fields.PubkeyField()),
                ('price_time', megatron.core.timescale.fields.HypertableTimeField(help_text='When the source says the price held', interval='7 days', key=('quote_mint', 'source'))),
                ('price_usd', models.DecimalField(decimal_places=6, help_text='USD for one whole coin of the quote', max_digits=20)),
                ('source', models.CharField(choices=[('hermes', 'Pyth Hermes'), ('jupiter', 'Jupiter'), ('pyth', 'Pyth on chain'), ('birdeye', 'Birdeye'), ('imported', 'Imported by an operator')], max_length=50)),
                ('confidence', models.DecimalField(blank=True, decimal_places=6, help_text='± USD', max_digits=20, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only')),
            ],
            options={
                'db_table': 'quote_usd_prices',
            },
        ),
        migrations.CreateModel(
            name='PriceSourceState',
            fields=[
                ('id', models.UUIDField(default=megatron.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only: when the row was written')),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text='Audit only: set by trigger')),
                ('source', models.CharField(choices=[('hermes', 'Pyth Hermes'), ('jupiter', 'Jupiter'), ('pyth', 'Pyth on chain'), ('birdeye', 'Birdeye'), ('imported', 'Imported by an operator')], max_length=50)),
                ('mint', megatron.core.fields.PubkeyField()),
                ('status', models.CharField(choices=[('waiting', 'Not answered yet'), ('ok', 'Used'), ('dropped', 'Dropped'), ('unreachable', 'Unreachable')], default='waiting', max_length=20)),
                ('reason', models.CharField(blank=True, choices=[('absent', 'The source has no price for it'), ('not_positive', 'Not a positive number'), ('from_future', 'Its time is in the future'), ('stale', 'Too old'), ('unsure', 'The source itself is not sure enough'), ('frozen', 'Does not move any more'), ('far_off', 'Far from what the others say'), ('disputed', 'The sources disagree and nothing tells who is right'), ('jumped', 'A jump that no other source confirms')], default='', help_text='Why the newest price was not used', max_length=20)),
                ('since', models.DateTimeField(help_text='When it came into this status, for this reason')),
                ('last_price', models.CharField(blank=True, default='', help_text='The newest price it gave, used or not, as it said it: USD a coin', max_length=60)),
                ('last_price_at', models.DateTimeField(blank=True, help_text='When the source says that price held', null=True)),
                ('unmoved_since', models.DateTimeField(blank=True, help_text='When it first gave exactly that price', null=True)),
                ('repeats', models.PositiveIntegerField(default=0, help_text='How often in a row it gave that price at that same time')),
                ('last_asked_at', models.DateTimeField(blank=True, null=True)),
                ('last_ok_at', models.DateTimeField(blank=True, help_text='When a price of it was last used', null=True)),
                ('ask_after', models.DateTimeField(help_text='It is not asked before: its turn, or the pause after a failure')),
                ('failures', models.PositiveIntegerField(default=0, help_text='How often in a row it did not answer')),
                ('dropped_count', models.PositiveBigIntegerField(default=0, help_text='Prices that were not used, ever')),
                ('error', models.CharField(blank=True, default='', help_text='What went wrong at the newest failure', max_length=500)),
            ],
            options={
                'db_table': 'price_source_states',
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('source', 'mint'), name='price_source_once_a_coin'), models.CheckConstraint(condition=models.Q(('source__in', ['hermes', 'jupiter', 'pyth', 'birdeye', 'imported'])), name='price_source_known'), models.CheckConstraint(condition=models.Q(('status__in', ['waiting', 'ok', 'dropped', 'unreachable'])), name='price_source_status_known'), models.CheckConstraint(condition=models.Q(models.Q(('reason__in', ['absent', 'not_positive', 'from_future', 'stale', 'unsure', 'frozen', 'far_off', 'disputed', 'jumped']), ('status', 'dropped')), models.Q(models.Q(('status', 'dropped'), _negated=True), ('reason', '')), _connector='OR'), name='price_source_reason_only_when_dropped'), models.CheckConstraint(condition=models.Q(models.Q(('failures__gt', 0), ('status', 'unreachable')), models.Q(models.Q(('status', 'unreachable'), _negated=True), ('failures', 0)), _connector='OR'), name='price_source_failures_only_when_unreachable')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='pricesourcestate',
            trigger=pgtrigger.compiler.Trigger(name='set_updated_at', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.updated_at IS NOT DISTINCT FROM NEW.updated_at)', func='NEW.updated_at := statement_timestamp(); RETURN NEW;', hash='f173ef7e8bbe95e60887a5812b870a9eab87ec97', operation='UPDATE', pgid='pgtrigger_set_updated_at_d5efe', table='price_source_states', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='quoteusdprice',
            constraint=models.CheckConstraint(condition=models.Q(('price_usd__gt', 0)), name='quote_usd_price_positive'),
        ),
        migrations.AddConstraint(
            model_name='quoteusdprice',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['hermes', 'jupiter', 'pyth', 'birdeye', 'imported'])), name='quote_usd_source_known'),
        ),
        migrations.AddConstraint(
            model_name='quoteusdprice',
            constraint=models.CheckConstraint(condition=models.Q(('quote_mint', 'So11111111111111111111111111111111111111112'), _negated=True), name='quote_usd_not_sol'),
        ),
        migrations.AlterField(
            model_name='transaction',
            name='price_per_token_usd',
            field=megatron.core.fields.PriceField(help_text='Execution price, USD; NULL without a fresh price of the quote', null=True, usd=True),
        ),
        migrations.AlterField(
            model_name='transaction',
            name='sol_amount_usd',
            field=megatron.core.fields.PriceField(help_text='The quote moved, in USD; NULL without a fresh price', null=True, usd=True),
        ),
        TimeIndex("quote_usd_prices", "price_time"),
        Compression("quote_usd_prices", "quote_mint, source", "price_time DESC", 7 * DAY),
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunSQL(QUOTE_USD_AT, "DROP FUNCTION quote_usd_at(text, timestamptz)"),
        migrations.RunSQL(QUOTE_AMOUNT, "DROP FUNCTION quote_amount(text, numeric, numeric, int)"),
        migrations.RunSQL(CALCULATE_USD_VALUES, SOL_ONLY),
    ]
