SELECT platform, COUNT(*) FROM tokens GROUP BY platform;
