from django.db import migrations, models

# The seed's columns. Decision T14: the current pool only, and with it one row a token, which a refresh that does not
# block readers needs. A token is as old as the chain says; when we first heard of it counts only while that is unknown.
# The scores' columns keep their place until stage Scores has scores: unknown is NULL, never 0.
TOP_TOKENS = """
CREATE MATERIALIZED VIEW top_tokens_by_usd_volume AS
SELECT tokens.id AS token_id, tokens.mint_address, tokens.symbol, tokens.name, tokens.platform,
       current.bonding_curve_progress, current.latest_price_usd,
       coalesce(traded.volume_24h_usd, 0) AS volume_24h_usd,
       NULL::numeric AS technical_score, NULL::numeric AS holder_score,
       coalesce(tokens.creation_timestamp, tokens.created_at) AS created_at
  FROM tokens
  LEFT JOIN latest_token_prices AS current ON current.token_id = tokens.id
  LEFT JOIN (
    SELECT token_id, sum(volume_usd) AS volume_24h_usd
      FROM price_candles_1m
     WHERE bucket > now() - INTERVAL '24 hours'
     GROUP BY token_id
 ) AS traded ON traded.token_id = tokens.id
 WHERE coalesce(tokens.creation_timestamp, tokens.created_at) > now() - INTERVAL '7 days'
 ORDER BY volume_24h_usd DESC;
CREATE UNIQUE INDEX idx_top_tokens_token ON top_tokens_by_usd_volume (token_id);
COMMENT ON MATERIALIZED VIEW top_tokens_by_usd_volume IS
    'Tokens of the last 7 days by the USD volume of 24 hours; refreshed every 5 minutes';
"""


class Migration(migrations.Migration):
    dependencies = [("tokens", "0006_triggers_keep_parents_and_times")]

    operations = [
        migrations.AddField(
            "retentionpolicy",
            "export_before_drop",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="Write whole days as Parquet below RETENTION_EXPORT_DIR before they are dropped; no folder, no drop",
            ),
        ),
        migrations.AddField(
            "retentionpolicy",
            "applied_at",
            models.DateTimeField(editable=False, help_text="When retention.apply last obeyed it", null=True),
        ),
        migrations.AddField(
            "retentionpolicy",
            "outcome",
            models.CharField(
                blank=True, default="", editable=False, help_text="What it did then, or why it did not", max_length=300
            ),
        ),
        migrations.AddConstraint(
            "retentionpolicy",
            models.CheckConstraint(
                condition=models.Q(("export_before_drop", False), ("drop_after__isnull", False), _connector="OR"),
                name="retention_export_before_some_drop",
            ),
        ),
        migrations.RunSQL(TOP_TOKENS, "DROP MATERIALIZED VIEW top_tokens_by_usd_volume"),
    ]
