"""Analysing holders in the foreground, end to end: from stored trades to a measured snapshot."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from holders.management.commands import analyse
from holders.models import HolderScoreJob, HolderSnapshot, WalletAnalysis, WalletQualityMetric
from holders.services import quality
from megatron.clients.errors import TryLater
from megatron.core import health, nudges, queue
from megatron.core.clock import utc_now
from tests import factories
from tests.holders.building import job
from tests.holders.listing import wallet
from tokens.models import Pool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(nudges, "ring", names.append)
    return names


def traded(buyers: int = 6) -> str:
    """Store a curve at a fifth of its target that so many wallets bought in the last minutes; return its mint."""
    now = utc_now()
    token = factories.token(creation_timestamp=now - timedelta(hours=1))
    pool = factories.pool(token, quote_target=100, real_sol_reserves=20, last_trade_at=now - timedelta(minutes=1))
    for number in range(buyers):
        at = now - timedelta(minutes=number + 1)
        factories.transaction(pool, user_address=wallet(f"buyer {number}"), block_time=at)
    return token.mint_address


def call(*args: str) -> str:
    out = StringIO()
    call_command("analyse", *args, stdout=out)
    return out.getvalue()


def found(*args: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(call(*args, "--json"))["analyses"]
    return told


def test_a_named_token_is_analysed_from_our_own_trades(rung: list[str]) -> None:
    """Without any source: holders derived, wallets judged, the snapshot measured for who scores, and nothing paid."""
    mint = traded()
    assert found(mint, "--no-look-ups") == [
        {
            "mint": mint,
            "state": "finished",
            "holders": 6,
            "wallets": 6,
            "looked_up": 0,
            "credits": 0,
            "reason": None,
        }
    ]
    snapshot = HolderSnapshot.objects.get(token_mint=mint)
    assert (snapshot.total_holders, snapshot.measured_at is None, snapshot.scored_at) == (6, False, None)
    assert WalletQualityMetric.objects.get(token_mint=mint).snapshot_time == snapshot.snapshot_time
    assert WalletAnalysis.objects.count() == 6
    assert rung == ["holder_jobs", "holders_measured"]


def test_what_is_due_is_analysed_in_the_queues_order() -> None:
    """--due takes what waits, up to its limit, and leaves what is not due."""
    now = utc_now()
    first, second, third = traded(), traded(), traded()
    job(token_mint=second, priority=50, due_at=now)
    job(token_mint=first, priority=900, due_at=now)
    job(token_mint=third, priority=2_000, due_at=now + timedelta(hours=1))
    assert [it["mint"] for it in found("--due", "--limit", "10")] == [first, second]
    assert HolderScoreJob.objects.get(processed_at=None).token_mint == third


def test_a_failure_is_told_and_stays_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1; workers try it again after its pause."""
    mint = traded()

    def fail(**_: Any) -> None:
        raise TryLater("busy")

    monkeypatch.setattr(quality, "measure", fail)
    with pytest.raises(CommandError) as error:
        call(mint, "--no-look-ups")
    assert error.value.returncode == 1
    row = HolderScoreJob.objects.get()
    assert (row.attempts, row.last_error, row.processed_at) == (1, "TryLater: busy", None)


def test_a_table_is_for_people() -> None:
    """Without --json the same stands in a table."""
    mint = traded()
    shown = call(mint, "--no-look-ups")
    assert "finished" in shown
    assert "holders" in shown


@pytest.mark.parametrize(("args", "status"), [((), 2), (("--due", "mint"), 2)])
def test_a_wrong_call_is_refused(args: tuple[str, ...], status: int) -> None:
    """Either mints or --due, and a limit that lets something happen."""
    with pytest.raises(CommandError) as error:
        call(*args)
    assert error.value.returncode == status


def test_a_token_that_cannot_be_analysed_is_said() -> None:
    """One that nobody stored, one that has graduated, and one that was set aside until an operator releases it."""
    aside, graduated = traded(), traded()
    job(token_mint=aside, quarantined_at=utc_now(), last_error="it kills its worker")
    Pool.objects.filter(token__mint_address=graduated).update(status="complete")
    statuses = []
    for mint in (factories.address("nobody's"), graduated, aside):
        with pytest.raises(CommandError) as error:
            call(mint)
        statuses.append(error.value.returncode)
    assert statuses == [2, 2, 1]


def _leased(mint: str) -> HolderScoreJob:
    """Let a worker have the job of ``mint``."""
    return job(token_mint=mint, attempts=1, due_at=utc_now(), leased_until=utc_now() + queue.LEASE)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (None, "cannot be told without Redis"),
        ({"outside": None}, "None is alive, so it may have died"),
        ({"outside": "now"}, "One is alive (queue outside)."),
    ],
)
def test_shield_03_what_a_worker_has_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, seen: dict[str, Any] | None, said: str
) -> None:
    """It is said once who has the job and whether a worker lives; the worker's own result is what is shown."""
    mint, looks = traded(), []
    row = _leased(mint)
    found_at = None if seen is None else {name: at and utc_now() for name, at in seen.items()}
    monkeypatch.setattr(health, "workers_seen_at", lambda: found_at)

    def worker(_seconds: float) -> None:
        looks.append(1)
        if len(looks) == 3:
            done = {"quality": {"holders": 6}, "wallets": {"sampled": 4, "looked_up": 2}}
            HolderScoreJob.objects.filter(pk=row.pk).update(finished_at=utc_now(), leased_until=None, evidence=done)

    monkeypatch.setattr(analyse.time, "sleep", worker)
    out, err = StringIO(), StringIO()
    call_command("analyse", mint, "--json", stdout=out, stderr=err)
    (told,) = json.loads(out.getvalue())["analyses"]
    assert (told["state"], told["holders"], told["looked_up"]) == ("finished", 6, 2)
    assert len(looks) == 3
    (line,) = err.getvalue().splitlines()
    assert f"A worker has the job of {mint} until " in line
    assert said in line


def test_shield_03_a_lease_that_ends_is_no_longer_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that died gives nothing: when its lease is over the state is told, with exit status 1."""
    mint = traded()
    row = _leased(mint)
    monkeypatch.setattr(health, "workers_seen_at", lambda: {"outside": None})

    def lapse(_seconds: float) -> None:
        HolderScoreJob.objects.filter(pk=row.pk).update(leased_until=utc_now() - timedelta(seconds=1))

    monkeypatch.setattr(analyse.time, "sleep", lapse)
    with pytest.raises(CommandError, match="Not every analysis came to its end") as error:
        call(mint)
    assert error.value.returncode == 1


def test_what_is_not_stored_is_told_from_what_has_graduated() -> None:
    """Each has its own sentence and the code of a wrong call."""
    graduated = factories.token(is_graduated=True).mint_address
    for mint, told in (
        (factories.address("a program"), "is not stored: name a token's mint"),
        (graduated, "has graduated: its score is frozen"),
    ):
        with pytest.raises(CommandError, match=told) as refused:
            call(mint)
        assert refused.value.returncode == 2


def test_nothing_due_is_said() -> None:
    """Not an empty table; a program gets an empty list."""
    assert call("--due") == "Nothing is due.\n"
    assert found("--due") == []
