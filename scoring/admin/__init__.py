"""The operator's pages of this room, a module a subject."""
