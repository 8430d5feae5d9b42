"""What ingest does when something is wrong: nothing is lost, nothing is doubled, and one bad message stops no other."""

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pgtrigger
import pytest
from django.db import OperationalError, connection, connections, transaction
from django.test import override_settings

from megatron.core.models import AuditEntry
from tests.factories import WSOL, signature
from tests.tokens.services.building import MINT, SECOND, TRADER, address, received, trade
from tests.tokens.services.capture import NOW, messages, play, rows, settle
from tokens.choices import EventKind, PoolType, Program, RejectionReason
from tokens.domain import programs
from tokens.domain.decode import Decoded, Outcome, encode
from tokens.domain.events import POSITIONLESS, BothReserves, ChainEvent, Reserves, event_index
from tokens.models import CandleDue, Pool, PoolMilestone, RejectedMessage, Token, Transaction
from tokens.services import candles, ingest, rejections
from tokens.services.ingest import Rejection, followups, parents, tokens, trades


def store(*events: ChainEvent, payload: bytes = b"{}") -> ingest.Stored:
    """Store events, each as a transaction of its own."""
    return ingest.store(batch=[received(event, payload=payload) for event in events], feed="test", now=NOW)


@pytest.mark.django_db
def test_a_value_that_the_database_refuses_rejects_one_message_and_stores_the_rest() -> None:
    """An amount beyond NUMERIC(39,0) makes its own message NOT_STORABLE; its neighbours are stored."""
    stored = store(trade(0), trade(1, token_amount_raw=10**40), trade(2), payload=b"kept")
    assert stored.transactions == 2
    assert stored.rejected == {"not_storable": 1}
    kept = RejectedMessage.objects.get()
    assert (kept.reason, bytes(kept.payload)) == (RejectionReason.NOT_STORABLE, b"kept")


@pytest.mark.django_db
def test_a_name_with_nul_and_bidi_is_stored_clean_with_the_raw_value_kept_t11() -> None:
    """What a stranger wrote is sanitised for showing and kept as it was in the metadata (T11)."""
    creation = trade(
        0,
        kind=EventKind.CREATE,
        quote_amount_raw=None,
        fields={"name": "\u202eevil\0 name ", "symbol": "S" * 60, "uri": "https://x/" + "u" * 600, "creator": TRADER},
    )
    store(creation)
    token = Token.objects.get()
    assert (token.name, token.symbol, len(token.uri or "")) == ("evil name", "S" * 32, 500)
    assert token.metadata["raw_name"] == "\u202eevil\\0 name "


@pytest.mark.django_db
def test_the_same_event_from_a_positionless_source_gives_way_to_the_positioned_one() -> None:
    """Whichever comes first, the row that knows its place in the transaction is the one that stays."""
    loose, placed = trade(0, event_index=POSITIONLESS + 7), trade(0)
    store(loose)
    assert store(placed).transactions == 1
    assert list(Transaction.objects.values_list("event_index", flat=True)) == [placed.event_index]
    assert store(loose).transactions == 0
    assert Transaction.objects.count() == 1


@pytest.mark.django_db
def test_one_transaction_may_hold_many_swaps_t1() -> None:
    """Two swaps of one signature are two rows; the same swap again is none."""
    first, second = trade(0), trade(1, signature=signature("trade 0"), slot=400_000_000, block_time=SECOND)
    second = msgspec.structs.replace(second, event_index=event_index(1, 2, 0))
    assert store(first, second, first).transactions == 2
    assert store(second).duplicates == 1


@pytest.mark.django_db
def test_a_pool_only_moves_forward() -> None:
    """A late, older trade is stored and leaves the pool's state alone."""
    store(trade(5))
    store(trade(1))
    pool = Pool.objects.get()
    assert (pool.last_slot, pool.virtual_sol_reserves) == (400_000_005, 36 * 10**9)
    assert Transaction.objects.count() == 2


@pytest.mark.django_db
def test_pumpswap_logs_wait_for_their_pool_and_are_stored_once_it_is_known() -> None:
    """A trade whose mints nobody named yet is kept with its pool's address, and comes in by itself later."""
    nameless = trade(3, program=Program.PUMPSWAP, mint=None, quote_mint=None, pool=address("amm"))
    line = encode(Decoded(outcome=Outcome.EVENTS, signature=nameless.signature, events=(nameless,)).events[0])
    stored = store(nameless, payload=line)
    assert stored.rejected == {"unknown_pool": 1}
    assert RejectedMessage.objects.get().waits_for == address("amm")
    store(trade(1, program=Program.PUMPSWAP, pool=address("amm")))
    assert rejections.retry_answered(now=NOW).resolved == 1
    assert Transaction.objects.filter(pool__pool_address=address("amm")).count() == 2


@pytest.mark.django_db
def test_a_pool_whose_program_calls_sol_the_base_is_stored_from_the_coins_side() -> None:
    """A sell of wrapped SOL for a coin is a buy of the coin, and such a pool never prices the token."""
    swapped = trade(
        0,
        program=Program.PUMPSWAP,
        kind=EventKind.SELL,
        pool=address("odd"),
        mint=WSOL,
        quote_mint=MINT,
        quote_amount_raw=3 * 10**13,
        token_amount_raw=10**9,
        reserves=BothReserves(after=Reserves(virtual_quote=10**15, virtual_token=50 * 10**9)),
    )
    store(swapped)
    row, pool = Transaction.objects.get(), Pool.objects.get()
    assert (row.type, row.sol_amount, row.token_amount) == ("buy", Decimal("1"), Decimal("30000000"))
    assert (pool.pool_type, pool.mints_flipped, pool.base_mint) == (PoolType.PERMISSIONLESS, True, MINT)
    assert not CandleDue.objects.exists()


@pytest.mark.django_db
def test_rows_are_scaled_again_when_a_creation_tells_other_decimals() -> None:
    """Nine decimals that come after the trades leave the same rows as nine decimals that come before."""
    creation = trade(
        0, program=Program.LAUNCHLAB, kind=EventKind.CREATE, signature=signature("creation"), quote_amount_raw=None,
        fields={"decimals": 9, "name": "n", "symbol": "s", "uri": "u", "supply": 10**18},
    )  # fmt: skip
    sold = [trade(number, program=Program.LAUNCHLAB) for number in (1, 2)]
    store(creation, *sold)
    settle()
    expected = rows()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE transactions, price_candles_1m, price_candles_5m, price_candles_1h, price_candles_1d,"
                       " candles_due, pool_milestones, pools, tokens CASCADE")  # fmt: skip
    for event in (*sold, creation):
        store(event)
    settle()
    assert rows() == expected


@pytest.mark.django_db
def test_milestones_of_an_unusual_curve_are_found_when_its_start_becomes_known() -> None:
    """Trades that came before an unusual coin's creation reach the same milestones as trades that came after it."""

    def unusual(number: int, sold: int, **changes: Any) -> ChainEvent:
        after = Reserves(
            virtual_quote=10**9 + number, virtual_token=10**12 - sold, real_quote=number, real_token=8 * 10**11 - sold
        )
        return trade(number, reserves=BothReserves(after=after), **changes)

    creation = unusual(0, 0, kind=EventKind.CREATE, quote_amount_raw=None, fields={"name": "", "symbol": "", "uri": ""})
    bought = [unusual(1, 10**11), unusual(2, 3 * 10**11), unusual(3, 2 * 10**11)]
    for event in (*reversed(bought), creation):
        store(event)
    found = dict(PoolMilestone.objects.values_list("threshold_pct", "signature"))
    assert found == {10: signature("trade 1"), 15: signature("trade 2"), 25: signature("trade 2")}
    assert Pool.objects.get().milestones_reached == 3


@pytest.mark.django_db
def test_rows_by_insert_equal_rows_by_copy() -> None:
    """On a server that cannot take COPY, INSERT leaves the same rows byte for byte."""
    traffic = messages("rows", "transactions")
    play(traffic)
    expected = rows()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE transactions, price_candles_1m, price_candles_5m, price_candles_1h, price_candles_1d,"
                       " candles_due, pool_milestones, stream_cursors, rejected_messages, pools, tokens CASCADE")  # fmt: skip
    with override_settings(INGEST_COPY=False):
        play(traffic)
    assert rows() == expected


class Killed(BaseException):
    """Stands for a process that ends here."""


STEPS = [
    (tokens, "_insert"),
    (tokens, "_update"),
    (parents, "_insert_pools"),
    (parents, "_update_pools"),
    (trades, "_copy"),
    (followups, "prepare"),
    (followups, "_write_milestones"),
    (followups, "write"),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "step"), STEPS, ids=[step for _, step in STEPS])
def test_a_replay_killed_at_any_step_and_started_again_ends_in_the_same_rows(
    module: Any, step: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended in the middle of the second batch, before or after each of its steps, a replay resumes to the same rows."""
    traffic = messages("transactions")
    play(traffic)
    expected = rows()
    _truncate()
    calls, real = iter(range(100)), getattr(module, step)

    def deadly(*args: Any, **options: Any) -> Any:
        if next(calls) != 1:
            return real(*args, **options)
        if after:
            real(*args, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, step, deadly)
        with pytest.raises(Killed):
            play(traffic, batch_events=4)
    assert Transaction.objects.exists()
    play(traffic)
    assert rows() == expected


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_the_same_batch_store_it_once() -> None:
    """A rival that stores the same events between our look-up and our COPY costs a retry, never a double row."""
    batch = [received(trade(number)) for number in range(20)]
    real, rival = trades._unknown, threading.Thread(target=_store_elsewhere, args=(batch,))

    def slow(found: list[Any]) -> list[Any]:
        known = real(found)
        if threading.current_thread() is threading.main_thread() and not rival.is_alive():
            rival.start()
        return known

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trades, "_unknown", slow)
        ingest.store(batch=batch, feed="ours", now=NOW)
    rival.join()
    assert Transaction.objects.count() == 20
    assert Pool.objects.get().last_slot == 400_000_019


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("creates", [True, False])
def test_a_token_that_is_taken_back_meanwhile_is_new_again(creates: bool) -> None:
    """A fork's token goes between our look and our commit: the batch is tried again, and its feed goes on."""
    Token.objects.create(id=tokens.token_id(MINT), mint_address=MINT, platform="pumpfun", decimals=6)
    creation = trade(
        0, kind=EventKind.CREATE, quote_amount_raw=None, fields={"name": "a", "symbol": "b", "creator": TRADER}
    )
    rival, real = threading.Thread(target=_take_back_elsewhere), tokens._stored

    def slow(facts: Any) -> Any:
        found = real(facts)
        if rival.ident is None:
            rival.start()
            rival.join()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_stored", slow)
        if creates:  # what the batch tells of the token notices by itself
            patch.setattr(tokens, "hold", lambda mints: None)
        with transaction.atomic():  # as a feed does, where the foreign key would be refused at the very end
            store(*([creation] if creates else []), trade(1))
    assert Transaction.objects.count() == 1
    assert Pool.objects.get().token.creator_address == (TRADER if creates else None)


def _take_back_elsewhere() -> None:
    with pgtrigger.ignore("tokens.Token:kept_for_ever"):
        Token.objects.all().delete()
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_many_writers_of_overlapping_batches_neither_deadlock_nor_double() -> None:
    """Six writers with overlapping halves of the same traffic, in different orders, leave one row an event."""
    events = [
        trade(number, mint=address(f"m{number % 7}"), pool=programs.bonding_curve(address(f"m{number % 7}")))
        for number in range(120)
    ]
    parts = [[received(event) for event in events[start::2]] for start in (0, 1)] + [[received(e) for e in events]]
    threads = [threading.Thread(target=_store_elsewhere, args=(part[::step],)) for part in parts for step in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Transaction.objects.count() == 120
    assert candles.roll_all(now=NOW) > 0
    assert not CandleDue.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_dies_in_the_middle_of_a_batch_loses_nothing() -> None:
    """The server ends our session during the COPY: the batch is not there, and storing it again stores all of it."""
    batch = [received(trade(number)) for number in range(5)]
    real = trades._copy

    def cut(*args: Any) -> None:
        real(*args)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        other = connections.create_connection("default")
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        other.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trades, "_copy", cut)
        with pytest.raises(OperationalError):
            ingest.store(batch=batch, feed="test", now=NOW)
    connection.close()
    assert Transaction.objects.count() == 0
    assert ingest.store(batch=batch, feed="test", now=NOW).transactions == 5


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_commits_while_a_candle_is_rolled_makes_it_due_again() -> None:
    """Rolling waits for a batch in flight, so the candle it writes or the mark that stays covers every trade."""
    store(trade(0))
    late = trade(1)
    with transaction.atomic():
        ingest.store(batch=[received(late)], feed="test", now=NOW)
        roller = threading.Thread(target=_roll_elsewhere)
        roller.start()
        roller.join(0.5)
    roller.join()
    candles.roll_all(now=NOW + timedelta(seconds=1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT trade_count FROM price_candles_1m")
        assert cursor.fetchall() == [(2,)]


def _store_elsewhere(batch: list[ingest.Received]) -> None:
    try:
        ingest.store(batch=batch, feed="rival", now=NOW)
    finally:
        connection.close()


def _roll_elsewhere() -> None:
    try:
        candles.roll_all(now=NOW)
    finally:
        connection.close()


def _truncate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE transactions, price_candles_1m, price_candles_5m, price_candles_1h, price_candles_1d,"
                       " candles_due, pool_milestones, stream_cursors, rejected_messages, pools, tokens CASCADE")  # fmt: skip


@pytest.mark.django_db
def test_playing_a_message_again_by_hand_leaves_an_audit_entry() -> None:
    """Who played a rejected message again, and what came of it, is in the audit log; the system's own retries are not."""
    rejected = Rejection("file:1", b"garbage", RejectionReason.UNDECODABLE, "not_json: starts with")
    ingest.keep(rejections=[rejected], now=NOW)
    kept = RejectedMessage.objects.get()
    assert rejections.retry(messages=[kept.id], now=NOW) == rejections.Retried(played=1)
    assert not AuditEntry.objects.exists()
    rejections.retry(messages=[kept.id], now=NOW, operator="ada")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.after) == (
        "ada",
        "rejected_message.retry",
        {"status": "waiting", "attempts": 2},
    )
    kept.refresh_from_db()
    assert (kept.status, kept.attempts) == ("waiting", 2)


@pytest.mark.django_db
def test_an_event_that_cannot_even_be_derived_rejects_one_message() -> None:
    """A mint that is no key, or a time no clock can show, costs its own message and no other."""
    stored = store(trade(0), trade(1, mint="bad"), trade(2, block_time=10**18), trade(3))
    assert (stored.transactions, dict(stored.rejected)) == (2, {"not_storable": 2})


@pytest.mark.django_db
def test_a_trade_that_gives_a_pool_another_token_is_refused() -> None:
    """A pool belongs to one token: an event that says otherwise is kept as rejected, beside others or alone."""
    store(trade(0))
    odd = trade(1, mint=address("other"))
    for batch in ((trade(2), odd), (odd,)):
        assert dict(store(*batch, payload=b"odd").rejected) == {"not_storable": 1}
    assert Transaction.objects.count() == 2
    assert set(Transaction.objects.values_list("token__mint_address", flat=True)) == {MINT}
    assert "is one of" in RejectedMessage.objects.get().detail
