"""A Yellowstone endpoint on this machine, and transactions in its form."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from megatron.clients.protocols import yellowstone_pb2 as wire
from megatron.core import base58

Script = Callable[[Iterator[wire.SubscribeRequest], grpc.ServicerContext, int], Iterator[wire.SubscribeUpdate]]


@contextmanager
def endpoint(script: Script) -> Iterator[str]:
    """Run a server that does ``script`` for each call; return its address."""
    calls: list[int] = []

    def subscribe(requests: Iterator[wire.SubscribeRequest], context: grpc.ServicerContext) -> Any:
        calls.append(len(calls))
        yield from script(requests, context, calls[-1])

    handler = grpc.stream_stream_rpc_method_handler(
        subscribe,
        request_deserializer=wire.SubscribeRequest.FromString,
        response_serializer=wire.SubscribeUpdate.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", 64 << 20)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("geyser.Geyser", {"Subscribe": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait(10)


def meta(slot: int, seconds: int | None) -> wire.SubscribeUpdate:
    """Return the time of a slot; ``None`` for a block without one."""
    time = None if seconds is None else wire.UnixTime(seconds=seconds)
    return wire.SubscribeUpdate(filters=["times"], block_meta=wire.BlockMeta(slot=slot, block_time=time))


def bare(slot: int, signature: bytes) -> wire.SubscribeUpdate:
    """Return a transaction of which only the signature matters."""
    info = wire.TransactionInfo(
        signature=signature,
        transaction=wire.Transaction(signatures=[signature], message=wire.Message()),
        meta=wire.Meta(),
    )
    return wire.SubscribeUpdate(filters=["program"], transaction=wire.TransactionUpdate(slot=slot, transaction=info))


def transaction(found: dict[str, Any]) -> wire.SubscribeUpdate:
    """Return a result of ``getTransaction`` (json or jsonParsed) as Yellowstone would send it."""
    message, run = found["transaction"]["message"], found["meta"]
    keys = [key if isinstance(key, str) else key["pubkey"] for key in message["accountKeys"]]
    static = [
        key
        for key in message["accountKeys"]
        if isinstance(key, str) or key.get("source", "transaction") == "transaction"
    ]
    loaded = run.get("loadedAddresses") or _loaded(message["accountKeys"])
    if isinstance(message["accountKeys"][0], str):
        keys += loaded["writable"] + loaded["readonly"]

    def instruction(shape: dict[str, Any]) -> wire.Instruction:
        program = shape["programIdIndex"] if "programIdIndex" in shape else keys.index(shape["programId"])
        accounts = [one if isinstance(one, int) else keys.index(one) for one in shape.get("accounts", [])]
        return wire.Instruction(
            program_id_index=program,
            accounts=bytes(accounts),
            data=base58.decode(shape.get("data", "")),
            stack_height=shape.get("stackHeight"),
        )

    inner = run["innerInstructions"] or []
    info = wire.TransactionInfo(
        signature=base58.decode(found["transaction"]["signatures"][0]),
        transaction=wire.Transaction(
            signatures=[base58.decode(one) for one in found["transaction"]["signatures"]],
            message=wire.Message(
                header=_header(message.get("header")),
                account_keys=[base58.decode(key if isinstance(key, str) else key["pubkey"]) for key in static],
                recent_blockhash=base58.decode(message["recentBlockhash"]),
                instructions=[instruction(one) for one in message["instructions"]],
                versioned="addressTableLookups" in message,
                address_table_lookups=[
                    wire.TableLookup(
                        account_key=base58.decode(lookup["accountKey"]),
                        writable_indexes=bytes(lookup["writableIndexes"]),
                        readonly_indexes=bytes(lookup["readonlyIndexes"]),
                    )
                    for lookup in message.get("addressTableLookups") or []
                ],
            ),
        ),
        meta=wire.Meta(
            err=None if run["err"] is None else wire.Failure(err=b"\x08\x00"),
            fee=run["fee"],
            pre_balances=run["preBalances"],
            post_balances=run["postBalances"],
            inner_instructions=[
                wire.InnerInstructions(
                    index=group["index"], instructions=[instruction(one) for one in group["instructions"]]
                )
                for group in inner
            ],
            inner_instructions_none=run["innerInstructions"] is None,
            log_messages=run["logMessages"] or [],
            log_messages_none=run["logMessages"] is None,
            pre_token_balances=[_balance(one) for one in run["preTokenBalances"]],
            post_token_balances=[_balance(one) for one in run["postTokenBalances"]],
            loaded_writable_addresses=[base58.decode(key) for key in loaded["writable"]],
            loaded_readonly_addresses=[base58.decode(key) for key in loaded["readonly"]],
            compute_units_consumed=run.get("computeUnitsConsumed"),
        ),
    )
    update = wire.TransactionUpdate(slot=found["slot"], transaction=info)
    return wire.SubscribeUpdate(filters=["program"], transaction=update)


def _header(shape: dict[str, int] | None) -> wire.Header | None:
    if shape is None:  # parsed messages have none
        return None
    return wire.Header(
        num_required_signatures=shape["numRequiredSignatures"],
        num_readonly_signed_accounts=shape["numReadonlySignedAccounts"],
        num_readonly_unsigned_accounts=shape["numReadonlyUnsignedAccounts"],
    )


def _loaded(keys: list[Any]) -> dict[str, list[str]]:
    """Return the addresses of tables among parsed keys: first the writable ones."""
    of_tables = [key for key in keys if not isinstance(key, str) and key.get("source") == "lookupTable"]
    return {
        "writable": [key["pubkey"] for key in of_tables if key["writable"]],
        "readonly": [key["pubkey"] for key in of_tables if not key["writable"]],
    }


def _balance(shape: dict[str, Any]) -> wire.TokenBalance:
    amount = shape["uiTokenAmount"]
    return wire.TokenBalance(
        account_index=shape["accountIndex"],
        mint=shape["mint"],
        owner=shape["owner"],
        program_id=shape["programId"],
        ui_token_amount=wire.TokenAmount(
            amount=amount["amount"], decimals=amount["decimals"], ui_amount_string=amount["uiAmountString"]
        ),
    )
