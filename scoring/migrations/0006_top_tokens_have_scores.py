from django.db import migrations

# The view of tokens.0007 with the scores in their places. They come from the newest total, which has a row a token: the
# views of the parts would look into the history of each of them. Unknown is NULL, never 0.
TOP_TOKENS = """
DROP MATERIALIZED VIEW top_tokens_by_usd_volume;
CREATE MATERIALIZED VIEW top_tokens_by_usd_volume AS
SELECT tokens.id AS token_id, tokens.mint_address, tokens.symbol, tokens.name, tokens.platform,
       current.bonding_curve_progress, current.latest_price_usd,
       coalesce(traded.volume_24h_usd, 0) AS volume_24h_usd,
       {technical_score} AS technical_score, {holder_score} AS holder_score,
       coalesce(tokens.creation_timestamp, tokens.created_at) AS created_at
  FROM tokens
  LEFT JOIN latest_token_prices AS current ON current.token_id = tokens.id
  LEFT JOIN (
    SELECT token_id, sum(volume_usd) AS volume_24h_usd
      FROM price_candles_1m
     WHERE bucket > now() - INTERVAL '24 hours'
     GROUP BY token_id
 ) AS traded ON traded.token_id = tokens.id
  {scores}
 WHERE coalesce(tokens.creation_timestamp, tokens.created_at) > now() - INTERVAL '7 days'
 ORDER BY volume_24h_usd DESC;
CREATE UNIQUE INDEX idx_top_tokens_token ON top_tokens_by_usd_volume (token_id);
COMMENT ON MATERIALIZED VIEW top_tokens_by_usd_volume IS
    'Tokens of the last 7 days by the USD volume of 24 hours, with their newest scores; refreshed every 5 minutes';
"""
SCORED = TOP_TOKENS.format(
    technical_score="scored.technical_score",
    holder_score="scored.holder_score",
    scores="LEFT JOIN latest_token_scores AS scored ON scored.token_id = tokens.id",
)
UNSCORED = TOP_TOKENS.format(technical_score="NULL::numeric", holder_score="NULL::numeric", scores="")

# A token that only a dropped fork created is removed, and its scores go with it; a trigger keeps every other token.
FOLLOW = """
DO $$
DECLARE key record;
BEGIN
    FOR key IN
        SELECT conname, conrelid::regclass AS held, confrelid::regclass AS named, attname
          FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
         WHERE contype = 'f' AND conrelid IN (
               'token_scores'::regclass, 'latest_token_scores'::regclass, 'technical_scores_due'::regclass, 'social_polls'::regclass)
    LOOP
        EXECUTE format(
            'ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I FOREIGN KEY (%I) REFERENCES %s ON DELETE CASCADE'
            ' DEFERRABLE INITIALLY DEFERRED', key.held, key.conname, key.conname, key.attname, key.named
        );
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("scoring", "0005_technical_scores"), ("tokens", "0013_indexes_of_what_waits")]

    operations = [
        migrations.RunSQL(SCORED, UNSCORED),
        migrations.RunSQL(FOLLOW, migrations.RunSQL.noop),
    ]
