from django.db import migrations

# The view of 0005 without the wallet with which the mayhem program trades its coins (T15).
_TOP_HOLDERS = """
CREATE OR REPLACE VIEW top_holders AS
SELECT h.id, k.id AS token_id, h.wallet_address, h.first_transaction_time AS first_seen,
       coalesce(h.last_transaction_time, h.last_updated) AS last_seen, h.current_balance,
       CASE WHEN s.circulating_supply > 0
            THEN least(100, round(100 * h.current_balance / s.circulating_supply, 4)) END AS percentage_held,
       coalesce(h.wallet_address = k.creator_address, false) AS is_creator, w.id IS NOT NULL AS is_known_wallet,
       array_remove(ARRAY[CASE WHEN h.is_smart_money THEN 'smart_money' END, CASE WHEN h.is_bot THEN 'bot' END,
                          CASE WHEN h.is_mev_bot THEN 'mev_bot' END, CASE WHEN h.is_insider THEN 'insider' END], NULL)
           AS wallet_tags,
       h.created_at, h.updated_at
  FROM public.tokens k
 CROSS JOIN LATERAL (
       SELECT * FROM public.token_holders WHERE token_mint = k.mint_address AND current_balance > 0 {nobody}
        ORDER BY current_balance DESC, wallet_address LIMIT 100) AS h
  LEFT JOIN LATERAL (
       SELECT circulating_supply FROM public.holder_snapshots WHERE token_mint = k.mint_address
        ORDER BY snapshot_time DESC LIMIT 1) AS s ON true
  LEFT JOIN public.wallet_analysis_cache w ON w.wallet_address = h.wallet_address;
"""
WITHOUT_AGENT = _TOP_HOLDERS.format(nobody="AND wallet_address <> 'BwWK17cbHxwWBKZkUYvzxLcNQ1YVyaFezduWbtm2de6s'")
WITH_AGENT = _TOP_HOLDERS.format(nobody="")


class Migration(migrations.Migration):

    dependencies = [('holders', '0005_top_holders')]

    operations = [migrations.RunSQL(WITHOUT_AGENT, WITH_AGENT)]
