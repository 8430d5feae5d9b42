SELECT bonding_curve_progress, real_sol_reserves, real_token_reserves
FROM pools
WHERE platform = 'pumpfun' AND bonding_curve_progress IS NOT NULL;
