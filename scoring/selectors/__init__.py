"""Reads of this room, a module a subject."""
