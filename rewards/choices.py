"""The words of this room; they come with its tables (stage Rewards)."""
