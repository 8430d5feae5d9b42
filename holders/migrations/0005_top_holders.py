from django.db import migrations

# The seed's table as a view: the hundred largest holdings of each token. Names carry their schema: a restore runs with an
# empty search path.
TOP_HOLDERS = """
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
COMMENT ON VIEW top_holders IS
    'The hundred largest holdings of each token, as parts of what circulated at its newest snapshot';
"""


class Migration(migrations.Migration):

    dependencies = [('holders', '0004_wallets_and_their_quality')]

    operations = [migrations.RunSQL(TOP_HOLDERS, "DROP VIEW top_holders")]
