"""The bytes that nodes and providers send about blocks and transactions."""

import base64
from hashlib import sha256
from typing import Any

import msgspec

from tests.cluster import shapes
from tests.cluster.chain import Block
from tests.cluster.landing import Landing
from tests.tokens.domain.decode.building import base58

_encode = msgspec.json.encode


def blockhash(slot: int) -> str:
    """Return the hash that a block of this stand-in has."""
    return base58(sha256(b"block %d" % slot).digest())


def cut(lines: list[str]) -> list[str]:
    """Return a log as nodes cut it: nothing from the first event on."""
    first = next((place for place, line in enumerate(lines) if line.startswith("Program data: ")), len(lines))
    return [*lines[:first], "Log truncated"]


def logs_frame(landing: Landing, subscription: int = 0, *, truncated: bool = False) -> bytes:
    """Return the ``logsSubscribe`` frame of a transaction."""
    built = shapes.transaction(landing)
    lines = cut(built.lines) if truncated else built.lines
    value = {"signature": landing.signature, "err": built.err, "logs": lines}
    result = {"context": {"slot": landing.slot}, "value": value}
    return _notification("logsNotification", result, subscription)


def transaction(landing: Landing, encoding: str = "json", *, truncated: bool = False) -> dict[str, Any]:
    """Return the result of ``getTransaction``."""
    built = shapes.transaction(landing)
    if truncated:
        built.lines = cut(built.lines)
    version = landing.wish.version
    found = built.result(encoding, version, tables=4 if version != "legacy" and encoding == "json" else 0)
    return {**found, "transactionIndex": landing.place}


def transaction_frame(landing: Landing, subscription: int = 0, *, encoding: str = "jsonParsed") -> bytes:
    """Return the ``transactionSubscribe`` frame as Helius sends it."""
    found = transaction(landing, encoding)
    inner = {"transaction": found["transaction"], "meta": found["meta"], "version": found["version"]}
    result = {"transaction": inner, "signature": landing.signature, "slot": landing.slot}
    return _notification("transactionNotification", {**result, "transactionIndex": landing.place}, subscription)


def block(
    found: Block,
    *,
    encoding: str = "json",
    details: str = "full",
    mentions: str | None = None,
    truncated: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the result of ``getBlock``, with all transactions or those that mention a program."""
    landings = [one for one in found.landings if mentions is None or mentions in one.addresses]
    head: dict[str, Any] = {
        "blockhash": blockhash(found.slot),
        "previousBlockhash": blockhash(found.parent),
        "parentSlot": found.parent,
        "blockTime": found.block_time,
        "blockHeight": found.height,
    }
    if details == "signatures":
        return {**head, "signatures": [landing.signature for landing in landings]}
    if details == "none":
        return head
    shown = []
    for landing in landings:
        one = transaction(landing, encoding, truncated=landing.signature in truncated)
        shown.append({"transaction": one["transaction"], "meta": one["meta"], "version": one["version"]})
    return {**head, "transactions": shown}


def block_frame(found: Block, subscription: int, *, encoding: str, mentions: str | None) -> bytes:
    """Return the ``blockSubscribe`` frame of a block."""
    value = {"slot": found.slot, "block": block(found, encoding=encoding, mentions=mentions), "err": None}
    return _notification("blockNotification", {"context": {"slot": found.slot}, "value": value}, subscription)


def slot_frame(found: Block, root: int, subscription: int) -> bytes:
    """Return the ``slotSubscribe`` frame of a new block."""
    return _notification("slotNotification", {"slot": found.slot, "parent": found.parent, "root": root}, subscription)


def _notification(method: str, result: Any, subscription: int) -> bytes:
    params = {"result": result, "subscription": subscription}
    return _encode({"jsonrpc": "2.0", "method": method, "params": params})


def account(data: bytes, owner: str) -> dict[str, Any]:
    """Return the value of ``getAccountInfo``."""
    encoded = [base64.b64encode(data).decode(), "base64"]
    known = {"owner": owner, "lamports": 1_461_600, "executable": False, "rentEpoch": (1 << 64) - 1}
    return {"data": encoded, **known, "space": len(data)}
