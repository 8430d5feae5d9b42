"""Shares of the largest holdings are of one supply: accounts that are left out have none and say why, the others never add up
to more than all of it, and what nobody judged or names is unknown."""

from django.db import migrations

# Balances are of now and the snapshot is older: where the holders have more by now than circulated then, that circulates.
# The mayhem agent is no holder (T15), and who bought in the creation is its creator's (T17).
# Cut and not rounded: a hundred that are rounded up could be more than the whole.
TOP_HOLDERS = """
CREATE OR REPLACE VIEW top_holders AS
SELECT h.id, k.id AS token_id, h.wallet_address, h.first_transaction_time AS first_seen,
       coalesce(h.last_transaction_time, h.last_updated) AS last_seen, h.current_balance,
       CASE WHEN s.circulating_supply > 0 AND h.left_out_as IS NULL
            THEN trunc(100 * h.current_balance / greatest(s.circulating_supply, h.held), 4) END AS percentage_held,
       h.wallet_address = ANY(k.launch_wallets) OR h.wallet_address = k.creator_address AS is_creator, w.id IS NOT NULL AS is_known_wallet,
       CASE WHEN h.flags IS NOT NULL OR h.is_smart_money OR h.is_bot OR h.is_mev_bot OR h.is_insider THEN
       array_remove(ARRAY[CASE WHEN h.is_smart_money THEN 'smart_money' END, CASE WHEN h.is_bot THEN 'bot' END,
                          CASE WHEN h.is_mev_bot THEN 'mev_bot' END, CASE WHEN h.is_insider THEN 'insider' END], NULL)
       END AS wallet_tags,
       h.created_at, h.updated_at, h.left_out_as
  FROM public.tokens k
  LEFT JOIN LATERAL (
       SELECT circulating_supply, raw_distribution -> 'excluded' AS excluded FROM public.holder_snapshots
        WHERE token_mint = k.mint_address ORDER BY snapshot_time DESC LIMIT 1) AS s ON true
 CROSS JOIN LATERAL (
       SELECT t.*, e.reason AS left_out_as,
              sum(t.current_balance) FILTER (WHERE e.reason IS NULL) OVER () AS held
         FROM public.token_holders t
         LEFT JOIN LATERAL (
              SELECT account ->> 'reason' AS reason FROM jsonb_array_elements(s.excluded) AS account
               WHERE account ->> 'wallet' = t.wallet_address LIMIT 1) AS e ON true
        WHERE t.token_mint = k.mint_address AND t.current_balance > 0
          AND t.wallet_address <> 'BwWK17cbHxwWBKZkUYvzxLcNQ1YVyaFezduWbtm2de6s'
        ORDER BY t.current_balance DESC, t.wallet_address LIMIT 100) AS h
  LEFT JOIN public.wallet_analysis_cache w ON w.wallet_address = h.wallet_address;
COMMENT ON VIEW top_holders IS
    'The hundred largest holdings of each token, as parts of what circulates; NULL for accounts that are left out of it';
"""

BEFORE = """
DROP VIEW top_holders;
CREATE VIEW top_holders AS
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
       SELECT * FROM public.token_holders WHERE token_mint = k.mint_address AND current_balance > 0
        ORDER BY current_balance DESC, wallet_address LIMIT 100) AS h
  LEFT JOIN LATERAL (
       SELECT circulating_supply FROM public.holder_snapshots WHERE token_mint = k.mint_address
        ORDER BY snapshot_time DESC LIMIT 1) AS s ON true
  LEFT JOIN public.wallet_analysis_cache w ON w.wallet_address = h.wallet_address;
"""


class Migration(migrations.Migration):

    dependencies = [('holders', '0005_top_holders'), ('tokens', '0016_dev_wallets')]

    operations = [migrations.RunSQL(TOP_HOLDERS, BEFORE)]
