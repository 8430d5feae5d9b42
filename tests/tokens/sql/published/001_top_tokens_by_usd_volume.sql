SELECT
    t.id as token_id,
    t.mint_address,
    t.symbol,
    t.name,
    t.platform,
    p.bonding_curve_progress,
    p.latest_price_usd,
    COALESCE(v.volume_24h_usd, 0) as volume_24h_usd,
    COALESCE(ts.total_score, 0) as technical_score,
    COALESCE(hs.total_score, 0) as holder_score,
    t.created_at
FROM tokens t
LEFT JOIN pools p ON t.id = p.token_id
LEFT JOIN LATERAL (
    SELECT SUM(volume_usd) as volume_24h_usd
    FROM price_candles_1m
    WHERE token_id = t.id
      AND bucket > NOW() - INTERVAL '24 hours'
) v ON true
LEFT JOIN latest_technical_scores ts ON t.mint_address = ts.token_mint
LEFT JOIN latest_holder_scores_v2 hs ON t.mint_address = hs.token_mint
WHERE t.created_at > NOW() - INTERVAL '7 days'
ORDER BY volume_24h_usd DESC;
