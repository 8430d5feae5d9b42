SELECT DISTINCT ON (token_mint)
    token_mint,
    timestamp,
    total_score,
    market_cap_score,
    bonding_curve_score,
    trading_health_score,
    selloff_response_score,
    market_cap_usd,
    bonding_curve_progress,
    volume_24h_usd
FROM technical_scores
ORDER BY token_mint, timestamp DESC;
