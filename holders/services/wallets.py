"""Wallets: who they are, looked up where nobody knows or nobody believes it any more, within what it may cost.

Not one transaction: first the network, wallet by wallet and outside any transaction, then our own books, then one write. A
worker that dies between has paid for look-ups that nobody wrote down; everything else begins again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction

from holders.choices import WalletClass, WalletOrigin
from holders.domain import classes, terms
from holders.domain.behaviour import Wallet
from holders.domain.evidence import Verdict
from holders.models import WalletAnalysis
from holders.selectors import wallets as books
from holders.selectors.wallets import Own
from megatron.clients.errors import BudgetSpent, ClientError, Malformed, Refused
from megatron.clients.ports import UNREAD, WalletHistory, WalletSource

AT_ONCE = 100
"""Wallets of one statement and of one question for balances."""
MOST_FAILURES = 3
"""Wrong or refusing answers in turn after which a source is not asked on."""
_CLOCKS = timedelta(minutes=1)
"""How far a node's time of a block and the program's own may be apart."""
_BY_ITSELF = (
    WalletClass.MEV_BOT,
    WalletClass.BOT,
    WalletClass.KNOWN_DUMPER,
    WalletClass.SMART_MONEY,
    WalletClass.WHALE,
)
_STABLE = frozenset({WalletClass.MEV_BOT, WalletClass.BOT, WalletClass.SMART_MONEY})
_MEV_SIGNS = ("mev", "sandwich")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """What one analysis did, in wallets: ``fresh`` were known, ``looked_up`` were asked for, ``own`` are known by our own
    trades only, ``kept`` keep an older look-up, ``failed`` were answered wrongly. ``stopped`` says why not all were asked for,
    in words."""

    wallets: int
    fresh: int
    looked_up: int
    own: int
    kept: int
    failed: int
    credits: int
    stopped: str


@dataclass(slots=True)
class _Look:
    """What the chain told of the wallets that were asked for."""

    histories: dict[str, WalletHistory]
    balances: dict[str, int | None]
    credits: int = 0
    failed: int = 0
    in_turn: int = 0
    stopped: str = ""


def analyse(
    *, wallets: Sequence[str], source: WalletSource | None, now: datetime, budget: int | None = None
) -> Analysed:
    """Find out who ``wallets`` are, in their order, and write it down; return what was done.

    An analysis that is still valid is left alone. ``budget`` is the most credits that ``source`` may cost, ``None`` for any.
    What it does not pay for, and everything without a source, is judged by our own trades alone, unless an older look-up
    is there: that one stays. A source that is away or refuses ends the asking, never the analysis. Must not be called
    inside a transaction.
    """
    asked = list(dict.fromkeys(wallets))
    known = books.analyses(wallets=asked)
    stale = [wallet for wallet in asked if _is_due(known.get(wallet), source, now)]
    look = _Look({}, {})
    if source is not None and stale:
        _ask(look, source, stale, known, budget)
    kept = 0
    own = 0
    for start in range(0, len(stale), AT_ONCE):
        part = stale[start : start + AT_ONCE]
        told = books.own(wallets=part, at=now)
        rows = []
        for wallet in part:
            before = known.get(wallet)
            if wallet not in look.histories and before is not None and before.source == WalletOrigin.CHAIN:
                kept += 1
                continue
            own += wallet not in look.histories
            rows.append(_row(wallet, before, look, told[wallet], now))
        _write(rows)
    return Analysed(
        wallets=len(asked),
        fresh=len(asked) - len(stale),
        looked_up=len(look.histories),
        own=own,
        kept=kept,
        failed=look.failed,
        credits=look.credits,
        stopped=look.stopped,
    )


def _is_due(before: WalletAnalysis | None, source: WalletSource | None, now: datetime) -> bool:
    """Say whether the wallet is looked at again: what only our trades told is, as soon as there is somebody to ask."""
    if before is None or before.valid_until <= now:
        return True
    return before.source == WalletOrigin.OWN and source is not None


def _ask(
    look: _Look, source: WalletSource, wallets: Sequence[str], known: Mapping[str, WalletAnalysis], budget: int | None
) -> None:
    """Ask ``source`` for as many of ``wallets`` as the budget pays for; nothing is raised."""
    try:
        for start in range(0, len(wallets), AT_ONCE):
            part = wallets[start : start + AT_ONCE]
            if not _affords(look, source.credits_a_batch + source.credits_each, budget):
                return
            look.credits += source.credits_a_batch
            look.balances.update(_balances(source, part))
            for wallet in part:
                if not _affords(look, source.credits_each, budget):
                    return
                _ask_for(look, source, wallet, known.get(wallet))
    except (ClientError, ValueError) as error:
        look.stopped = f"{type(error).__name__}: {error}"[:200]
        log.warning("wallets.source_stopped", reason=look.stopped, looked_up=len(look.histories))


def _balances(source: WalletSource, wallets: Sequence[str]) -> dict[str, int | None]:
    """Return the lamports of each wallet of which the answer can be read."""
    found = zip(wallets, source.get_balances(wallets), strict=True)
    return {wallet: lamports for wallet, lamports in found if lamports is not UNREAD}


def _affords(look: _Look, cost: int, budget: int | None) -> bool:
    if budget is None or look.credits + cost <= budget:
        return True
    look.stopped = f"The budget of {budget} credits is used up: {look.credits} are spent, the next may cost {cost}."
    return False


def _ask_for(look: _Look, source: WalletSource, wallet: str, before: WalletAnalysis | None) -> None:
    """Ask for one wallet. One that is refused or answered wrongly loses its look-up, not the others theirs; the third in
    turn is raised: then it is not the wallet."""
    try:
        history = source.get_history(wallet, with_origin=before is None or not before.from_start)
    except BudgetSpent:
        raise  # nobody has failed: the others would not be paid for either
    except (Malformed, Refused) as error:
        look.failed += 1
        look.in_turn += 1
        look.credits += source.credits_each
        log.warning("wallets.failed", wallet=wallet, reason=str(error)[:200])
        if look.in_turn >= MOST_FAILURES:
            raise
        return
    look.in_turn = 0
    look.histories[wallet] = history
    look.credits += history.credits


def _row(wallet: str, before: WalletAnalysis | None, look: _Look, told: Own, now: datetime) -> WalletAnalysis:
    """Return what is now known of ``wallet``."""
    history = look.histories.get(wallet)
    times = [it.block_time for it in history.landed if it.block_time and it.block_time <= now] if history else []
    own_times = [moment for moment in (told.first_at, told.last_at) if moment is not None]
    first_seen, from_start = _beginning(before, history, times, own_times)
    lamports = look.balances.get(wallet)
    known = Wallet(
        address=wallet,
        first_seen_at=first_seen,
        from_start=from_start,
        is_whole=history is not None and history.is_whole,
        signed_at=times,
        # No account is no SOL; not asked is not known.
        lamports=(lamports or 0) if history is not None and wallet in look.balances else None,
        lamports_at=now,
        trades=told.trades,
        results=told.results,
    )
    verdicts = _verdicts(known, now)
    held = [verdict for verdict in verdicts.values() if verdict.holds]
    return WalletAnalysis(
        wallet_address=wallet,
        first_seen_at=first_seen,
        from_start=from_start,
        last_seen_at=max([*times, *own_times], default=None),
        total_transactions=len(times) or None if history is None or not history.is_whole else len(times),
        is_whole=history is not None and history.is_whole,
        sol_lamports=known.lamports,
        source=WalletOrigin.OWN if history is None else WalletOrigin.CHAIN,
        classes=[str(kind) for kind in _BY_ITSELF if verdicts[kind].holds],
        wallet_type=_type(verdicts, known),
        evidence=[verdict.as_json() for verdict in held],
        last_analyzed=now,
        valid_until=now + _ttl(history, held),
        **_age(known, now),
        **_funding(wallet, before, history, now),
        **_performance(told, known, verdicts, now),
    )


def _beginning(
    before: WalletAnalysis | None, history: WalletHistory | None, times: list[datetime], own: list[datetime]
) -> tuple[datetime | None, bool]:
    """Return the oldest known transaction and whether it is the first of all.

    A beginning that something older is known to precede was none, and one without a time tells no age.
    """
    earlier = [before.first_seen_at] if before is not None and before.first_seen_at is not None else []
    first = min([*times, *own, *earlier], default=None)
    claims = []
    if before is not None and before.from_start:
        claims += earlier
    if history is not None and history.is_whole and history.landed and history.landed[-1].block_time is not None:
        claims += [min(times)] if times else []
    return first, first is not None and any(claim - first <= _CLOCKS for claim in claims)


def _verdicts(known: Wallet, now: datetime) -> dict[WalletClass, Verdict]:
    return {
        WalletClass.MEV_BOT: classes.mev_bot(known, at=now),
        WalletClass.BOT: classes.bot(known, at=now),
        WalletClass.KNOWN_DUMPER: classes.known_dumper(known, at=now),
        WalletClass.SMART_MONEY: classes.smart_money(known, at=now),
        WalletClass.WHALE: classes.whale(known, at=now),
    }


def _type(verdicts: Mapping[WalletClass, Verdict], known: Wallet) -> WalletClass | None:
    """Return the first class that holds; retail for who was seen, ``None`` for who was not."""
    seen = known.transactions is not None or bool(known.trades)
    return next((kind for kind in _BY_ITSELF if verdicts[kind].holds), WalletClass.RETAIL if seen else None)


def _ttl(history: WalletHistory | None, held: Sequence[Verdict]) -> timedelta:
    if history is None:
        return terms.TTL_OWN
    return terms.TTL_STABLE if _STABLE.intersection(verdict.kind for verdict in held) else terms.TTL


def _age(known: Wallet, now: datetime) -> dict[str, Any]:
    age = known.age(now)
    return {"wallet_age_days": None if age is None else age.days}


def _funding(
    wallet: str, before: WalletAnalysis | None, history: WalletHistory | None, now: datetime
) -> dict[str, Any]:
    """Return the first funding: what is known stays known."""
    names = ("funder", "funded_lamports", "funded_at", "funding_signature")
    found = history.funding if history is not None else None
    if found is not None and found.at <= now and found.funder != wallet:
        return dict(zip(names, (found.funder, found.lamports, found.at, found.signature), strict=True))
    return {name: getattr(before, name, None) for name in names}


def _performance(told: Own, known: Wallet, verdicts: Mapping[WalletClass, Verdict], now: datetime) -> dict[str, Any]:
    results, bot = told.results, verdicts[WalletClass.BOT]
    wins, risk = results.win_ratio, classes.risk(known, at=now)
    signs = [item.weight or 0 for item in bot.evidence if item.signal in _MEV_SIGNS]
    timed = len(known.signed_at) >= terms.MEV_SIGNATURES
    whole = sum(terms.BOT_WEIGHTS[name] for name in _MEV_SIGNS)
    return {
        "unique_tokens_traded": results.tokens,
        "graduated_tokens": results.graduated,
        "win_rate": None if wins is None else round(100 * wins, 4),
        "avg_profit_per_trade": None if results.profit_usd is None else results.profit_usd / results.priced,
        "total_profit_usd": results.profit_usd,
        "best_trade_return": results.best_return_pct,
        "dumped_tokens": results.dumped,
        "rug_pull_participation": results.own_dumped,
        "known_scammer": results.own_dumped >= terms.DUMPS_FROM,
        "mev_bot_likelihood": round(100 * sum(signs, Decimal(0)) / whole, 4) if timed or signs else None,
        "bot_score": bot.score,
        "smart_score": verdicts[WalletClass.SMART_MONEY].score,
        "risk_score": None if risk is None else risk.points,
        "reputation_score": _reputation(told, verdicts),
    }


def _reputation(told: Own, verdicts: Mapping[WalletClass, Verdict]) -> Decimal:
    """Return 50, ten more for each of a good record's five marks, twenty less for a bot, thirty for a dumper; 0 to 100."""
    results, wins = told.results, told.results.win_ratio or Decimal(0)
    best = results.best_return_pct or Decimal(0)
    marks = (wins > Decimal("0.60"), wins > Decimal("0.75"), best > 100, best > 400, results.graduated > 10)
    points = 50 + 10 * sum(marks)
    points -= 20 * (verdicts[WalletClass.BOT].holds or verdicts[WalletClass.MEV_BOT].holds)
    points -= 30 * verdicts[WalletClass.KNOWN_DUMPER].holds
    return Decimal(min(100, max(0, points)))


_COLUMNS = [
    field.attname
    for field in WalletAnalysis._meta.concrete_fields
    if field.attname not in ("id", "wallet_address", "created_at")
]


@transaction.atomic
def _write(rows: Sequence[WalletAnalysis]) -> None:
    """Write ``rows`` with one statement, in one order everywhere, so that two analyses never wait for each other."""
    WalletAnalysis.objects.bulk_create(
        sorted(rows, key=lambda row: row.wallet_address),
        update_conflicts=True,
        unique_fields=["wallet_address"],
        update_fields=_COLUMNS,
    )
