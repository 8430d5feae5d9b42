"""``manage.py replay``: captures become rows."""

import gzip
import hashlib
import io
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests import recordings
from tests.recordings import HERE
from tests.tokens.commands.calling import call, captured, result
from tests.tokens.services.building import trade
from tests.tokens.services.capture import rows
from tokens.management.commands import replay
from tokens.models import CandleDue, RejectedMessage, StreamCursor, Transaction
from tokens.services import ingest

pytestmark = pytest.mark.django_db

RECORDED = HERE / "rows"
CANDLES = ("price_candles_1m", "price_candles_5m", "price_candles_1h", "price_candles_1d")


def test_a_recorded_capture_becomes_rows_and_candles() -> None:
    """The 999 recorded trades are stored, their candles computed, and the counts are printed as one JSON object."""
    told = result("replay", RECORDED)
    seconds, rate = told.pop("seconds"), told.pop("rows_per_second")
    assert told == {
        "messages": 999,
        "outcomes": {"events": 999},
        "events": {"buy": 511, "sell": 488},
        "transactions": 999,
        "duplicates": 0,
        "rejected": {},
        "undecodable": {},
        "drift": {},
        "tokens": 2,
        "pools": 2,
        "candles": sum(len(rows()[table]) for table in CANDLES),
    }
    assert rate == pytest.approx(999 / seconds, rel=0.05)
    assert Transaction.objects.count() == 999
    assert not CandleDue.objects.exists()


def test_a_replay_that_was_cut_short_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure in the middle the second run stores the rest, and the rows are those of one whole run."""
    call("replay", RECORDED)
    whole = rows()
    Transaction.objects.all().delete()
    store, batches = ingest.store, []

    def failing(**given: Any) -> Any:
        batches.append(given)
        if len(batches) == 2:
            raise ConnectionError("the database went away")
        return store(**given)

    monkeypatch.setattr(replay, "Player", partial(replay.Player, batch_events=300))
    monkeypatch.setattr(ingest, "store", failing)
    with pytest.raises(ConnectionError):
        call("replay", RECORDED)
    assert Transaction.objects.count() == 300
    told = result("replay", RECORDED)
    assert (told["transactions"], told["duplicates"]) == (699, 300)
    assert rows() == whole


def test_the_result_is_a_table_for_people(tmp_path: Path) -> None:
    """Without --json each count has its line, thousands apart."""
    printed = call("replay", captured(tmp_path / "one.jsonl", trade(0))).splitlines()
    lines = dict(line.strip().split(maxsplit=1) for line in printed)
    assert (lines["messages"], lines["events"], lines["transactions"], lines["rejected"]) == ("1", "1 buy", "1", "none")


def test_the_feed_keeps_its_position(tmp_path: Path) -> None:
    """--feed names the cursor."""
    call("replay", captured(tmp_path / "one.jsonl", trade(0), trade(7)), "--feed", "archive")
    assert list(StreamCursor.objects.values_list("source", "last_slot")) == [("archive", 400_000_007)]


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads standard input."""
    content = captured(tmp_path / "one.jsonl", trade(0)).read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert result("replay", "-")["transactions"] == 1


def test_a_broken_capture_keeps_what_it_held(tmp_path: Path) -> None:
    """A gzip that ends early yields its trades; the place where it broke is kept as a rejected message; exit is 1."""
    packed = gzip.compress(captured(tmp_path / "one.jsonl", *(trade(number) for number in range(50))).read_bytes())
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(packed[: len(packed) // 2])
    told = result("replay", broken, code=1)
    assert told["undecodable"] == {"cut": 1}
    assert told["rejected"] == {"undecodable": 1}
    assert 0 < told["transactions"] == Transaction.objects.count() < 50
    kept = RejectedMessage.objects.get()
    assert (kept.reason, kept.status, kept.source) == ("undecodable", "waiting", f"{broken}:{told['messages'] + 1}")
    assert kept.detail.startswith("cut: the file ends early or is damaged")


def test_an_undecodable_message_is_kept_and_the_rest_is_stored(tmp_path: Path) -> None:
    """Its bytes, its place and the reason are on file; the trades around it are stored; exit is 1."""
    path = captured(tmp_path / "three.jsonl", trade(0))
    path.write_bytes(path.read_bytes() + b'{"what": "is this"}\n' + captured(tmp_path / "b", trade(1)).read_bytes())
    told = result("replay", path, code=1)
    assert (told["messages"], told["transactions"], sum(told["undecodable"].values())) == (3, 2, 1)
    kept = RejectedMessage.objects.get()
    assert (bytes(kept.payload), kept.source) == (b'{"what": "is this"}', f"{path}:2")
    assert kept.digest == hashlib.sha256(b'{"what": "is this"}').hexdigest()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.jsonl",), "There is no file or folder nowhere.jsonl. Name files or folders that exist"),
    ],
)
def test_a_wrong_call_says_what_would_be_right(arguments: tuple[str | Path, ...], said: str) -> None:
    """Nothing is read, the exit code is 2 and the message says what to write."""
    with pytest.raises(CommandError, match=said) as refusal:
        call("replay", *arguments)
    assert refusal.value.returncode == 2
    assert not Transaction.objects.exists()


class Clock:
    """A monotonic clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 1_000.0, list[float]()

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass, and remember how many trades were stored before it did."""
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.mark.parametrize(("speed", "slept"), [("1", [10, 20]), ("10", [1, 2]), ("0", [])])
def test_a_replay_keeps_the_pace(
    speed: str, slept: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trades of 0, 10 and 30 seconds come 10 and 20 seconds apart, ten times as fast with 10; none is left out."""
    clock = Clock()
    monkeypatch.setattr(replay, "time", clock)
    path = captured(tmp_path / "three.jsonl", trade(0), trade(10), trade(30))
    assert result("replay", path, "--speed", speed)["transactions"] == 3
    assert clock.slept == slept


def test_the_recorded_frames_replay_without_the_unknown() -> None:
    """Every recorded frame is understood."""
    told = result("replay", HERE / "frames" / "logs-subscribe.jsonl")
    assert (told["messages"], told["undecodable"]) == (len(recordings.lines("frames/logs-subscribe.jsonl")), {})


UNKNOWN = b'{"signature": "x", "method": "tradesNotification", "trade": {"mint": "y"}}'


@pytest.mark.parametrize(
    "content", [UNKNOWN, json.dumps(json.loads(UNKNOWN), indent=2).encode()], ids=["line", "document"]
)
@pytest.mark.parametrize("command", ["replay", "decode"])
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_truth_06_an_object_of_an_unknown_form_says_so(
    command: str, way: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file and from standard input, decoded and replayed: the reason names the form, and the bytes are kept."""
    path: Path | str = tmp_path / "capture.json"
    (tmp_path / "capture.json").write_bytes(content)
    if way == "stdin":
        path = "-"
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit):
        call_command(command, str(path), "--json", stdout=out, stderr=err)
    told = json.loads((out if command == "replay" else err).getvalue())
    assert told["undecodable"] == {"unknown_form": 1}
    if command == "replay":
        kept = RejectedMessage.objects.get()
        assert "tradesNotification" in kept.detail
        assert bytes(kept.payload) == content
    else:
        assert "tradesNotification" in told["examples"]["unknown_form"]


def test_truth_15_a_long_signature_costs_its_own_message(tmp_path: Path) -> None:
    """Five frames, the third with a signature of 101 characters: four are stored, one is kept with the reason; exit is 1."""
    told = result("replay", HERE / "cases" / "long_signature.jsonl", code=1)
    assert (told["transactions"], told["rejected"], told["undecodable"]) == (
        4,
        {"undecodable": 1},
        {"bad_transaction": 1},
    )
    kept = RejectedMessage.objects.get()
    assert kept.status == "waiting"
    assert kept.detail.startswith("bad_transaction: no signature: '27n1tNLBMYbsU")


def test_truth_04_a_trade_of_the_future_is_not_stored(tmp_path: Path) -> None:
    """The trades around it are; exit is 1, and the message waits."""
    odd = trade(1, block_time=4_102_444_799, slot=400_000_001)
    told = result("replay", captured(tmp_path / "odd.jsonl", trade(0), odd, trade(2)), code=1)
    assert (told["transactions"], told["rejected"]) == (2, {"not_storable": 1})


def test_truth_15_nul_in_a_signature_stops_no_replay(tmp_path: Path) -> None:
    """NUL, which no text column takes, in a signature, in a name and between the messages."""
    lines = recordings.lines("cases/long_signature.jsonl")
    odd = lines[0].replace(b'"signature": "2', b'"signature": "\\u0000')
    path = tmp_path / "nul.jsonl"
    path.write_bytes(b"\n".join([lines[1], odd, b"\0\0\0", b'"\\ud800"', b"\xff\xfe", lines[3]]) + b"\n")
    told = result("replay", path, code=1)
    assert (told["transactions"], told["rejected"]) == (2, {"undecodable": 4})


def test_people_read_what_became_of_transactions_in_words(tmp_path: Path) -> None:
    """*failed* alone would be taken for a defect; programs keep the short names."""
    lines = call("replay", HERE / "frames")
    assert "failed on chain" in lines
    assert "node's replies" in lines
    assert not {"46 failed,", "control"} & set(lines.replace("\n", " ").split("  "))
    assert {"failed", "control"} <= set(result("replay", HERE / "frames")["outcomes"])
