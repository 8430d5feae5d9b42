from django.db import migrations

# Decision T8. The best source that has a sample in the window wins, and its newest sample counts. COALESCE asks the
# next source only when the one before has none. Names carry their schema: a restore runs with an empty search path.
SOL_USD_AT = """
CREATE FUNCTION sol_usd_at(at timestamptz) RETURNS numeric LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(
        (SELECT price_usd FROM public.sol_usd_prices
          WHERE source = 'hermes' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1),
        (SELECT price_usd FROM public.sol_usd_prices
          WHERE source = 'jupiter' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1),
        (SELECT price_usd FROM public.sol_usd_prices
          WHERE source = 'pyth' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1),
        (SELECT price_usd FROM public.sol_usd_prices
          WHERE source = 'birdeye' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1),
        (SELECT price_usd FROM public.sol_usd_prices
          WHERE source = 'imported' AND price_time BETWEEN at - interval '120 seconds' AND at
          ORDER BY price_time DESC LIMIT 1))
$$;
COMMENT ON FUNCTION sol_usd_at(timestamptz) IS
    'USD for one SOL: a sample at most 120 s old, hermes before jupiter, pyth, birdeye, imported; else NULL';
"""

# A row without sol_amount trades against another quote: SOL's price says nothing about it. Nothing is ever made up.
# AFTER the insert and not BEFORE as the seed has it, with the same result: a BEFORE trigger would stop COPY from writing
# pages at a time even when its condition is false.
CALCULATE_USD_VALUES = """
CREATE FUNCTION calculate_usd_values() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sol_usd numeric := CASE WHEN NEW.sol_amount IS NOT NULL THEN public.sol_usd_at(NEW.block_time) END;
BEGIN
    UPDATE public.transactions
       SET price_per_token_usd = NEW.price_per_token * sol_usd, sol_amount_usd = NEW.sol_amount * sol_usd
     WHERE id = NEW.id AND block_time = NEW.block_time;
    RETURN NULL;
END $$;
"""

# A writer that prices its rows itself, set-based, says so with SET LOCAL megatron.usd_known = 'on'; then the function is
# not even called.
TRIGGER = """
CREATE TRIGGER update_transaction_usd_values AFTER INSERT ON transactions FOR EACH ROW
    WHEN (current_setting('megatron.usd_known', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION calculate_usd_values();
"""


class Migration(migrations.Migration):
    dependencies = [("tokens", "0002_retention_figures")]

    operations = [
        migrations.RunSQL(SOL_USD_AT, "DROP FUNCTION sol_usd_at(timestamptz)"),
        migrations.RunSQL(CALCULATE_USD_VALUES, "DROP FUNCTION calculate_usd_values()"),
        migrations.RunSQL(TRIGGER, "DROP TRIGGER update_transaction_usd_values ON transactions"),
    ]
