"""Log lines that were cut, or that do not name mint and trader: the whole transaction is asked for, beside the stream."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

import structlog

from megatron.clients.errors import ClientError
from megatron.clients.ports import ChainReader
from megatron.core import chain as chain_bounds
from tokens.domain.decode import Decoded, Outcome, Undecodable, decode_message

AT_ONCE = 8
MOST_WAITING = 2_000
"""Beyond this the log line is stored as it is: it waits among the rejected messages, and a worker asks for the rest."""

log = structlog.get_logger(__name__)


class Completed(NamedTuple):
    """A transaction as the chain gave it, or as its log told it where the chain did not; and of whom it came."""

    source: int
    decoded: Decoded
    payload: bytes


class Completion:
    """Asks for whole transactions in threads of its own, so that a slow node holds up only what needs it."""

    def __init__(self, chain: ChainReader, fail: Sequence[Callable[[bytes, Exception], None]]) -> None:
        """``fail`` has for each source what keeps a message on which we failed ourselves, and tells of it."""
        self._chain, self._fail = chain, fail
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="completion")
        self._waiting: dict[Future[bytes | None], Completed] = {}
        self._head: Future[int] | None = None

    def head(self, now: datetime) -> int | None:
        """Return the newest confirmed slot once the chain has named it, and one that can be at ``now``; ask for it at the first
        call, and after each answer."""
        asked, self._head = self._head, None
        if asked is not None and not asked.done():
            self._head = asked
        elif asked is not None and asked.exception() is None:
            head = asked.result()
            return None if chain_bounds.doubt(slot=head, now=now) else head
        else:
            self._head = self._pool.submit(self._chain.get_slot, finalized=False)
        return None

    def forget_head(self) -> None:
        """Let an answer to :meth:`head` that was asked for before now not count."""
        self._head = None

    def ask(self, source: int, decoded: Decoded, payload: bytes) -> bool:
        """Begin to ask for a transaction; return ``False`` when too many are asked for already."""
        if decoded.signature is None or len(self._waiting) >= MOST_WAITING:
            return False
        asked = self._pool.submit(self._chain.get_transaction, decoded.signature)
        self._waiting[asked] = Completed(source, decoded, payload)
        return True

    def done(self) -> Iterator[Completed]:
        """Yield what has been answered."""
        for future in [future for future in self._waiting if future.done()]:
            yield self._whole(future, self._waiting.pop(future))

    def close(self) -> Iterator[Completed]:
        """Wait for the answers, and yield all of it; of many that were not asked yet, what their logs told."""
        self._pool.shutdown(wait=True, cancel_futures=len(self._waiting) > 4 * AT_ONCE)
        for future, told in self._waiting.items():
            yield told if future.cancelled() else self._whole(future, told)
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    def _whole(self, answer: "Future[bytes | None]", told: Completed) -> Completed:
        payload: bytes | None = None
        try:
            payload = answer.result()
            whole = None if payload is None else decode_message(payload)
        except (ClientError, Undecodable) as reason:
            log.info("completion.failed", signature=told.decoded.signature, reason=str(reason))
            return told
        except Exception as error:  # noqa: BLE001  # ours: the log's own words are kept, and a worker asks again
            self._fail[told.source](told.payload if payload is None else payload, error)
            return told
        if payload is None or not whole or whole[0].outcome is Outcome.UNDECODABLE:
            return told
        if whole[0].signature != told.decoded.signature:  # an answer to another question says nothing of this one
            log.info(
                "completion.failed", signature=told.decoded.signature, reason=f"answered with {whole[0].signature}"
            )
            return told
        return Completed(told.source, whole[0], payload)
