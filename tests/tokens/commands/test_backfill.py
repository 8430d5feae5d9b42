"""Asking the chain for a stretch of slots, in the foreground."""

from typing import Any

import pytest
from django.core.management import CommandError

from megatron.clients import registry
from megatron.clients.errors import Refused
from megatron.core.models import AuditEntry
from tests.tokens.commands.calling import call, result
from tests.tokens.services import live
from tests.tokens.services.live import World
from tokens.choices import GapCause, GapOutcome
from tokens.models import SlotGap, Transaction
from tokens.services import gaps

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small() -> World:
    return live.world()


def slots(world: World) -> tuple[str, ...]:
    """Return the arguments that ask for the whole chain."""
    blocks = world.chain.main
    return ("pumpfun", "--from-slot", str(blocks[0].slot), "--to-slot", str(blocks[-1].slot))


def signatures() -> set[str]:
    return set(Transaction.objects.values_list("signature", flat=True))


def expected(world: World) -> set[str]:
    """Return what trades there are on the chain."""
    return {landing.signature for landing in live.trades(world.landings())}


def test_everything_in_the_slots_is_stored(small: World) -> None:
    """The venue's trades of the stretch are stored, the gap ends healed, and who asked why is on file."""
    with registry.override(chain=small.rpc):
        told = result("backfill", *slots(small), "--reason", "before we watched")
    row, entry = SlotGap.objects.get(), AuditEntry.objects.get()
    assert signatures() == expected(small)
    assert (told["outcome"], told["transactions_found"]) == ("healed", row.transactions_found)
    assert row.transactions_found >= len(expected(small)) > 0
    assert (row.cause, row.outcome, entry.reason) == (GapCause.OPERATOR, GapOutcome.HEALED, "before we watched")


def test_asking_again_finds_nothing_new(small: World) -> None:
    """What is stored already stays as it is, and the second gap ends with nothing missing."""
    with registry.override(chain=small.rpc):
        result("backfill", *slots(small))
        rows = Transaction.objects.count()
        second = result("backfill", *slots(small))
    assert (Transaction.objects.count(), SlotGap.objects.count()) == (rows, 2)
    assert (second["outcome"], second["transactions_found"]) == ("empty", 0)


def test_a_run_that_was_cut_short_goes_on(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap is the state: the same command takes it up again behind the slots that are done, and opens no other."""
    monkeypatch.setattr(gaps, "REACH", 0)
    monkeypatch.setattr(gaps, "BLOCKS_AT_ONCE", 20)
    read: list[int] = []
    get_block = small.rpc.get_block

    def cut_short(slot: int, *, finalized: bool) -> bytes | None:
        read.append(slot)
        if len(read) == 30:
            raise KeyboardInterrupt
        return get_block(slot, finalized=finalized)

    monkeypatch.setattr(small.rpc, "get_block", cut_short)
    with registry.override(chain=small.rpc):
        with pytest.raises(KeyboardInterrupt):
            call("backfill", *slots(small))
        healed_to = SlotGap.objects.get().healed_to
        SlotGap.objects.update(leased_until=None)
        read.clear()
        read.extend([0] * 30)
        told = result("backfill", *slots(small))
    assert healed_to is not None
    assert min(slot for slot in read if slot) > healed_to
    assert (SlotGap.objects.count(), told["outcome"], signatures()) == (1, "healed", expected(small))


def test_without_a_node_it_says_which_setting_lacks(settings: Any) -> None:
    """No node is set up: the error names the setting, and no gap is opened."""
    settings.SOLANA_RPC_URL = ""
    with pytest.raises(CommandError, match="set SOLANA_RPC_URL") as refused:
        call("backfill", "pumpfun", "--from-slot", "1", "--to-slot", "2")
    assert (refused.value.returncode, SlotGap.objects.count()) == (2, 0)


def test_slots_that_cannot_be_asked_for_are_refused(small: World) -> None:
    """Slots that run backwards or that are not final yet open no gap."""
    far = str(small.chain.main[-1].slot + 10_000)
    with registry.override(chain=small.rpc):
        with pytest.raises(CommandError, match="must not be before"):
            call("backfill", "pumpfun", "--from-slot", "2", "--to-slot", "1")
        with pytest.raises(CommandError, match="is not final yet"):
            call("backfill", "pumpfun", "--from-slot", "1", "--to-slot", far)
    assert SlotGap.objects.count() == 0


def test_a_provider_that_refuses_ends_it_at_once(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is told, and the gap stays open for the next run."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise Refused("the key is not valid")

    monkeypatch.setattr(small.rpc, "get_signatures", refuse)
    with registry.override(chain=small.rpc), pytest.raises(CommandError, match="the key is not valid") as refused:
        call("backfill", *slots(small))
    row = SlotGap.objects.get()
    assert (refused.value.returncode, row.finished_at, row.outcome) == (1, None, "")
