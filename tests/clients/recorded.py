"""Recorded replies in place of the network."""

import json
from pathlib import Path
from typing import Any

import httpx
import msgspec

RECORDINGS = Path(__file__).parent / "recordings"


class NotRecorded(AssertionError):
    """A test asked what nobody recorded; the message names the command that records it."""


def replay(folder: str) -> httpx.MockTransport:
    """Answer JSON-RPC from the recordings in ``folder``. Raises :class:`NotRecorded` for anything else."""
    tape = {}
    for path in (RECORDINGS / folder).glob("*.json"):
        kept = json.loads(path.read_bytes())
        tape[_key(kept["request"])] = kept

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        kept = tape.get(_key(asked))
        if kept is None:
            method, params = asked["method"], json.dumps(asked["params"])
            raise NotRecorded(
                f"Not recorded. Record it with: python -m tests.clients.record {folder} {method} '{params}'"
            )
        return httpx.Response(kept["status"], headers=kept["headers"], json=kept["body"])

    return httpx.MockTransport(answer)


def body(name: str) -> bytes:
    """Return the recorded reply ``folder/file`` as its bytes were sent: no number is read and written again."""
    kept = msgspec.json.decode((RECORDINGS / f"{name}.json").read_bytes(), type=dict[str, msgspec.Raw])
    return bytes(kept["body"])


def answers(*replies: Any) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """Return what answers with ``replies`` in turn (an exception is raised), and the list of what was asked."""
    asked: list[httpx.Request] = []
    left = list(replies)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        reply = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    return httpx.MockTransport(answer), asked


def _key(request: dict[str, Any]) -> str:
    return json.dumps([request["method"], request["params"]], sort_keys=True)
