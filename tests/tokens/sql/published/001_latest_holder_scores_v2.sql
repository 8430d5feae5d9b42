SELECT DISTINCT ON (hs.token_mint)
    hs.token_mint,
    hs.timestamp,
    hs.total_score,
    hs.distribution_score,
    hs.quality_score,
    hs.activity_score,
    hs.total_holders,
    hs.bonding_curve_progress,
    hs.confidence_score,
    rm.concentration_risk,
    rm.rug_risk_score
FROM holder_scores hs
LEFT JOIN risk_metrics rm ON
    hs.token_mint = rm.token_mint
    AND rm.timestamp = (
        SELECT MAX(timestamp)
        FROM risk_metrics
        WHERE token_mint = hs.token_mint
    )
WHERE hs.is_frozen = FALSE OR hs.bonding_curve_progress < 100
ORDER BY hs.token_mint, hs.timestamp DESC;
