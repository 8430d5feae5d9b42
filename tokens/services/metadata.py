"""Tokens' documents: made due when a token with a URI is stored, fetched from the stranger's address, told to the token."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import connection, transaction

from megatron.clients.errors import Malformed, Refused, TryLater
from megatron.clients.ports import DocumentReader
from megatron.core import ids, nudges, queue
from tokens.domain import metadata
from tokens.domain.metadata import Metadata, NotMetadata
from tokens.models import Token, TokenMetadata

FEW = 10
"""Documents of one run: strangers may take their time, and a task may not."""

_LINKS = ("twitter", "telegram", "website", "discord")

# A row whose URI is another one starts anew; a worker that still has the old one can no longer finish it.
_QUEUE = """
INSERT INTO token_metadata (id, token_id, uri, due_at, attempts, last_error)
SELECT n.id, t.id, t.uri, %s, 0, '' FROM unnest(%s::uuid[], %s::uuid[]) AS n(id, token) JOIN tokens t ON t.id = n.token
WHERE t.uri <> '' ORDER BY t.id
ON CONFLICT (token_id) DO UPDATE SET
    uri = EXCLUDED.uri, due_at = EXCLUDED.due_at, attempts = 0, last_error = '', leased_until = NULL, finished_at = NULL,
    quarantined_at = NULL
WHERE token_metadata.uri <> EXCLUDED.uri
"""


def queue_tokens(*, tokens: Sequence[str], now: datetime) -> int:
    """Make the documents of tokens due that have a URI which was not asked for yet; return how many.

    Part of the caller's transaction: the token and the wish for its document live and die together.
    """
    if not tokens:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, [now, [ids.new_id() for _ in tokens], list(tokens)])
        queued = int(cursor.rowcount)
    if queued:
        nudges.ring("metadata_due")
    return queued


def fetch_due(*, documents: DocumentReader, now: datetime, limit: int = FEW) -> queue.Drained:
    """Fetch up to ``limit`` due documents, the longest due first.

    What may pass is tried again with growing pauses; what is refused, gone or no document is set aside with the reason.
    """
    step = partial(_fetch, documents, now)
    return queue.drain(
        TokenMetadata.objects.all(),
        step,
        now=now,
        limit=limit,
        hopeless=(Refused, Malformed, NotMetadata),
        expected=(TryLater,),
    )


def _fetch(documents: DocumentReader, now: datetime, row: TokenMetadata) -> None:
    document = documents.get_document(row.uri)
    said = metadata.parse(document.body)
    with transaction.atomic():
        # The token first, as ingest does it, so that the two never wait for each other in a ring.
        token = Token.objects.select_for_update(no_key=True).get(pk=row.token_id)
        stored = TokenMetadata.objects.filter(pk=row.pk, uri=row.uri).update(
            fetched_at=now,
            found_at=document.address[:2_000],
            content_type=document.content_type[:100],
            digest=hashlib.sha256(document.body).hexdigest(),
            **{name: getattr(said, name) for name in ("name", "symbol", "description", "image_url", *_LINKS, "raw")},
        )
        if stored:
            _tell(token, said)


def _tell(token: Token, said: Metadata) -> None:
    """Give a token its picture and links. What the chain says of its name and symbol stays: only what it leaves out is filled."""
    token.name = said.name if token.name is None else token.name
    token.symbol = said.symbol if token.symbol is None else token.symbol
    token.image_url = said.image_url
    links = {name: link for name in _LINKS if (link := getattr(said, name)) is not None}
    token.metadata = {key: value for key, value in token.metadata.items() if key not in _LINKS} | links
    token.save(update_fields=["name", "symbol", "image_url", "metadata"])
