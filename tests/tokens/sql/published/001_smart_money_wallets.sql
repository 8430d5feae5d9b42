SELECT
    wallet_address,
    win_rate,
    avg_profit_per_trade,
    total_profit_usd,
    unique_tokens_traded,
    reputation_score
FROM wallet_analysis_cache
WHERE wallet_type = 'smart_money'
  AND win_rate > 60
  AND unique_tokens_traded > 10
ORDER BY total_profit_usd DESC
LIMIT 1000;
