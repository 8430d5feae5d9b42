"""The operator's pages of this room; they come with its tables (stage Walltrack)."""
