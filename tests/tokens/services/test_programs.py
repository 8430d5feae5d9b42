"""Programs and their settings: remembered at the first look, told of at each change, in words."""

from datetime import timedelta
from typing import Any

import pytest
from solders.pubkey import Pubkey

from megatron.clients import registry
from megatron.clients.errors import TryLater
from megatron.clients.ports import Account, ChainReader
from tests.factories import NOON
from tests.tokens.domain.decode.building import discriminator, key
from tokens import tasks
from tokens.choices import AlertKind, AlertSeverity, Program, RecipientOrigin
from tokens.domain import accounts, programs
from tokens.models import FeeRecipient, OperatorAlert, ProgramSnapshot
from tokens.services import programs as watching

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
CODE = key("program data of pump")
GLOBAL = accounts.SETTINGS[0].address
SLOT = 455_000_000


def raw(address: str) -> bytes:
    """Return the bytes of an address."""
    return bytes(Pubkey.from_string(address))


def program(code: str = CODE) -> bytes:
    """Return an upgradeable program's account."""
    return (2).to_bytes(4, "little") + raw(code)


def program_data(deployed_slot: int = 400_000_000, code: bytes = b"\x7fELF" + bytes(100)) -> bytes:
    """Return the account of a program's code."""
    return (3).to_bytes(4, "little") + deployed_slot.to_bytes(8, "little") + b"\1" + raw(key("upgrader")) + code


def settings(recipient: str, length: int = 1087) -> bytes:
    """Return pump.fun's Global with one fee recipient in all places, cut or padded to ``length``."""
    data = discriminator("Global", "account") + b"\1" + raw(key("admin")) + raw(recipient)
    data += bytes(162 - len(data)) + raw(recipient) * 7
    return data.ljust(length, b"\0")


class Chain:
    """A node that knows a few accounts."""

    def __init__(self, **known: bytes) -> None:
        self.slot, self.known, self.away = SLOT, known, False

    def get_account(self, address: str) -> Account | None:
        if self.away:
            raise TryLater("busy")
        data = self.known.get(address)
        return None if data is None else Account(slot=self.slot, owner=key("loader"), data=data)

    def get_slot(self, *, finalized: bool) -> int:
        return self.slot


def watch(chain: Any, hours: int) -> int:
    """Look so many hours after noon."""
    reader: ChainReader = chain
    return watching.watch(chain=reader, now=NOON + hours * HOUR)


@pytest.fixture
def chain() -> Chain:
    return Chain(
        **{
            programs.PUMP: program(),
            CODE: program_data(),
            GLOBAL: settings("62qc2CNXwrYqQScmEdiZFFAnJR262PxWEuNQtxfafNgV"),
        }
    )


@pytest.fixture(autouse=True)
def known_recipient(db: None) -> None:
    """The recipient of the first settings is a published one."""
    FeeRecipient.objects.get_or_create(
        venue=Program.PUMPFUN,
        address="62qc2CNXwrYqQScmEdiZFFAnJR262PxWEuNQtxfafNgV",
        defaults={"origin": RecipientOrigin.PUBLISHED},
    )


def told() -> str:
    """Return the words of the one open alert about a program."""
    return OperatorAlert.objects.get(kind=AlertKind.PROGRAM_CHANGED, resolved_at=None).message


def test_the_first_look_only_remembers(chain: Chain) -> None:
    """What there is becomes a row each, what the chain does not have too, and nobody is called."""
    assert watch(chain, 0) == 0
    code = ProgramSnapshot.objects.get(address=CODE)
    assert (code.venue, code.role, code.slot, code.length) == ("pumpfun", "program", SLOT, 149)
    assert code.details["deployed_slot"] == 400_000_000
    assert code.details["upgrade_authority"] == key("upgrader")
    assert (
        ProgramSnapshot.objects.get(address=GLOBAL).details["fee_recipients"]
        == ["62qc2CNXwrYqQScmEdiZFFAnJR262PxWEuNQtxfafNgV"] * 7
    )
    assert OperatorAlert.objects.count() == 0


def test_what_did_not_change_leaves_no_row(chain: Chain) -> None:
    """Hour after hour there is one row an account."""
    watch(chain, 0)
    rows = ProgramSnapshot.objects.count()
    assert (watch(chain, 1), ProgramSnapshot.objects.count()) == (0, rows)


def test_an_upgrade_is_told_with_both_slots(chain: Chain) -> None:
    """A new deployment changes the slot, and the length where the code grew."""
    watch(chain, 0)
    chain.known[CODE] = program_data(454_900_000, b"\x7fELF" + bytes(108))
    chain.slot += 1
    assert watch(chain, 1) == 1
    assert told().startswith(
        "Pump.fun program changed by slot 455000001: 149 bytes became 157; "
        "deployed_slot was 400000000, is 454900000; head_sha256 was "
    )
    assert ProgramSnapshot.objects.filter(address=CODE).count() == 2


def test_new_recipients_in_the_settings_are_told_and_learned(chain: Chain) -> None:
    """Pump.fun's Global names other recipients: which ones went and came, and each new one is a fee recipient."""
    watch(chain, 0)
    chain.known[GLOBAL] = settings(key("another recipient"))
    assert watch(chain, 1) == 1
    assert f"fee_recipient was 62qc2CNXwrYqQScmEdiZFFAnJR262PxWEuNQtxfafNgV, is {key('another recipient')}" in told()
    learned = FeeRecipient.objects.get(address=key("another recipient"))
    assert (learned.venue, learned.origin) == (Program.PUMPFUN, RecipientOrigin.ACCOUNT)
    assert OperatorAlert.objects.filter(kind=AlertKind.FEE_RECIPIENT).count() == 1


def test_an_account_that_grew_is_told(chain: Chain) -> None:
    """One byte more, as in October 2026, even where it still is zero; known fields read the same."""
    watch(chain, 0)
    chain.known[GLOBAL] += b"\0"
    assert watch(chain, 1) == 1
    assert told() == f"Pump.fun global changed by slot {SLOT}: 1,087 bytes became 1,088."


def test_settings_beyond_the_known_ones_are_told(chain: Chain) -> None:
    """Bytes after the last known field that are not zero are settings that nobody here knows."""
    watch(chain, 0)
    chain.known[GLOBAL] = chain.known[GLOBAL].ljust(1088, b"\0") + b"\x07" * 8
    assert watch(chain, 1) == 1
    assert "unknown_bytes was unknown, is 8" in told()


def test_an_account_that_cannot_be_read_or_is_gone_is_grave(chain: Chain) -> None:
    """Another discriminator, then no account at all: look now."""
    watch(chain, 0)
    for hours, change in ((1, {GLOBAL: bytes(1087)}), (2, {})):
        chain.known = {address: data for address, data in chain.known.items() if address != GLOBAL} | change
        assert watch(chain, hours) == 1
        assert OperatorAlert.objects.get(kind=AlertKind.PROGRAM_CHANGED).severity == AlertSeverity.CRITICAL
    assert told().startswith(
        f"Pump.fun global changed by slot {SLOT}: 1,087 bytes became 0; absent was unknown, is True"
    )


def test_a_node_that_lags_or_is_away_tells_nothing(chain: Chain) -> None:
    """An answer older than the newest row is not believed, and without an answer nothing is concluded."""
    watch(chain, 0)
    rows = ProgramSnapshot.objects.count()
    chain.known[CODE] = program_data(1)
    chain.slot -= 1
    assert watch(chain, 1) == 0
    chain.away = True
    assert watch(chain, 2) == 0
    assert ProgramSnapshot.objects.count() == rows


def test_the_task_asks_the_house_s_chain(chain: Chain, settings: Any) -> None:
    """Each hour; without a chain to ask it does nothing."""
    with registry.override(chain=chain):  # type: ignore[arg-type]  # of the port, what is needed here
        assert tasks.watch_programs() == 0
    assert ProgramSnapshot.objects.filter(address=CODE).exists()
    settings.SOLANA_RPC_URL = ""
    assert tasks.watch_programs() == 0
