"""What is asked of a node's WebSocket, and that its frames are read as they come."""

from threading import Event

import pytest

from megatron.clients.ports import Frame
from megatron.clients.solana_ws import SolanaBlocks, SolanaLogs
from tests import recordings
from tests.clients.loopback import LIMITS, first, kinds, speaking
from tokens.domain.decode import Outcome, decode_message

PUMPFUN = "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"
LOGS = recordings.lines("frames/logs-subscribe.jsonl")


def test_logs_of_one_program_are_asked_for() -> None:
    """By its mention, at the commitment of the stream; frames are what the decoder reads."""
    with speaking(*(line.decode() for line in LOGS)) as server:
        stream = SolanaLogs(server.url, limits=LIMITS)
        heard = first(stream.listen(program=PUMPFUN, stop=Event()), 1 + len(LOGS))
    assert (stream.source, stream.commitment, stream.complete) == ("solana-logs", 1, True)
    assert server.heard[0][0]["method"] == "logsSubscribe"
    assert server.heard[0][0]["params"] == [{"mentions": [PUMPFUN]}, {"commitment": "confirmed"}]
    frames = [item.payload for item in heard if isinstance(item, Frame)]
    assert frames == LOGS
    assert {one.outcome for frame in frames for one in decode_message(frame)} <= {
        Outcome.EVENTS,
        Outcome.FAILED,
        Outcome.NOT_OURS,
        Outcome.CONTROL,
    }


@pytest.mark.parametrize(("commitment", "word"), [(0, "processed"), (1, "confirmed"), (2, "finalized")])
def test_the_commitment_is_asked_for_by_its_word(commitment: int, word: str) -> None:
    """Solana's numbers have names."""
    with speaking() as server:
        stream = SolanaLogs(server.url, commitment=commitment, limits=LIMITS)
        first(stream.listen(program=PUMPFUN, stop=Event()), 1)
    assert server.heard[0][0]["params"][1] == {"commitment": word}
    assert stream.commitment == commitment


def test_blocks_are_asked_for_with_whole_transactions() -> None:
    """In the newest version, or the node leaves out blocks; never before they are confirmed, as nodes refuse that."""
    with speaking('{"jsonrpc":"2.0","method":"blockNotification","params":{"result":{}}}') as server:
        stream = SolanaBlocks(server.url, commitment=0, limits=LIMITS)
        heard = first(stream.listen(program=PUMPFUN, stop=Event()), 2)
    assert (stream.source, stream.commitment, stream.complete) == ("solana-blocks", 1, True)
    assert kinds(heard) == ["Opened", "Frame"]
    assert server.heard[0][0]["method"] == "blockSubscribe"
    assert server.heard[0][0]["params"] == [
        {"mentionsAccountOrProgram": PUMPFUN},
        {
            "commitment": "confirmed",
            "encoding": "json",
            "transactionDetails": "full",
            "showRewards": False,
            "maxSupportedTransactionVersion": 1,
        },
    ]
