"""Lists of holders for tests, and a source that gives them."""

import hashlib
from collections.abc import Mapping

from solders.keypair import Keypair

from holders.choices import HolderOrigin
from megatron.clients.ports import HeldAccount, HolderList
from tests.factories import address


def wallet(name: str) -> str:
    """Return an address that a person can have the key of; most of ``factories.address`` are not even on the curve."""
    return str(Keypair.from_seed(hashlib.sha256(name.encode()).digest()).pubkey())


def listed(tokens: Mapping[str, int], *, slot: int = 430_000_000, missing: str = "") -> HolderList:
    """Return whole tokens by owner as a list, each owner with one account."""
    accounts = [
        HeldAccount(address=address(f"account of {owner}"), owner=owner, raw=amount * 10**6)
        for owner, amount in tokens.items()
    ]
    return HolderList(slot=slot, accounts=accounts, missing=missing, credits=10)


class Lists:
    """A :class:`~megatron.clients.ports.HolderSource` that gives what it was given, or raises it."""

    origin = HolderOrigin.HELIUS

    def __init__(self, *answers: HolderList | Exception, changed: HolderList | None = None) -> None:
        self.answers = list(answers)
        self.changed = changed
        self.asked: list[tuple[str | None, int]] = []
        self.asked_since: list[int] = []

    def get_holders(self, mint: str, *, program: str | None, most: int, min_slot: int) -> HolderList:
        self.asked.append((program, most))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_changed(self, mint: str, *, program: str | None, since_slot: int) -> HolderList | None:
        self.asked_since.append(since_slot)
        return self.changed
