"""``Idempotency-Key``: a write that is sent twice happens once, and both callers get the same reply.

The reply is stored in the transaction of the write itself, so there is never one without the other. A second sender
waits for the first one's commit. Only success is kept: after an error the same key may be tried again.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import transaction
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from megatron.core import clock
from megatron.core.access import caller_of
from megatron.core.api.problems import Unprocessable
from megatron.core.models import IdempotencyRecord

KEPT = timedelta(hours=24)
LONGEST_KEY = 255

Handler = Callable[..., Response]


class KeyReused(Unprocessable):
    """The key was used for another request: a caller that means a new write needs a new key."""

    default_detail = "This Idempotency-Key was used for another request."
    default_code = "idempotency_key_reused"


def idempotent(handler: Handler) -> Handler:
    """Make the handler of a POST, PUT, PATCH or DELETE happen once a caller, path and ``Idempotency-Key``, for 24
    hours.

    The handler runs inside a transaction, so it only writes rows; what must wait for the network is done by a worker.
    The header is required: without it, or with one longer than 255 characters, the answer is 400; with another body
    422.
    """

    @wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not key or len(key) > LONGEST_KEY or not key.isprintable():
            raise ValidationError(
                {"Idempotency-Key": f"This header is required: up to {LONGEST_KEY} printable characters."}
            )
        now, caller = clock.utc_now(), caller_of(request)
        with transaction.atomic():
            IdempotencyRecord.objects.filter(caller=caller, stored_at__lt=now - KEPT).delete()
            record, mine = IdempotencyRecord.objects.get_or_create(
                caller=caller,
                path=request.path[:300],
                key=key,
                defaults={"request_hash": _hash_of(request), "stored_at": now},
            )
            if not mine:
                return _again(record, request)
            response = handler(view, request, *args, **kwargs)
            if response.status_code >= 300:
                transaction.set_rollback(True)
                return response
            record.status, record.body = (
                response.status_code,
                json.loads(JSONRenderer().render(response.data) or b"null"),
            )
            record.save(update_fields=["status", "body"])
        return response

    return once


def _again(record: IdempotencyRecord, request: Request) -> Response:
    if record.request_hash != _hash_of(request):
        raise KeyReused
    return Response(record.body, status=record.status, headers={"Idempotent-Replayed": "true"})


def _hash_of(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, default=str)
    return hashlib.sha256(f"{request.method} {body}".encode()).hexdigest()
