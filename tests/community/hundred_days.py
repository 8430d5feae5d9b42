"""A hundred days of a small launchpad, lived through by the project's own services, and what must be left of them.

A day brings a few trades of a few coins. Some come days late, into compressed days; some are of a fork and are taken back, a
few land again; some hours have no SOL price until somebody imports it; one coin tells only after weeks that it has nine
decimals. Each day every policy is run by hand with the day's ``now``: what TimescaleDB's jobs do (compress, refresh), what the
workers do (roll, refresh what is due, export and drop), and once a week the check of the aggregates.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from django.db import connection, transaction

from megatron.core import locks
from tests.community.books import CHUNKS, DAY, NINE, Books
from tests.factories import signature
from tests.tokens.services.building import address, received, trade
from tokens.choices import EventKind, PriceOrigin, Program
from tokens.domain import programs
from tokens.domain.events import BothReserves, ChainEvent, Reserves, event_index
from tokens.models import RetentionPolicy
from tokens.services import aggregates, candles, ingest, keeping, prices, reorgs, retention

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
BEGIN = datetime(2026, 5, 4, 12, tzinfo=UTC)
"""The noon at which the first day begins. A day ends at noon, so that each day's work falls into two chunks."""
FEED = "solana-logs"
GHOST = "only of a fork"
"""The coin that no final transaction knows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long it goes on, how many trades a day brings, and on which days what happens."""

    days: int
    per_day: int
    policies: dict[str, dict[str, Any]]
    decimals_on: int
    export_on: int
    latest: int
    """Days that a trade comes late, or a fork is found late, at most."""
    checked_every: int = 7


@dataclass(slots=True)
class Happening:
    """One trade: when it comes, and what becomes of it. ``moved`` is where it landed again after its fork was dropped."""

    event: ChainEvent
    coin: str
    comes_on: int
    dropped_on: int | None = None
    moved: ChainEvent | None = None


@dataclass(slots=True)
class Story:
    """All that happens, made before anything is stored, from one seed."""

    happenings: list[Happening]
    samples: list[tuple[datetime, Decimal, int]]
    """Time of the price, SOL in USD, and the day on which it becomes known."""
    creation: ChainEvent


@dataclass(slots=True)
class _Curve:
    """A constant product, so that what a trade pays and what it leaves fit together."""

    quote: int = 30 * 10**9
    token: int = 1_073 * 10**12
    raised: int = 0

    def take(self, dice: random.Random) -> tuple[EventKind, int, int, Reserves]:
        """Return a buy or a sell: its kind, quote and token in base units, and what it leaves."""
        product = self.quote * self.token
        if self.raised < 10**9 or dice.random() < 0.55:
            paid = dice.randrange(20, 90) if dice.random() < 0.04 else dice.randrange(10**7, 3 * 10**9)
            left = -(-product // (self.quote + paid))
            got, kind = self.token - left, EventKind.BUY
            self.quote, self.token, self.raised = self.quote + paid, left, self.raised + paid
        else:
            paid = dice.randrange(10**6, self.raised // 2)
            got, kind = -(-product // (self.quote - paid)) - self.token, EventKind.SELL
            self.quote, self.token, self.raised = self.quote - paid, self.token + got, self.raised - paid
        after = Reserves(
            virtual_quote=self.quote,
            virtual_token=self.token,
            real_quote=self.raised,
            real_token=max(self.token - 2799 * 10**11, 0),
        )
        return kind, paid, got, after


def program(coin: str) -> Program:
    """Return where a coin is traded: LaunchLab lets a creator choose the decimals."""
    return Program.LAUNCHLAB if coin == NINE else Program.PUMPFUN


def tell(plan: Plan, *, seed: int = 13) -> Story:
    """Return what happens in ``plan``, the same for the same seed."""
    dice = random.Random(seed)
    curves: dict[str, _Curve] = defaultdict(_Curve)
    story = Story([], [], _event(NINE, "creation", BEGIN, 0, kind=EventKind.CREATE, quote_amount_raw=None))
    for day in range(plan.days):
        coins = ["for ever", f"of week {day // 7}", f"of day {day // 3}"] + [NINE] * (day < plan.days - 10)
        times = sorted(dice.sample(range(60, 86_340), plan.per_day) + [86_400 - n * 700 for n in range(2, 6)])
        # A few share a minute, some of these a slot: what comes first is then told by the reserves.
        times = [
            times[n - 1] + dice.choice((0, 7, 20)) if n and dice.random() < 0.35 else at for n, at in enumerate(times)
        ]
        for place, second in enumerate(sorted(times)):
            coin = dice.choice(coins)
            kind, paid, got, after = curves[coin].take(dice)
            at = BEGIN + day * DAY + second * SECOND
            facts = {
                "kind": kind,
                "quote_amount_raw": paid,
                "token_amount_raw": got,
                "reserves": BothReserves(after=after),
            }
            event = _event(coin, f"{day} {place}", at, place, user=address(f"wallet {dice.randrange(5)}"), **facts)
            late = dice.randrange(1, plan.latest) if dice.random() < 0.12 else 0
            one = Happening(event, coin, min(day + late, plan.days - 1))
            if not late and coin != NINE and dice.random() < 0.08:
                _fork(one, day, plan, dice)
            story.happenings.append(one)
            known = day + dice.randrange(1, plan.latest) if day % 4 == 1 and second < 40_000 else day
            story.samples.append(
                (at - 30 * SECOND, Decimal(150 + dice.randrange(2_000)) / 10, min(known, plan.days - 1))
            )
    ghost = _event(GHOST, "ghost", BEGIN + 2 * DAY + HOUR, 0, user=address("wallet 0"))
    story.happenings.append(Happening(ghost, GHOST, 2, dropped_on=2 + plan.latest // 2))
    return story


def _fork(one: Happening, day: int, plan: Plan, dice: random.Random) -> None:
    """Let a trade be of a fork, which is found days later at most; of three one lands again, seconds later."""
    dropped_on = day + dice.randrange(plan.latest)
    if dropped_on < plan.days:
        one.dropped_on = dropped_on
        if dice.random() < 0.34:
            event = one.event
            moved = {"slot": (event.slot or 0) + 3, "block_time": (event.block_time or 0) + 1}
            one.moved = msgspec.structs.replace(event, **moved)


def _event(coin: str, name: str, at: datetime, place: int, **facts: Any) -> ChainEvent:
    mint = address(coin)
    fields = {"decimals": 9, "name": "n", "symbol": "s", "uri": "u", "supply": 10**18} if name == "creation" else {}
    return trade(
        program=program(coin),
        signature=signature(f"{coin} {name}"),
        slot=390_000_000 + int((at - BEGIN).total_seconds()) * 5 // 2,
        block_time=int(at.timestamp()),
        event_index=event_index(1 + place % 3, 0, 0),
        mint=mint,
        pool=programs.bonding_curve(mint),
        fields=fields,
        **facts,
    )


@dataclass(slots=True)
class Life:
    """Lives through a story: ``run`` tells the services each day what happened and notes it in the books."""

    plan: Plan
    story: Story
    folder: Path
    books: Books = field(default_factory=Books)
    dropped: dict[str, int] = field(default_factory=dict)
    differed: int = 0

    def begin(self) -> None:
        """Have the plan's policies, as an operator sets them."""
        for table, figures in self.plan.policies.items():
            self._change(table, BEGIN, **figures)

    def run(self, day: int) -> None:
        """Live through one day, from noon to noon."""
        now = BEGIN + (day + 1) * DAY
        self._learn(day, now)
        self._store([one for one in self.story.happenings if one.comes_on == day], now)
        self._roll(now)
        self._moved(day, now)
        self._take_back([one for one in self.story.happenings if one.dropped_on == day], now)
        if day == self.plan.decimals_on:
            ingest.store(batch=[received(self.story.creation)], feed=FEED, now=now)
            self.books.nine = 9
        if day == self.plan.export_on:
            self._change("transactions", now, export_before_drop=True)
        self._roll(now)
        for later in (timedelta(), HOUR):
            refresh_live(now + later)
        self.work(now + HOUR)
        if day % self.plan.checked_every == self.plan.checked_every - 1:
            self.differed += aggregates.check(now=now + HOUR)

    def work(self, now: datetime) -> None:
        """Do what the workers and TimescaleDB's jobs do by themselves."""
        done = aggregates.refresh_due(now=now)
        assert done.failed == 0, done
        compress(now)
        applied = retention.apply(now=now, export_to=self.folder)
        assert applied.failed == applied.held == (), applied
        self.books.exported += applied.exported.get("transactions", 0)
        for table, rows in applied.rows.items():
            self.dropped[table] = self.dropped.get(table, 0) + rows
        for policy in RetentionPolicy.objects.filter(table_name__in=CHUNKS, drop_after__isnull=False):
            assert policy.drop_after is not None
            self.books.drop(policy.table_name, now - policy.drop_after)

    def _learn(self, day: int, now: datetime) -> None:
        """Record the day's prices; what comes late is imported, as the runbook says, and fills its hours."""
        known = [(at, usd) for at, usd, known_on in self.story.samples if known_on == day]
        prices.record(samples=[prices.Sample(at, usd, PriceOrigin.HERMES) for at, usd in known], now=now)
        for at, usd in known:
            self.books.learn(at, usd)
        hours = sorted({at.replace(minute=0, second=0) for at, _ in known if at < now - DAY})
        for hour in hours:
            prices.fill_between(start=hour, end=hour + 2 * HOUR, now=now)
        if hours:
            self.books.fill()

    def _store(self, some: Iterable[Happening], now: datetime) -> None:
        """Store what comes today, in batches as a feed flushes them, once more than once."""
        some = sorted(some, key=lambda one: (one.event.slot, one.event.signature))
        for start in range(0, len(some), 20):
            batch = [received(one.event) for one in some[start : start + 20]]
            stored = ingest.store(batch=batch, feed=FEED, now=now)
            assert (stored.transactions, dict(stored.rejected)) == (len(batch), {})
            assert ingest.store(batch=batch[:3], feed=FEED, now=now).transactions == 0
        for one in some:
            self.books.store(one.event, one.coin)

    def _moved(self, day: int, now: datetime) -> None:
        """Store what landed again, before its first place is taken back."""
        for one in self.story.happenings:
            if one.moved is not None and one.dropped_on == day:
                ingest.store(batch=[received(one.moved)], feed=FEED, now=now)
                self.books.store(one.moved, one.coin)

    def _take_back(self, some: Sequence[Happening], now: datetime) -> None:
        """Take back a fork of each coin, as the comparison with the chain does (finality)."""
        for one in some:
            at = datetime.fromtimestamp(one.event.block_time or 0, UTC)
            landed = None if one.moved is None else one.moved.slot
            dropped = [reorgs.Dropped(one.event.signature, one.event.slot or 0, landed)]
            since = at - HOUR
            wanted = reorgs.witnesses(dropped=dropped, since=since) | reorgs.unlike(dropped=dropped, since=since)
            self.books.forget(one.event)
            again = [true.event for true in self.books.trades.values() if true.event.signature in wanted]
            with transaction.atomic():
                locks.hold_until_commit("transactions.update")
                reorg = reorgs.take_back(venue=program(one.coin), dropped=dropped, now=now, again=again, since=since)
                if again:
                    ingest.store(batch=[received(event) for event in again], feed=FEED, now=now)
            assert reorg is not None
            assert reorg.trades_removed == 1

    def _roll(self, now: datetime) -> None:
        candles.roll_all(now=now)

    def _change(self, table: str, now: datetime, **figures: Any) -> None:
        policy = RetentionPolicy.objects.get(table_name=table)
        for name, value in figures.items():
            setattr(policy, name, value)
        keeping.change(policy=policy, operator="ann", now=now)


def refresh_live(now: datetime) -> None:
    """Refresh what TimescaleDB's job does each minute: from two hours to two minutes ago."""
    with connection.cursor() as cursor:
        for aggregate in (aggregates.MINUTES, aggregates.SOL_USD):
            cursor.execute(
                "CALL refresh_continuous_aggregate(%s, %s::timestamptz, %s::timestamptz)",
                [aggregate, now - 2 * HOUR, now - 2 * MINUTE],
            )


_OLD_CHUNKS = """
SELECT format('%%I.%%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks
WHERE hypertable_schema = 'public' AND hypertable_name = %s AND range_end <= %s ORDER BY range_start
"""


def compress(now: datetime) -> None:
    """Compress what TimescaleDB's jobs would at ``now``, and again what late rows came into."""
    with connection.cursor() as cursor:
        for policy in RetentionPolicy.objects.filter(compress_after__isnull=False):
            assert policy.compress_after is not None
            cursor.execute(_OLD_CHUNKS, [policy.table_name, now - policy.compress_after])
            for (chunk,) in cursor.fetchall():
                cursor.execute("SELECT compress_chunk(%s::regclass, if_not_compressed => true)", [chunk])


def fetch(statement: str, key: Callable[[dict[str, Any]], Any]) -> dict[Any, dict[str, Any]]:
    """Return the rows of a query by ``key``, which takes away what it is made of."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    found = {key(row): row for row in rows}
    assert len(found) == len(rows)
    return found
