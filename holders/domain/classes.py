"""What a wallet is by itself, over all tokens: bot, MEV bot, smart money, known dumper; and its risk.

Every rule is point in time: it sees what was known at ``at``. What is unknown speaks for nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

from holders.choices import WalletClass
from holders.domain import behaviour, terms
from holders.domain.behaviour import Wallet
from holders.domain.evidence import Evidence, Verdict, decided, weighed

_DAY = timedelta(days=1)
_SOL = 1_000_000_000


def bot(wallet: Wallet, *, at: datetime) -> Verdict:
    """Return whether ``wallet`` was run by a program at ``at``: the weights of what was seen are at least 0.45 of all."""
    known = wallet.known_at(at)
    seen = chain(_of_balance(known), _of_age(known, at), _of_rhythm(known), _of_trades(known), _of_tokens(known, at))
    return weighed(WalletClass.BOT, seen, terms.BOT_WEIGHTS, threshold=terms.BOT_FROM)


def mev_bot(wallet: Wallet, *, at: datetime) -> Verdict:
    """Return whether ``wallet`` lived from the order of transactions at ``at``: at least 100 signatures and one sign."""
    known = wallet.known_at(at)
    count, age = known.transactions or 0, known.age(at)
    if count < terms.MEV_BOT_SIGNATURES:
        return Verdict(WalletClass.MEV_BOT, holds=False)
    signs = [item for item in chain(_of_rhythm(known), _of_trades(known)) if item.signal in ("mev", "sandwich")]
    if count > terms.MEV_BOT_TRANSACTIONS and age is not None and age < terms.MEV_BOT_AGE:
        words = f"{count:,} transactions within {_days(age)} days"
        signs.append(Evidence("very_many", words, numbers={"transactions": str(count), "age_days": _days(age)}))
    pace = behaviour.rhythm(known.signed_at)
    if pace and pace.quick > terms.QUICK_ABOVE:
        words = f"{pace.quick:.0%} of {pace.gaps:,} pauses are shorter than a second"
        signs.append(Evidence("quick", words, numbers={"share": f"{pace.quick:.4f}", "gaps": str(pace.gaps)}))
    return decided(WalletClass.MEV_BOT, signs)


def smart_money(wallet: Wallet, *, at: datetime) -> Verdict:
    """Return whether ``wallet`` was one that earns by judgement at ``at``: at least 0.6 of all weights."""
    seen = _smart(wallet.known_at(at), at)
    return weighed(WalletClass.SMART_MONEY, seen, terms.SMART_WEIGHTS, threshold=terms.SMART_FROM)


def known_dumper(wallet: Wallet, *, at: datetime) -> Verdict:
    """Return whether ``wallet`` had, by ``at``, sold more than 80 % within 30 minutes of its first buy in at least three
    tokens."""
    results = wallet.known_at(at).results
    if results is None or results.dumped < terms.DUMPS_FROM:
        return Verdict(WalletClass.KNOWN_DUMPER, holds=False)
    words = f"sold over 80 % within 30 minutes of the first buy in {results.dumped} of {results.tokens} tokens"
    numbers = {"dumped": str(results.dumped), "tokens": str(results.tokens)}
    return decided(WalletClass.KNOWN_DUMPER, [Evidence("dumps", words, numbers=numbers)])


def whale(wallet: Wallet, *, at: datetime) -> Verdict:
    """Return whether ``wallet`` had more than 100 SOL at ``at``."""
    return decided(WalletClass.WHALE, capital(wallet.known_at(at)))


def capital(wallet: Wallet) -> Iterator[Evidence]:
    """Yield the evidence of more than 100 SOL, if there is some."""
    if wallet.lamports is not None and wallet.lamports > terms.WHALE_LAMPORTS:
        sol = f"{Decimal(wallet.lamports) / _SOL:f}"
        yield Evidence("capital", f"holds {sol} SOL", numbers={"sol": sol})


@dataclass(frozen=True, slots=True)
class Risk:
    """Points of a wallet's risk out of ``most``, which is 100 when everything was known."""

    points: Decimal
    most: Decimal
    evidence: tuple[Evidence, ...]


_AGE_RISK = ((1, 20), (7, 15), (30, 10), (90, 5))
_SOL_RISK = ((Decimal("0.01"), 20), (Decimal("0.1"), 15), (Decimal(1), 10), (Decimal(10), 5))
_COUNT_RISK = ((5, 20), (20, 15), (50, 10), (100, 5))


def risk(wallet: Wallet, *, at: datetime) -> Risk | None:
    """Return the risk of ``wallet`` at ``at``, or ``None`` when nothing is known of it."""
    known, verdict = wallet.known_at(at), bot(wallet, at=at)
    age = known.age(at)
    count = known.transactions if known.is_whole or (known.transactions or 0) >= _COUNT_RISK[-1][0] else None
    figures = (
        ("age", "days old", None if age is None else Decimal(age / _DAY), _AGE_RISK),
        ("sol", "SOL", None if known.lamports is None else Decimal(known.lamports) / _SOL, _SOL_RISK),
        ("transactions", "transactions", None if count is None else Decimal(count), _COUNT_RISK),
    )
    lines = [_step(name, unit, figure, steps) for name, unit, figure, steps in figures if figure is not None]
    if not lines:
        return None
    most = Decimal(20 * len(lines) + 20)
    found = [line for line in lines if line.weight]
    if verdict.holds:
        found.append(Evidence("bot", "judged a bot", Decimal(20)))
    for name, points in (("round_numbers", 10), ("timing", 10)):
        found += [
            Evidence(it.signal, it.words, Decimal(points), it.numbers) for it in verdict.evidence if it.signal == name
        ]
    if (known.transactions or 0) >= terms.TIMED_SIGNATURES:
        most += 20
    return Risk(sum((line.weight or Decimal(0) for line in found), Decimal(0)), most, tuple(found))


def _step(name: str, unit: str, figure: Decimal, steps: tuple[tuple[Decimal | int, int], ...]) -> Evidence:
    points = next((points for below, points in steps if figure < below), 0)
    return Evidence(name, f"{figure:.2f} {unit}", Decimal(points), {name: f"{figure:.6f}"})


def _bot(signal: str, words: str, **numbers: object) -> Evidence:
    return Evidence(signal, words, terms.BOT_WEIGHTS[signal], {name: str(value) for name, value in numbers.items()})


def _of_balance(wallet: Wallet) -> Iterator[Evidence]:
    if wallet.lamports is None:
        return
    held = f"{Decimal(wallet.lamports) / _SOL:f}"
    if wallet.lamports < terms.LOW_LAMPORTS:
        yield _bot("low_balance", f"holds only {held} SOL", sol=held)
    if wallet.lamports in terms.SUSPICIOUS_LAMPORTS:
        yield _bot("suspicious_balance", f"holds exactly {held} SOL", sol=held)


def _of_age(wallet: Wallet, at: datetime) -> Iterator[Evidence]:
    age, count = wallet.age(at), wallet.transactions
    if age is None:
        return
    days = _days(age)
    if age < terms.VERY_NEW:
        yield _bot("very_new", f"{days} days old", age_days=days)
    elif age < terms.NEW:
        yield _bot("new", f"{days} days old", age_days=days)
    if count is None:
        return
    if count > terms.MANY_TRANSACTIONS and age < terms.YOUNG:
        yield _bot("high_frequency", f"{count:,} transactions in {days} days", transactions=count, age_days=days)
    if wallet.is_whole and count < terms.FEW_TRANSACTIONS and age > terms.YOUNG:
        yield _bot("low_activity", f"{count} transactions in {days} days", transactions=count, age_days=days)


def _of_rhythm(wallet: Wallet) -> Iterator[Evidence]:
    pace = behaviour.rhythm(wallet.signed_at)
    if pace is None:
        return
    enough = pace.signatures >= terms.TIMED_SIGNATURES and pace.gaps >= terms.TIMED_GAPS
    if enough and pace.variation is not None and pace.variation < terms.REGULAR_BELOW:
        words = f"{pace.gaps:,} pauses of nearly one length (variation {pace.variation:.3f})"
        yield _bot("timing", words, variation=f"{pace.variation:.4f}", gaps=pace.gaps)
    if pace.signatures >= terms.MEV_SIGNATURES and pace.bursts > terms.BURSTS_ABOVE:
        words = f"{pace.bursts:.0%} of three transactions in a row lie less than two seconds apart each"
        yield _bot("mev", words, share=f"{pace.bursts:.4f}", signatures=pace.signatures)


def _of_trades(wallet: Wallet) -> Iterator[Evidence]:
    buys, sells, count = wallet.buys, wallet.sells, wallet.transactions
    if wallet.is_whole and count in terms.ROUND_COUNTS:
        yield _bot("round_numbers", f"exactly {count} transactions", transactions=count)
    elif min(buys, sells) * 2 >= terms.EVEN_TRADES_FROM and terms.EVEN_LOW < Decimal(buys) / sells < terms.EVEN_HIGH:
        yield _bot("round_numbers", f"{buys} buys and {sells} sells", buys=buys, sells=sells)
    if buys and not sells:
        yield _bot("only_buys", f"{buys} buys and no sell", buys=buys)
    alike = behaviour.commonest_amount(wallet.trades)
    if alike and alike[1] >= terms.ALIKE_TRADES_FROM and alike[1] > terms.ALIKE_ABOVE * len(wallet.trades):
        words = f"{alike[1]} of {len(wallet.trades)} trades move exactly {alike[0]:f} SOL"
        yield _bot("identical_trades", words, sol=f"{alike[0]:f}", trades=alike[1], of=len(wallet.trades))
    if len(wallet.trades) >= terms.SANDWICH_TRADES:
        found = behaviour.sandwiches(wallet.trades)
        if found > terms.SANDWICHES_ABOVE:
            words = f"turned around {found} times within {terms.SANDWICH_SLOTS} slots"
            yield _bot("sandwich", words, patterns=found, trades=len(wallet.trades))


def _of_tokens(wallet: Wallet, at: datetime) -> Iterator[Evidence]:
    results, age = wallet.results, wallet.age(at)
    if results is None:
        return
    if results.sniped:
        words = f"bought {results.sniped} of {results.tokens} tokens within a minute of their creation"
        yield _bot("sniper", words, sniped=results.sniped, tokens=results.tokens)
    if age is not None and age < terms.YOUNG and results.tokens > terms.TOKENS_A_DAY_ABOVE * max(age / _DAY, 1):
        words = f"traded {results.tokens} tokens in {_days(age)} days"
        yield _bot("many_new_tokens", words, tokens=results.tokens, age_days=_days(age))


def _smart(wallet: Wallet, at: datetime) -> Iterator[Evidence]:
    age, held, results = wallet.age(at), wallet.lamports, wallet.results
    count = max(wallet.transactions or 0, len(wallet.trades))
    if age is not None and age > timedelta(days=90):
        signal = "age_180" if age > timedelta(days=180) else "age_90"
        yield _good(signal, f"{_days(age)} days old", age_days=_days(age))
    if held is not None and held > 10 * _SOL:
        sol = f"{Decimal(held) / _SOL:f}"
        yield _good("sol_100" if held > 100 * _SOL else "sol_10", f"holds {sol} SOL", sol=sol)
    if count > 500:
        yield _good("transactions_500", f"{count:,} transactions", transactions=count)
    trades = len(wallet.trades)
    if trades and Decimal("0.30") <= Decimal(wallet.buys) / trades <= Decimal("0.70"):
        yield _good("balanced_trades", f"{wallet.buys} of {trades} trades are buys", buys=wallet.buys, trades=trades)
    if results is None:
        return
    if results.profit_usd is not None and results.profit_usd > 0:
        yield _good("profit", f"earned {results.profit_usd:.2f} USD", profit_usd=results.profit_usd)
    wins = results.win_ratio
    if wins is not None and wins > Decimal("0.60"):
        yield _good(
            "wins_60", f"won {results.wins} of {results.closed} tokens", wins=results.wins, closed=results.closed
        )
    elif wins is not None and wins > Decimal("0.50") and count > 100:
        yield _good(
            "wins_50", f"won {results.wins} of {results.closed} tokens", wins=results.wins, closed=results.closed
        )
    if results.volume_usd is not None and results.volume_usd > 10_000:
        signal = "volume_100k" if results.volume_usd > 100_000 else "volume_10k"
        yield _good(signal, f"traded {results.volume_usd:.0f} USD", volume_usd=results.volume_usd)
    if results.tokens > 50:
        yield _good("tokens_50", f"traded {results.tokens} tokens", tokens=results.tokens)
    if results.graduated > 3:
        yield _good("graduated_3", f"{results.graduated} of its tokens graduated", graduated=results.graduated)


def _good(signal: str, words: str, **numbers: object) -> Evidence:
    return Evidence(signal, words, terms.SMART_WEIGHTS[signal], {name: str(value) for name, value in numbers.items()})


def _days(age: timedelta) -> str:
    return f"{age / _DAY:.1f}"
