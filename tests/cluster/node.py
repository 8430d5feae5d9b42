"""A node: how far along the chain it is, and what it answers to JSON-RPC."""

import multiprocessing
import threading
from collections.abc import Callable
from itertools import islice, takewhile
from typing import Any, NamedTuple

import msgspec

from tests.cluster import views
from tests.cluster.chain import FINALITY_SLOTS, Block, Chain, View
from tests.cluster.landing import Landing, err

PROCESSED, CONFIRMED, FINALIZED = "processed", "confirmed", "finalized"
CONFIRMED_STEPS = 1
"""How many blocks the confirmed head is behind the processed one."""
STATUS_CACHE_SLOTS = 150
MOST_BLOCKS = 32
"""How many blocks it remembers as it gave them: one of thousands of transactions takes seconds to write down."""
MOST_SIGNATURES, MOST_STATUSES, MOST_SLOTS = 1_000, 256, 500_000


class RpcError(Exception):
    """What a node answers instead of a result."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.told = {"code": code, "message": message, **({} if data is None else {"data": data})}


class Account(NamedTuple):
    """An account that exists from the first slot on."""

    owner: str
    data: bytes


class Node:
    """Answers for a chain of which ``step`` blocks were played. ``behind`` is how many steps this node lags."""

    def __init__(self, chain: Chain, *, behind: Callable[[], int] = lambda: 0) -> None:
        self.chain = chain
        self._step = multiprocessing.RawValue("q", 0)
        self.truncated: frozenset[str] = frozenset()
        self.unknown: Callable[[str], bool] = lambda _signature: False
        """Whether ``getTransaction`` pretends not to know a signature yet."""
        self.accounts: dict[str, Account] = {}
        self.incomplete: Callable[[str], bool] = lambda _signature: False
        """Whether ``getTransaction`` gives a signature without its meta."""
        self.first_slot = chain.first_slot
        """The oldest slot whose block it keeps; of what is older it lists and gives nothing."""
        self.lie: Callable[[str, list[Any], Any], Any] = lambda _method, _params, truth: truth
        """Asked with every result that is true: what is answered instead, or an :class:`RpcError` that it raises."""
        self.denied: set[int] = set()
        """Slots whose block ``getBlock`` was asked for and did not give, because it lags or lies."""
        self.unread: list[tuple[int, int]] = []
        """Of each odd item of a list: the slots of the older and of the newer one beside it, or how far the list goes."""
        self._behind = behind
        self._blocks: dict[object, msgspec.Raw] = {}
        self._writing = threading.Lock()
        self._asked = threading.local()

    @property
    def step(self) -> int:
        """How many blocks were played; a process that was forked off sees it too."""
        return int(self._step.value)

    @step.setter
    def step(self, played: int) -> None:
        self._step.value = played

    def head(self, commitment: str, *, step: int | None = None) -> Block:
        """Return the newest block at a commitment, for this node or as of ``step``."""
        step = getattr(self._asked, "step", self.step) if step is None else step
        processed = self.chain.played(step)
        if commitment == PROCESSED:
            return processed
        confirmed = self.chain.played(max(0, step - CONFIRMED_STEPS))
        return confirmed if commitment == CONFIRMED else self.finalized(confirmed)

    def finalized(self, confirmed: Block) -> Block:
        """Return the newest finalized block when ``confirmed`` is the newest confirmed one."""
        slot = confirmed.slot - FINALITY_SLOTS
        if confirmed.fork is not None:
            slot = min(slot, confirmed.fork)
        slot = max(slot, self.chain.first_slot)
        view = self.chain.view(self.chain.main[-1] if slot <= self.chain.last_slot else confirmed)
        while (found := view.block(slot)) is None:
            slot -= 1
        return found

    def answer(self, method: str, params: list[Any]) -> Any:
        """Return the result of a call. Raises :class:`RpcError`."""
        known = getattr(self, f"_{method}", None) if method.startswith("get") else None
        if known is None:
            raise RpcError(-32601, "Method not found")
        self._asked.step = max(0, self.step - self._behind())  # one call is one node's, and sees one moment
        return self.lie(method, params, known(*params))

    def _view(self, options: dict[str, Any] | None, lowest: str = PROCESSED) -> View:
        options = options or {}
        commitment = options.get("commitment", FINALIZED)
        if commitment == PROCESSED and lowest != PROCESSED:
            raise RpcError(-32602, "Method does not support commitment below `confirmed`")
        view = self.chain.view(self.head(commitment))
        if view.slot < options.get("minContextSlot", 0):
            raise RpcError(-32016, "Minimum context slot has not been reached", {"contextSlot": view.slot})
        return view

    def _context(self, slot: int, value: Any) -> dict[str, Any]:
        return {"context": {"slot": slot, "apiVersion": "3.0.0"}, "value": value}

    def _getHealth(self) -> str:  # noqa: N802  # the RPC's own names, from here on
        return "ok"

    def _getVersion(self) -> dict[str, Any]:  # noqa: N802
        return {"solana-core": "3.0.0", "feature-set": 1}

    def _getSlot(self, options: dict[str, Any] | None = None) -> int:  # noqa: N802
        return self._view(options).slot

    def _getFirstAvailableBlock(self) -> int:  # noqa: N802
        return self.first_slot

    def _getBlockHeight(self, options: dict[str, Any] | None = None) -> int:  # noqa: N802
        return self._view(options).head.height

    def _getLatestBlockhash(self, options: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: N802
        head = self._view(options).head
        value = {"blockhash": views.blockhash(head.slot), "lastValidBlockHeight": head.height + 150}
        return self._context(head.slot, value)

    def _getBlocks(self, first: int, last: Any = None, options: dict[str, Any] | None = None) -> list[int]:  # noqa: N802
        if isinstance(last, dict):
            last, options = None, last
        view = self._view(options, CONFIRMED)
        last = view.slot if last is None else min(last, view.slot)
        if last - first > MOST_SLOTS:
            raise RpcError(-32602, f"Slot range too large; max {MOST_SLOTS}")
        return view.slots(first, last)

    def _block(self, slot: int, view: View) -> Block:
        if slot > view.slot:
            raise RpcError(-32004, f"Block not available for slot {slot}")
        found = view.block(slot)
        if found is None:
            raise RpcError(-32007, f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot")
        return found

    def _getBlock(self, slot: int, options: dict[str, Any] | None = None) -> msgspec.Raw:  # noqa: N802
        options = options or {}
        view = self._view(options, CONFIRMED)
        if slot > view.slot:
            self.denied.add(slot)
        found = self._block(slot, view)
        details = options.get("transactionDetails", "full")
        if details == "full":
            for landing in found.landings:
                _supported(landing, options)
        encoding = options.get("encoding", "json")
        key = (found.slot, found.fork, encoding, details, self.truncated)
        with self._writing:  # one after the other: all at once none would be done before its client gives up
            if key not in self._blocks:
                shown = views.block(found, encoding=encoding, details=details, truncated=self.truncated)
                self._blocks[key] = msgspec.Raw(msgspec.json.encode(shown))
                if len(self._blocks) > MOST_BLOCKS:
                    del self._blocks[next(iter(self._blocks))]
            return self._blocks[key]

    def _getBlockTime(self, slot: int) -> int:  # noqa: N802
        return self._block(slot, self._view({"commitment": CONFIRMED})).block_time

    def _getTransaction(self, signature: str, options: Any = None) -> dict[str, Any] | None:  # noqa: N802
        options = {"encoding": options} if isinstance(options, str) else options or {}
        found = self._view(options, CONFIRMED).find(signature)
        if found is None or self.unknown(signature):
            return None
        _supported(found, options)
        shown = views.transaction(found, options.get("encoding", "json"), truncated=signature in self.truncated)
        return {**shown, "meta": None} if self.incomplete(signature) else shown

    def _getSignaturesForAddress(self, address: str, options: dict[str, Any] | None = None) -> list[Any]:  # noqa: N802
        options = options or {}
        view = self._view(options, CONFIRMED)
        limit = options.get("limit", MOST_SIGNATURES)
        if not 1 <= limit <= MOST_SIGNATURES:
            raise RpcError(-32602, f"Invalid limit; max {MOST_SIGNATURES}")
        # A node that does not know the signature has nothing that is older.
        found = view.of(address, before=options.get("before"))
        if until := options.get("until"):
            found = takewhile(lambda landing: landing.signature != until, found)
        finalized = self.head(FINALIZED).slot
        return [
            {
                "signature": landing.signature,
                "slot": landing.slot,
                "err": err(landing),
                "memo": None,
                "blockTime": landing.block_time,
                "confirmationStatus": FINALIZED if landing.slot <= finalized else CONFIRMED,
            }
            for landing in islice(found, limit)
        ]

    def _getSignatureStatuses(self, signatures: list[str], options: dict[str, Any] | None = None) -> Any:  # noqa: N802
        if len(signatures) > MOST_STATUSES:
            raise RpcError(-32602, f"Too many inputs provided; max {MOST_STATUSES}")
        view = self.chain.view(self.head(PROCESSED))
        oldest = 0 if (options or {}).get("searchTransactionHistory") else view.slot - STATUS_CACHE_SLOTS
        value = [self._status(view.find(signature), oldest) for signature in signatures]
        return self._context(view.slot, value)

    def _status(self, landing: Landing | None, oldest: int) -> dict[str, Any] | None:
        if landing is None or landing.slot < oldest:
            return None
        finalized, confirmed = self.head(FINALIZED).slot, self.head(CONFIRMED).slot
        rooted = landing.slot <= finalized
        level = FINALIZED if rooted else CONFIRMED if landing.slot <= confirmed else PROCESSED
        failure = err(landing)
        return {
            "slot": landing.slot,
            "confirmations": None if rooted else confirmed - landing.slot + 1,
            "err": failure,
            "status": {"Ok": None} if failure is None else {"Err": failure},
            "confirmationStatus": level,
        }

    def _getAccountInfo(self, address: str, options: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: N802
        found = self.accounts.get(address)
        value = None if found is None else views.account(found.data, found.owner)
        return self._context(self._view(options).slot, value)


def _supported(landing: Landing, options: dict[str, Any]) -> None:
    version = landing.wish.version
    if version == "legacy":
        return
    most = options.get("maxSupportedTransactionVersion")
    if most is None or version > most:
        told = f"Transaction version ({version}) is not supported by the requesting client."
        raise RpcError(-32015, f"{told} Please try the request again with the following configuration parameter")
