"""Every option of every command of ours is checked before anything begins."""

import argparse
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, get_commands, load_command_class

OURS = ("megatron.core", "tokens", "holders", "scoring", "rewards", "walltrack")
ABSURD = ("nan", "inf", "-inf", "-1", "1e400", "9" * 30, "1_0", "٣", "", "x", "\x00", "1" * 5_000)


def actions() -> Iterator[tuple[str, argparse.Action]]:
    """Yield each command's name with each of its own options, those of subcommands too."""
    for name, app in sorted(get_commands().items()):
        if app in OURS:
            parser = load_command_class(app, name).create_parser("manage.py", name)
            theirs = {"version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color"}
            waiting = list(parser._actions)
            while waiting:
                action = waiting.pop()
                if isinstance(action, argparse._SubParsersAction):
                    waiting.extend(one for sub in action.choices.values() for one in sub._actions)
                elif action.dest not in theirs and action.dest not in ("help", "skip_checks"):
                    yield name, action


def test_shield_08_no_number_is_taken_unchecked() -> None:
    """Neither int nor float is the type of an option: they take nan, inf, negative and absurd numbers."""
    assert [(name, it.dest) for name, it in actions() if it.type in (int, float)] == []


def test_shield_08_every_number_is_finite_and_within_its_range() -> None:
    """Each of the absurd values is refused by each numeric option, in a sentence that is not as long as the value."""
    numeric = [(name, it) for name, it in actions() if callable(it.type) and "number" in it.type.__qualname__]
    assert {(name, it.dest) for name, it in numeric} >= {
        ("replay", "speed"),
        ("analyse", "limit"),
        ("api_key", "rate"),
        ("api_key", "days"),
        ("backfill", "from_slot"),
        ("backfill", "to_slot"),
        ("import_holders", "slot"),
        ("import_holders", "decimals"),
    }
    for _, action in numeric:
        for text in ABSURD:
            with pytest.raises(argparse.ArgumentTypeError, match=r"is no (whole )?number from") as refusal:
                action.type(text)  # type: ignore[operator, misc]  # callable, as filtered above
            assert len(str(refusal.value)) < 300


def test_shield_08_texts_that_are_stored_can_be_stored() -> None:
    """Too long, empty, control characters, NUL and broken UTF-8 are refused."""
    texts = [(name, it) for name, it in actions() if callable(it.type) and "words" in it.type.__qualname__]
    wanted = {
        ("replay", "feed"),
        ("backfill", "reason"),
        ("api_key", "name"),
        ("api_key", "reason"),
        ("analyse", "mints"),
    }
    assert {(name, it.dest) for name, it in texts} >= wanted
    for _, action in texts:
        for text in ("x" * 501, "", " ", "a\x00b", "a\nb", "\x1b[31m", "\udcff"):
            with pytest.raises(argparse.ArgumentTypeError, match="printable characters") as refusal:
                action.type(text)  # type: ignore[operator, misc]
            assert str(refusal.value).isascii()


@pytest.mark.parametrize("arguments", [["--speed", "nan"], ["--speed", "inf"], ["--speed=-1"], ["--feed", "x" * 101]])
def test_shield_08_a_replay_is_refused_before_it_begins(arguments: list[str]) -> None:
    """The parser's own error, which is exit code 2 at a terminal."""
    command = load_command_class("tokens", "replay")
    command._called_from_command_line = False
    with pytest.raises(CommandError, match="is no "):
        command.create_parser("manage.py", "replay").parse_args(["capture", *arguments])
