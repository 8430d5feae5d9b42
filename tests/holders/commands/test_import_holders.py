"""``manage.py import_holders``: lists from files, real and broken."""

import json
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from holders.domain import exclusions
from holders.models import HolderSnapshot, TokenHolder
from tests import recordings
from tests.holders.listing import wallet
from tokens.domain import programs

pytestmark = pytest.mark.django_db

MINT = "HcN4rDycUdKVkk5L5d8FXvSDA3TuM4LL7GuGXUjmpump"
POOL = programs.graduated_pool(MINT, programs.WRAPPED_SOL)
CAPTURE = Path(recordings.__file__).parent / "holders" / "get-token-holders.json"


def run(path: Path, *options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("import_holders", str(path), "--mint", MINT, "--json", *options, stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_a_real_list_of_a_thousand_holders() -> None:
    """The capture's measures are those of plain arithmetic over its holders: programs are weighed, known markets are left out,
    and owners of less than a millionth of what circulates are no holders."""
    found = run(CAPTURE)
    listed = json.loads(CAPTURE.read_bytes())
    markets = {one["address"] for one in listed if one["address"] in {*exclusions.MARKETS, POOL}}
    circulating = sum(one["amount"] for one in listed if one["address"] not in markets)
    held = {one["address"]: one["amount"] for one in listed if one["address"] not in markets}
    raw = np.sort([amount for amount in held.values() if amount * 1_000_000 >= circulating])[::-1]
    total, many = int(raw.sum()), len(raw)
    assert (found["unique_holders"], found["total_holders"]) == (1_000, many)
    assert {one["wallet"] for one in found["excluded"]} == markets
    assert Decimal(found["circulating_supply"]) == Decimal(circulating).scaleb(-6)
    assert float(found["top_1_percentage"]) == pytest.approx(100 * raw[0] / circulating, abs=1e-4)
    assert float(found["top_100_percentage"]) == pytest.approx(100 * raw[:100].sum() / circulating, abs=1e-4)
    difference = np.abs(np.subtract.outer(raw, raw).astype(float)).sum()
    assert float(found["gini_coefficient"]) == pytest.approx(difference / (2 * many * total), abs=1e-8)
    assert float(found["hhi"]) == pytest.approx(10_000 * ((raw / total) ** 2).sum(), abs=1e-3)
    row = HolderSnapshot.objects.get()
    assert (row.data_source, row.is_complete, row.has_trades, row.holder_growth_rate) == ("import", True, False, None)
    assert not TokenHolder.objects.exists()


def test_a_list_with_its_slot_enters_the_books(tmp_path: Path) -> None:
    """With a slot, a reply of getTokenAccounts makes holdings: owners count, not accounts, and amounts may be text."""
    accounts = [
        {"address": wallet("a1"), "owner": wallet("ann"), "amount": "1500000"},
        {"address": wallet("a2"), "owner": wallet("ann"), "amount": 500000},
    ]
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"result": {"token_accounts": accounts}}))
    assert run(path, "--slot", "400", "--at", "2026-07-03T12:00:00Z")["total_holders"] == 1
    row = TokenHolder.objects.get()
    assert (row.wallet_address, row.current_balance, row.chain_slot) == (wallet("ann"), 2, 400)
    assert "1 holders of" in _words(path)


def _words(path: Path) -> str:
    out = StringIO()
    call_command("import_holders", str(path), "--mint", MINT, stdout=out)
    return out.getvalue()


GOOD = {"address": wallet("ann"), "amount": 1}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"),
        ('{"holders": []}', "no list of holders"),
        ("7", "no list of holders"),
        ("[7]", "Item 1 is no object"),
        ('[{"amount": 1}]', "Item 1 has no address"),
        ('[{"address": "0x12", "amount": 1}]', "Item 1: '0x12' is no address"),
        (json.dumps([GOOD, {"address": wallet("bob")}]), "Item 2: the amount 'None'"),
        (json.dumps([{**GOOD, "amount": 1.5}]), "Item 1: the amount '1.5' is not a whole number"),
        (json.dumps([{**GOOD, "amount": True}]), "Item 1: the amount 'True'"),
        (json.dumps([{**GOOD, "amount": -1}]), "not between 0 and"),
        (json.dumps([{**GOOD, "amount": 2**64}]), "not between 0 and"),
        (json.dumps([GOOD, GOOD]), "Item 2 names .* again, which item 1 has"),
        (json.dumps([{**GOOD, "amount": 2**63}, {"address": wallet("bob"), "amount": 2**63}]), "more than one mint"),
        ("[]", "names nobody"),
        (json.dumps([{**GOOD, "amount": 0}]), "names nobody"),
    ],
)
def test_a_broken_list_is_refused_with_the_item_and_the_reason(content: str, told: str, tmp_path: Path) -> None:
    """Nothing is stored of a file that is no list of holders, and the message says where and why."""
    path = tmp_path / "list.json"
    path.write_text(content)
    with pytest.raises(CommandError, match=told):
        run(path)
    assert not HolderSnapshot.objects.exists()


def test_a_wrong_call_is_refused(tmp_path: Path) -> None:
    """A mint, a time, decimals or a file that cannot be one is said so."""
    path = tmp_path / "list.json"
    path.write_text(json.dumps([GOOD]))
    for options, told in (
        (["--at", "noon"], "is no time"),
        (["--decimals", "19"], "no whole number from 0 to 18"),
        (["--mint", "abc"], "is no mint"),
    ):
        with pytest.raises(CommandError, match=told):
            run(path, *options)
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "absent.json")
