"""Storing decoded messages: flow 1's committed step. See docs/flows.md."""

from tokens.services.ingest import failures
from tokens.services.ingest.refusals import Rejection, keep, release_of
from tokens.services.ingest.store import Received, Stored, refusal, store

__all__ = ["Received", "Rejection", "Stored", "failures", "keep", "refusal", "release_of", "store"]
