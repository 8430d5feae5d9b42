"""Reads of this room, for its own doors and for other rooms."""
