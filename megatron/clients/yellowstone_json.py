"""A transaction as Yellowstone sends it, brought into the JSON that ``getTransaction`` gives (encoding ``json``)."""

from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from megatron.clients.protocols import yellowstone_pb2 as wire
from megatron.core.base58 import encode, encode_address


def to_json(update: wire.TransactionUpdate, block_time: int | None) -> bytes:
    """Return the transaction of an update, with the time of its block as far as it is known."""
    found = update.transaction
    return msgspec.json.encode(
        {
            "slot": update.slot,
            "blockTime": block_time,
            "transactionIndex": found.index,
            "transaction": _transaction(found),
            # What has no meta has not run as far as we know: the decoder refuses it.
            "meta": _meta(found.meta) if found.HasField("meta") else None,
        }
    )


def _transaction(found: wire.TransactionInfo) -> dict[str, Any]:
    message = found.transaction.message
    signatures = found.transaction.signatures or ([found.signature] if found.signature else [])
    shape: dict[str, Any] = {"signatures": [encode(signature) for signature in signatures]}
    if not found.transaction.HasField("message"):
        return shape
    shape["message"] = {
        "header": {
            "numRequiredSignatures": message.header.num_required_signatures,
            "numReadonlySignedAccounts": message.header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": message.header.num_readonly_unsigned_accounts,
        },
        "accountKeys": _addresses(message.account_keys),
        "recentBlockhash": encode(message.recent_blockhash),
        "instructions": [_instruction(instruction) for instruction in message.instructions],
    }
    if message.versioned:
        shape["message"]["addressTableLookups"] = [
            {
                "accountKey": encode_address(lookup.account_key),
                "writableIndexes": list(lookup.writable_indexes),
                "readonlyIndexes": list(lookup.readonly_indexes),
            }
            for lookup in message.address_table_lookups
        ]
    return shape


def _meta(meta: wire.Meta) -> dict[str, Any]:
    inner: list[dict[str, Any]] | None = [
        {"index": group.index, "instructions": [_instruction(instruction) for instruction in group.instructions]}
        for group in meta.inner_instructions
    ]
    return {
        # The error is in the validator's own encoding; that there is one is what matters.
        "err": {"bincode": b2a_base64(meta.err.err, newline=False).decode()} if meta.HasField("err") else None,
        "fee": meta.fee,
        "preBalances": list(meta.pre_balances),
        "postBalances": list(meta.post_balances),
        "innerInstructions": None if meta.inner_instructions_none else inner,
        "logMessages": None if meta.log_messages_none else list(meta.log_messages),
        "preTokenBalances": _token_balances(meta.pre_token_balances),
        "postTokenBalances": _token_balances(meta.post_token_balances),
        "loadedAddresses": {
            "writable": _addresses(meta.loaded_writable_addresses),
            "readonly": _addresses(meta.loaded_readonly_addresses),
        },
        "computeUnitsConsumed": meta.compute_units_consumed if meta.HasField("compute_units_consumed") else None,
    }


def _instruction(instruction: wire.Instruction) -> dict[str, Any]:
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(instruction.accounts),
        "data": encode(instruction.data),
        "stackHeight": instruction.stack_height if instruction.HasField("stack_height") else None,
    }


def _token_balances(balances: Iterable[wire.TokenBalance]) -> list[dict[str, Any]]:
    return [
        {
            "accountIndex": balance.account_index,
            "mint": balance.mint,
            "owner": balance.owner,
            "programId": balance.program_id,
            "uiTokenAmount": {
                "amount": balance.ui_token_amount.amount,
                "decimals": balance.ui_token_amount.decimals,
                "uiAmountString": balance.ui_token_amount.ui_amount_string,
            },
        }
        for balance in balances
    ]


def _addresses(keys: Sequence[bytes]) -> list[str]:
    return [encode_address(key) for key in keys]
