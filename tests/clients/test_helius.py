"""What is asked of Helius, and that its frames are read as they come."""

from threading import Event

import pytest

from megatron.clients.errors import Refused
from megatron.clients.helius import HeliusTransactions
from megatron.clients.ports import Frame
from tests import recordings
from tests.clients.loopback import LIMITS, first, running, speaking
from tokens.domain.decode import Outcome, decode_message

PUMPFUN = "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"
KEY = "a1b2c3d4-e5f6-7890"
FRAMES = recordings.lines("frames/helius-migration.jsonl")


def test_transactions_of_one_program_are_asked_for() -> None:
    """Whole ones that took effect, in the newest version; the key is in the address."""
    paths = []

    def look(connection, request) -> None:
        paths.append(request.path)

    with speaking(*(line.decode() for line in FRAMES), process_request=look) as server:
        stream = HeliusTransactions(KEY, url=f"{server.url}/", limits=LIMITS)
        heard = first(stream.listen(program=PUMPFUN, stop=Event()), 1 + len(FRAMES))
    assert (stream.source, stream.commitment, stream.complete) == ("helius", 1, True)
    assert paths == [f"/?api-key={KEY}"]
    assert server.heard[0][0]["method"] == "transactionSubscribe"
    assert server.heard[0][0]["params"] == [
        {"vote": False, "failed": False, "accountInclude": [PUMPFUN]},
        {
            "commitment": "confirmed",
            "encoding": "json",
            "transactionDetails": "full",
            "showRewards": False,
            "maxSupportedTransactionVersion": 1,
        },
    ]
    frames = [item.payload for item in heard if isinstance(item, Frame)]
    assert frames == FRAMES
    assert Outcome.EVENTS in {one.outcome for frame in frames for one in decode_message(frame)}


def test_a_wrong_key_is_refused_without_telling_it() -> None:
    """Trying again does not help."""

    def refuse(connection, request):
        return connection.respond(401, "invalid api key")

    with running(lambda *_: None, process_request=refuse) as server:
        stream = HeliusTransactions(KEY, url=f"{server.url}/", limits=LIMITS)
        with pytest.raises(Refused, match="HTTP 401") as caught:
            first(stream.listen(program=PUMPFUN, stop=Event()), 1)
    assert KEY not in str(caught.value)
