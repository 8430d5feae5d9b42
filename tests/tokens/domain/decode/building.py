"""Builds transactions that were not recorded: any programs, depth and encoding, with the log that nodes write."""

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.message import Message, MessageAddressTableLookup, MessageHeader, MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from tokens.choices import Program
from tokens.domain import programs
from tokens.domain.decode.events import EVENTS
from tokens.domain.programs import EVENT_TAG

SIGNATURE = str(Signature(bytes(range(64))))
SLOT, BLOCK_TIME = 455_000_000, 1_791_500_000
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def key(name: str) -> str:
    """Return an address that stands for a name."""
    return str(Pubkey.from_bytes(sha256(name.encode()).digest()))


def base58(data: bytes) -> str:
    """Return the base58 form, digit by digit."""
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def discriminator(name: str, space: str = "global") -> bytes:
    """Return the first eight bytes of an instruction's data, or of an event's."""
    return sha256(f"{space}:{name}".encode()).digest()[:8]


def payload(program: Program, name: str, upto: int | None = None, /, **values: Any) -> bytes:
    """Return an event's bytes with the first ``upto`` fields: those that are not named are zeros of their type."""
    layout, _ = EVENTS[program][discriminator(name, "event")]
    return discriminator(name, "event") + b"".join(
        _field(kind, values.get(field)) for field, kind in layout.fields[:upto]
    )


def _field(kind: str, value: Any) -> bytes:
    sizes = {"u8": 1, "bool": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "u128": 16, "i128": 16}
    if kind in sizes:
        return int(value or 0).to_bytes(sizes[kind], "little", signed=kind[0] == "i")
    if kind == "pubkey":
        return bytes(Pubkey.from_string(value)) if value else bytes(32)
    if kind == "string":
        return len(value or "").to_bytes(4, "little") + (value or "").encode()
    if kind == "curve":
        return bytes(value or bytes(26))
    return {"shareholders": bytes(4), "pubkey*7": bytes(224), "pubkey*8": bytes(256)}[kind]


@dataclass
class Call:
    """An instruction and what it does, in order: further calls, events (bytes) and lines of its own log (text)."""

    program: str
    accounts: list[str] = field(default_factory=list)
    data: bytes = b""
    does: list["Call | bytes | str"] = field(default_factory=list)


class Transaction:
    """The views of one transaction that nodes and providers hand out."""

    def __init__(
        self,
        *calls: Call,
        err: Any = None,
        heights: bool = True,
        log: bool = True,
        cpi: bool = True,
        signature: str = SIGNATURE,
        slot: int = SLOT,
        block_time: int = BLOCK_TIME,
        payer: str | None = None,
    ) -> None:
        self.calls, self.err = calls, err
        self.signature, self.slot, self.block_time, self.payer = signature, slot, block_time, payer or key("payer")
        self.lines: list[str] = []
        self.inner: list[list[tuple[Call, int]]] = []
        for call in calls:
            self.inner.append([])
            self._run(call, 1)
        self.heights, self.log, self.cpi = heights, log, cpi

    def _run(self, call: Call, height: int) -> None:
        seen = call.program not in programs.PRECOMPILES
        if seen:
            self.lines.append(f"Program {call.program} invoke [{height}]")
        for what in call.does:
            if isinstance(what, str):
                self.lines.append(f"Program log: {what}")
                continue
            if isinstance(what, bytes):
                self.lines.append(f"Program data: {base64.b64encode(what).decode()}")
            called = what if isinstance(what, Call) else Call(call.program, [key("event authority")], EVENT_TAG + what)
            self.inner[-1].append((called, height + 1))
            self._run(called, height + 1)
        if seen:
            self.lines.append(f"Program {call.program} consumed 2125 of 200000 compute units")
            self.lines.append(f"Program {call.program} success")

    @property
    def keys(self) -> list[str]:
        """Return all accounts: the payer, the programs, then what they touch."""
        every = [*self.calls] + [call for group in self.inner for call, _ in group]
        named = [self.payer, *(call.program for call in every), *(a for call in every for a in call.accounts)]
        return list(dict.fromkeys(named))

    def meta(self, keys: list[str], loaded: list[str], parsed: bool = False) -> dict[str, Any]:
        """Return what a node reports; ``loaded`` came from lookup tables."""
        half = (len(loaded) + 1) // 2
        return {
            "err": self.err,
            "fee": 5000,
            "logMessages": self.lines if self.log else None,
            "loadedAddresses": {"writable": loaded[:half], "readonly": loaded[half:]},
            "innerInstructions": [
                {"index": i, "instructions": [self._json(call, keys, height, parsed) for call, height in group]}
                for i, group in enumerate(self.inner)
                if group
            ]
            if self.cpi
            else [],
        }

    def _json(self, call: Call, keys: list[str], height: int | None, parsed: bool) -> dict[str, Any]:
        data = {"data": base58(call.data), "stackHeight": height if self.heights else None}
        if parsed:
            return {"programId": call.program, "accounts": call.accounts, **data}
        places = [keys.index(account) for account in call.accounts]
        return {"programIdIndex": keys.index(call.program), "accounts": places, **data}

    def result(self, encoding: str = "json", version: int | str = 0, tables: int = 0) -> dict[str, Any]:
        """Return the result of ``getTransaction``; the last ``tables`` accounts come from lookup tables."""
        keys = self.keys
        static, loaded = keys[: len(keys) - tables], keys[len(keys) - tables :]
        if encoding in ("base64", "base58"):
            wire = self.wire(version, static, loaded)
            data = base64.b64encode(wire).decode() if encoding == "base64" else base58(wire)
            transaction: Any = [data, encoding]
        else:
            parsed = encoding == "jsonParsed"
            transaction = {
                "signatures": [self.signature],
                "message": {
                    "accountKeys": [{"pubkey": k, "signer": False} for k in keys] if parsed else static,
                    "instructions": [self._json(call, keys, None, parsed) for call in self.calls],
                },
            }
        meta = self.meta(keys, [] if encoding == "jsonParsed" else loaded, encoding == "jsonParsed")
        return {
            "slot": self.slot,
            "blockTime": self.block_time,
            "version": version,
            "transaction": transaction,
            "meta": meta,
        }

    def wire(self, version: int | str, static: list[str], loaded: list[str]) -> bytes:
        """Return the transaction's bytes."""
        keys = static + loaded
        compiled = [
            CompiledInstruction(
                keys.index(call.program), call.data, bytes(keys.index(account) for account in call.accounts)
            )
            for call in self.calls
        ]
        addresses, header = [Pubkey.from_string(k) for k in static], MessageHeader(1, 0, 0)
        if version == 1:
            message: Any = MessageV1(header, TransactionConfig(), Hash.default(), addresses, compiled)
        elif version == 0:
            half = (len(loaded) + 1) // 2
            places = bytes(range(len(loaded)))
            lookups = [MessageAddressTableLookup(Pubkey.default(), places[:half], places[half:])] if loaded else []
            message = MessageV0(header, addresses, Hash.default(), compiled, lookups)
        else:
            message = Message.new_with_compiled_instructions(1, 0, 0, addresses, Hash.default(), compiled)
        return bytes(VersionedTransaction.populate(message, [Signature.from_string(self.signature)]))

    def reply(self, encoding: str = "json", version: int | str = 0, tables: int = 0) -> bytes:
        """Return the whole JSON-RPC reply."""
        result = self.result(encoding, version, tables)
        return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()

    def frame(self) -> bytes:
        """Return the ``logsSubscribe`` frame."""
        value = {"signature": self.signature, "err": self.err, "logs": self.lines}
        result = {"context": {"slot": self.slot}, "value": value}
        params = {"subscription": 1, "result": result}
        return json.dumps({"jsonrpc": "2.0", "method": "logsNotification", "params": params}).encode()

    def webhook(self) -> dict[str, Any]:
        """Return the item of a Helius enhanced webhook body."""
        shown: list[dict[str, Any]] = [
            {"programId": call.program, "accounts": call.accounts, "data": base58(call.data)} for call in self.calls
        ]
        for top, group in zip(shown, self.inner, strict=True):
            top["innerInstructions"] = [
                {"programId": call.program, "accounts": call.accounts, "data": base58(call.data)} for call, _ in group
            ]
        return {
            "signature": self.signature,
            "slot": self.slot,
            "timestamp": self.block_time,
            "fee": 5000,
            "type": "UNKNOWN",
            "transactionError": self.err,
            "instructions": shown,
        }
