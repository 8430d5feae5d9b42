"""Following one venue live: frames of several sources in, committed rows out. See docs/flows.md."""

from tokens.services.monitor.follow import Monitor, NothingToFollow

__all__ = ["Monitor", "NothingToFollow"]
