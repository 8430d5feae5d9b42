"""What this room tells others: costs of calls, distributions of holders."""

from holders.selectors.credits import Budget, Spent, budgets, daily, left, spent

__all__ = ["Budget", "Spent", "budgets", "daily", "left", "spent"]
