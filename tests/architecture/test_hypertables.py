"""Every statement on a hypertable is known to the community lane, and bounds the time by a constant."""

import importlib
import pkgutil
from collections.abc import Iterator

import holders.services
import scoring.services
import tokens.services
from tests import history, hypertables
from tests.hypertables import Notes

ROOMS = (tokens.services, holders.services, scoring.services)
BOTH = "INSERT INTO transactions (id) SELECT id FROM unnest(%s::uuid[]) AS k(id)"


def statements() -> Iterator[tuple[str, str]]:
    """Yield each text of our services that may be a statement, with where it stands."""
    for room in ROOMS:
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            for name, text in vars(importlib.import_module(found.name)).items():
                if isinstance(text, str) and not name.startswith("__"):
                    yield f"{found.name}.{name}", text.replace("{table}", "price_candles_1m")


def test_endurance_03_every_update_and_delete_bounds_the_time() -> None:
    """A constant on the time column stands in each that a service has: a join bounds nothing for TimescaleDB."""
    tables = history.hypertables().values()
    writing = [(where, text) for where, text in statements() if hypertables.touched(text)[0]]
    assert len(writing) > 10
    lacking = [
        where for where, text in writing for one in tables if not hypertables.is_bound(text, one.table, one.time)
    ]
    assert lacking == []


def test_endurance_03_what_bounds_the_time() -> None:
    """A comparison of the time column with a value; not one with another column."""
    assert hypertables.is_bound("DELETE FROM transactions WHERE block_time >= %(first)s", "transactions", "block_time")
    assert hypertables.is_bound(
        "UPDATE transactions t SET slot = 1 WHERE t.block_time = %s", "transactions", "block_time"
    )
    joined = "UPDATE transactions t SET slot = 1 FROM k WHERE t.block_time = k.at"
    assert not hypertables.is_bound(joined, "transactions", "block_time")
    assert not hypertables.is_bound("DELETE FROM transactions WHERE slot = %s", "transactions", "block_time")
    assert hypertables.is_bound(BOTH, "transactions", "block_time")


def test_endurance_04_the_history_has_every_hypertable() -> None:
    """A hypertable that is added gets its compressed past too."""
    assert history.hypertables().keys() == history._ONE.keys()


def test_endurance_04_a_statement_is_known_by_what_does_not_change() -> None:
    """How many values are given, and which, makes no other statement."""
    one = hypertables.key_of("DELETE FROM transactions WHERE id IN (%s, %s) AND slot > 12")
    assert one == hypertables.key_of("DELETE FROM transactions\n WHERE id IN (%s) AND slot > 7")
    assert one != hypertables.key_of("DELETE FROM transactions WHERE id IN (%s)")
    assert hypertables.touched(BOTH) == ({"transactions"}, {"transactions"})
    assert hypertables.touched("SELECT FROM transactions FOR UPDATE") == (frozenset(), {"transactions"})
    assert hypertables.touched("UPDATE tokens SET name = %s") == (frozenset(), frozenset())


def test_endurance_04_the_lane_runs_a_test_of_every_writing_statement() -> None:
    """What the marked tests leave out others bring, those that bring more in less time; never one of several sessions."""
    notes = Notes()
    for key, writes in (("a", ["transactions"]), ("b", ["transactions"]), ("c", ["price_candles_1m"]), ("d", [])):
        notes.statements[key] = {"writes": writes, "reads": [], "text": key}
    for test, keys, seconds in (
        ("marked", "a", 1),
        ("slow", "bc", 90),
        ("b", "b", 1),
        ("c", "cd", 1),
        ("reads", "d", 1),
        ("threads", "bc", 0),
    ):
        notes.tests[test] = {"statements": list(keys), "sessions": 0, "seconds": seconds}
    able = {"marked", "slow", "b", "c", "reads", "untouched"}
    assert hypertables.choose(notes, running={"marked"}, able=able, everything=False) == {"b", "c"}
    assert hypertables.choose(notes, running={"marked"}, able=able, everything=True) == able - {"untouched"}
