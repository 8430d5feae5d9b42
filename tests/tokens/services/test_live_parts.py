"""Live transactions that come in part: logs without mint or time, pools that nobody knows, a second source that has it whole."""

import base64
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from megatron.clients.errors import TryLater
from megatron.clients.ports import Frame, Heard, Landed, Opened, Status
from tests import recordings
from tests.cluster import views
from tests.tokens.domain.decode.building import BLOCK_TIME, SLOT, Call, Transaction, base58, discriminator, key
from tests.tokens.services.live import VENUE, Feed, trades, world
from tokens.choices import GapCause, Program, RejectionReason, RejectionStatus
from tokens.domain import programs
from tokens.domain.decode import Decoded
from tokens.models import OperatorAlert, RejectedMessage, SlotGap, SourceTally, StreamSighting
from tokens.models import Transaction as Row
from tokens.services import finality, rejections
from tokens.services.ingest import failures
from tokens.services.monitor import Monitor, NothingToFollow, completion

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.fromtimestamp(BLOCK_TIME, UTC) + timedelta(seconds=30)
VECTORS = {vector["title"]: vector for vector in recordings.loaded("vectors/events.json")}
ACCOUNTS = [
    key(n) for n in ("payer", "authority", "global", "platform", "pool", "ub", "uq", "bv", "qv", "mint", "quote")
]


def signature(number: int) -> str:
    return base58(bytes([7, *number.to_bytes(63, "big")]))


def launchlab_buy(number: int) -> Transaction:
    """Return a LaunchLab buy; its log names neither mint nor trader nor time."""
    trade = base64.b64decode(next(v["payload"] for t, v in VECTORS.items() if "CPI form (hex, starts" in t))
    call = Call(programs.LAUNCHLAB, ACCOUNTS, discriminator("buy_exact_in") + bytes(24), [trade])
    return Transaction(call, signature=signature(number), slot=SLOT + number, block_time=BLOCK_TIME + number)


class Chain:
    """A :class:`~megatron.clients.ports.ChainReader` of a few built transactions, all final. Counts what it is asked."""

    def __init__(self, *transactions: Transaction) -> None:
        self.transactions = {one.signature: one for one in transactions}
        self.asked: Counter[str] = Counter()
        self.is_away = False

    def get_slot(self, *, finalized: bool) -> int:
        return SLOT + 1_000

    def get_transaction(self, signature: str) -> bytes | None:
        self.asked[signature] += 1
        if self.is_away:
            raise TryLater("nobody is there")
        found = self.transactions.get(signature)
        return None if found is None else msgspec.json.encode(found.result())

    def get_signatures(self, address: str, *, before: str | None, **limits: object) -> Sequence[Landed]:
        every = (
            Landed(one.signature, one.slot, False, datetime.fromtimestamp(one.block_time, UTC))
            for one in self.transactions.values()
        )
        listed = sorted(every, key=lambda one: -one.slot)
        names = [one.signature for one in listed]
        return listed[0 if before is None else names.index(before) + 1 :]

    def get_first_slot(self) -> int:
        return 0

    def get_statuses(self, signatures: Sequence[str]) -> tuple[int, Sequence[Status | None]]:
        known = [self.transactions.get(signature) for signature in signatures]
        return SLOT + 1_000, [None if one is None else Status(one.slot, False, True) for one in known]

    def get_block(self, slot: int, *, finalized: bool) -> bytes | None:
        raise TryLater("not here")


def follow(venue: Program, chain: Chain | None, *feeds: Feed) -> Monitor:
    monitor = Monitor(venue=venue, sources=feeds, chain=chain, clock=lambda: NOW)  # type: ignore[arg-type]
    monitor.run(stop=threading.Event())
    return monitor


def logs(*transactions: Transaction, source: str = "solana-logs") -> Feed:
    return Feed([one.frame() for one in transactions], at=NOW, source=source)


def settle(venue: Program, chain: Chain) -> finality.Settled | None:
    return finality.settle(venue=venue, chain=chain, now=NOW + timedelta(minutes=1))  # type: ignore[arg-type]


def stored() -> set[str]:
    return set(Row.objects.values_list("signature", flat=True))


# -- LaunchLab, whose logs never suffice


def test_launchlab_is_followed_by_asking_for_each_transaction() -> None:
    """Each LaunchLab log is completed from the chain at one question, and the comparison finds nothing missing."""
    buys = [launchlab_buy(number) for number in range(4)]
    chain = Chain(*buys)
    follow(Program.LAUNCHLAB, chain, logs(*buys))
    assert stored() == set(chain.transactions)
    assert set(chain.asked.values()) == {1}
    done = settle(Program.LAUNCHLAB, chain)
    assert done is not None
    assert (done.missing, done.dropped) == (0, 0)
    assert set(chain.asked.values()) == {1}


def test_launchlab_waits_while_the_chain_is_away_and_a_worker_completes_it() -> None:
    """Without answers the logs wait under their signatures; a worker asks later, and nothing counts as a loss."""
    buys = [launchlab_buy(number) for number in range(4)]
    chain = Chain(*buys)
    chain.is_away = True
    follow(Program.LAUNCHLAB, chain, logs(*buys))
    assert stored() == set()
    waiting = RejectedMessage.objects.filter(status=RejectionStatus.WAITING)
    assert set(waiting.values_list("waits_for", flat=True)) == set(chain.transactions)
    assert set(waiting.values_list("reason", flat=True)) == {RejectionReason.NEEDS_TRANSACTION}
    chain.is_away = False
    assert rejections.complete(chain=chain, now=NOW + timedelta(seconds=6)).resolved == 4  # type: ignore[arg-type]
    assert stored() == set(chain.transactions)


class Swapping(Chain):
    """A chain whose answers are another's: each transaction is given in the place of the next."""

    is_swapping = True

    def get_transaction(self, signature: str) -> bytes | None:
        names = list(self.transactions)
        wanted = names[(names.index(signature) + 1) % len(names)] if self.is_swapping else signature
        return super().get_transaction(wanted)


def test_truth_13_an_answer_for_another_transaction_is_not_taken() -> None:
    """Neither by the monitor nor by the worker: each log waits until its own transaction is given, and then is whole."""
    buys = [launchlab_buy(number) for number in range(2)]
    chain = Swapping(*buys)
    follow(Program.LAUNCHLAB, chain, logs(*buys))
    assert stored() == set()
    assert rejections.complete(chain=chain, now=NOW + timedelta(seconds=6)).resolved == 0  # type: ignore[arg-type]
    waiting = RejectedMessage.objects.filter(status=RejectionStatus.WAITING)
    assert set(waiting.values_list("waits_for", flat=True)) == set(chain.transactions)
    chain.is_swapping = False
    assert rejections.complete(chain=chain, now=NOW + timedelta(minutes=5)).resolved == 2  # type: ignore[arg-type]
    assert stored() == set(chain.transactions)


def test_truth_13_an_error_of_ours_about_an_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """We fail on what the chain gave for a log: the answer is kept, operators are told, and a worker asks again."""
    buys = [launchlab_buy(number) for number in range(2)]
    chain = Chain(*buys)

    def broken(_payload: bytes) -> list[Decoded]:
        raise KeyError("ours")

    monkeypatch.setattr(completion, "decode_message", broken)
    follow(Program.LAUNCHLAB, chain, logs(*buys))
    assert stored() == set()
    failed = RejectedMessage.objects.filter(reason=RejectionReason.FAILED)
    assert {bytes(row.payload) for row in failed} == {msgspec.json.encode(one.result()) for one in buys}
    assert "KeyError: 'ours'" in OperatorAlert.objects.get(subject=failures.SUBJECT, resolved_at=None).message
    assert rejections.complete(chain=chain, now=NOW + timedelta(seconds=6)).resolved == 2  # type: ignore[arg-type]
    assert stored() == set(chain.transactions)


def test_the_comparison_stores_what_of_launchlab_only_waited() -> None:
    """What waits for the whole of itself is fetched by the comparison and resolved, and no source is told that it missed it."""
    buys = [launchlab_buy(number) for number in range(4)]
    chain = Chain(*buys)
    chain.is_away = True
    follow(Program.LAUNCHLAB, chain, logs(*buys))
    chain.is_away = False
    done = settle(Program.LAUNCHLAB, chain)
    assert done is not None
    assert done.missing == 0
    assert stored() == {one.signature for one in buys[1:]}, "the first slot is behind the beginning"
    assert RejectedMessage.objects.filter(status=RejectionStatus.WAITING).count() == 1
    assert not SlotGap.objects.filter(cause__in=[GapCause.MISSED, GapCause.COVERAGE]).exists()
    assert not SourceTally.objects.filter(missed__gt=0).exists()


def test_a_migration_of_which_only_the_log_came_is_not_forgotten() -> None:
    """LaunchLab has no event of a migration: its log waits for the whole transaction, and does not pass for a sighting."""
    data, accounts = discriminator("migrate_to_cpswap"), [key(f"account {place}") for place in range(20)]
    call = Call(programs.LAUNCHLAB, accounts, data, ["Instruction: MigrateToCpswap"])
    migration = Transaction(call, signature=signature(9), slot=SLOT + 9, block_time=BLOCK_TIME + 9)
    chain = Chain(migration)
    chain.is_away = True
    follow(Program.LAUNCHLAB, chain, logs(migration))
    row = RejectedMessage.objects.get()
    assert (row.reason, row.waits_for) == (RejectionReason.NEEDS_TRANSACTION, migration.signature)
    assert not StreamSighting.objects.exists()


def test_workers_stop_asking_a_chain_that_is_away() -> None:
    """A chain that answers nothing costs a few attempts a call, not one for each message that waits."""
    buys = [launchlab_buy(number) for number in range(12)]
    chain = Chain(*buys)
    chain.is_away = True
    follow(Program.LAUNCHLAB, None, logs(*buys))
    done = rejections.complete(chain=chain, now=NOW + timedelta(seconds=6))  # type: ignore[arg-type]
    assert (done.played, sum(chain.asked.values())) == (5, 5)
    assert RejectedMessage.objects.filter(attempts=0).count() == 7


# -- pools that nobody knows


def amm_buy(number: int) -> Transaction:
    """Return a buy of one PumpSwap pool; its log names no mint."""
    trade = base64.b64decode(next(v["payload"] for t, v in VECTORS.items() if t.startswith("PumpSwap BuyEvent, 39")))
    accounts = [AMM, key("trader"), key("config"), key("mint"), programs.WRAPPED_SOL, key("x")]
    call = Call(programs.PUMPSWAP, accounts, discriminator("buy") + bytes(16), [trade])
    return Transaction(call, signature=signature(number), slot=SLOT + number, block_time=BLOCK_TIME)


AMM = "CBGLkk9F86F9UzJwDD7njtgTeMmhy6Z3MdtnpBQxPiuQ"


def test_one_transaction_of_an_unknown_pool_is_asked_for() -> None:
    """Of a pool that nobody knows one transaction is asked for, however many come meanwhile, and all are stored."""
    buys = [amm_buy(number) for number in range(8)]
    chain = Chain(*buys)
    late = _After([one.frame() for one in buys], at=NOW, source="solana-logs", seconds=0.3)
    follow(Program.PUMPSWAP, chain, late)
    assert chain.asked == {buys[0].signature: 1}
    assert stored() == set(chain.transactions)
    assert not RejectedMessage.objects.exists()


def test_pools_stay_unknown_while_the_chain_is_away_and_one_question_solves_it() -> None:
    """Without answers the logs wait for their pool; later one of them is asked for, and the others are played for nothing."""
    buys = [amm_buy(number) for number in range(8)]
    chain = Chain(*buys)
    follow(Program.PUMPSWAP, None, logs(*buys))
    assert set(RejectedMessage.objects.values_list("waits_for", "reason")) == {(AMM, RejectionReason.UNKNOWN_POOL)}
    assert rejections.complete(chain=chain, now=NOW + timedelta(seconds=6)).resolved == 1  # type: ignore[arg-type]
    assert rejections.retry_answered(now=NOW + timedelta(seconds=7)).resolved == 7
    assert sum(chain.asked.values()) == 1
    assert stored() == set(chain.transactions)


# -- several sources


def test_a_source_that_has_it_whole_makes_up_for_one_that_does_not() -> None:
    """A cut log that came first does not stand in the way of a source that brings the whole; its message is resolved."""
    small = world()
    said = trades(small.landings())
    cut = Feed([views.logs_frame(said[0], truncated=True)], at=small.now, source="cut")
    late = _After([views.logs_frame(said[0])], at=small.now, source="whole", seconds=0.6)
    Monitor(venue=VENUE, sources=[cut, late], chain=None, clock=small.clock).run(stop=threading.Event())
    assert said[0].signature in stored()
    assert not RejectedMessage.objects.filter(status=RejectionStatus.WAITING).exists()


def test_a_herald_costs_no_question_and_hides_nothing() -> None:
    """What PumpPortal tells first is left to the source that brings slot and reserves: nothing is asked, nothing waits."""
    small = world()
    said = trades(small.landings())[:6]
    heralded = [
        msgspec.json.encode(
            {"signature": one.signature, "mint": key("mint"), "txType": "buy", "traderPublicKey": key("u"),
             "tokenAmount": 1000.5, "solAmount": 0.031, "bondingCurveKey": key("curve"), "pool": "pump",
             "vTokensInBondingCurve": 1_000_000.0, "vSolInBondingCurve": 31.0, "marketCapSol": 30.0}
        )
        for one in said
    ]  # fmt: skip
    herald = _After(heralded, at=small.now, source="pumpportal", seconds=0.4)
    herald.complete = False
    late = _After([views.logs_frame(one) for one in said], at=small.now, source="solana-logs", seconds=1.2)
    asked: list[str] = []
    small.rpc.get_transaction = asked.append  # type: ignore[method-assign, assignment]
    Monitor(venue=VENUE, sources=[herald, late], chain=small.rpc, clock=small.clock).run(stop=threading.Event())
    assert asked == []
    assert stored() == {one.signature for one in said}
    assert not Row.objects.filter(quote_reserves=None).exists()
    assert not RejectedMessage.objects.exists()


class _After(Feed):
    """A feed whose connection stands at once and that brings what it has a little later."""

    def __init__(self, said: Sequence[bytes], *, at: datetime, source: str, seconds: float) -> None:
        super().__init__(said, at=at, source=source)
        self._seconds = seconds

    def listen(self, *, program: str, stop: threading.Event) -> Iterator[Heard]:
        yield Opened(self._at)
        stop.wait(self._seconds)
        for one in self._said:
            assert isinstance(one, bytes)
            yield Frame(self._at, one)
        stop.wait(self._seconds)


def test_a_source_that_breaks_is_told_and_ends() -> None:
    """A source whose reading thread dies of a surprise is lost like any other, with its running gap and an alert."""
    small = world()
    said = small.landings()
    broken = _Broken(said[:10], at=small.now, source="broken")
    with pytest.raises(NothingToFollow, match="broken: KeyError: 'surprise'"):
        Monitor(venue=VENUE, sources=[broken], chain=None, clock=small.clock).run(stop=threading.Event())
    assert SlotGap.objects.get(source="broken").slot_from == said[9].slot
    assert OperatorAlert.objects.get(subject="broken pumpfun").message == "The source gave up: KeyError: 'surprise'"


class _Broken(Feed):
    """A feed that raises what no feed should."""

    def listen(self, *, program: str, stop: threading.Event) -> Iterator[Heard]:
        for heard in super().listen(program=program, stop=stop):
            if not isinstance(heard, Opened | Frame):
                raise KeyError("surprise")
            yield heard
