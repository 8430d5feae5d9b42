"""Rules of the house that read the source: sizes, names, docstrings, the clock, money."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from tests import sources

SPEAKING = ("domain", "selectors", "services", "core", "clients")
"""Floors whose public functions and classes other rooms call."""
CLOCKS = re.compile(r"\b(?:timezone\.now|datetime\.(?:now|utcnow|today)|date\.today|time\.time(?:_ns)?)\(")
CLOCK_READERS = re.compile(r"megatron/core/(?:clock|ids)\.py|megatron/embedded/|/management/commands/|benchmarks/")
VAGUE = re.compile(r"^(?:utils?|helpers?|common|misc|(?:process|handle|manage)_\w+|\w+_(?:v2|new|fixed))$")


def name_of(path: Path) -> str:
    """Return a path as people write it."""
    return str(path.relative_to(sources.ROOT))


def definitions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield a module's functions and classes, and those inside its classes."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node
                if isinstance(node, ast.ClassDef):
                    waiting.append(node)


def our_models() -> list[type[models.Model]]:
    """Return the models of our rooms and of the cellar."""
    ours = {"core", *sources.ROOMS}
    return [model for model in apps.get_models() if model._meta.app_label in ours and "tests" not in model.__module__]


def test_a_module_is_read_in_one_sitting() -> None:
    """At most 400 lines, unless the first lines say why more."""
    long = []
    for path in sources.production():
        lines = path.read_text().splitlines()
        if len(lines) > 400 and not any(line.startswith("# long because") for line in lines[:5]):
            long.append(f"{name_of(path)}: {len(lines)}")
    assert long == []


def test_names_say_what_things_are() -> None:
    """No module, function or class has a name that fits anything, or that tells of its past."""
    vague = [name_of(path) for path in sources.production() if VAGUE.match(path.stem)]
    for path in sources.production():
        vague += [f"{name_of(path)}: {node.name}" for node in definitions(path) if VAGUE.match(node.name.lower())]
    assert vague == []


def test_what_others_call_explains_itself() -> None:
    """Each public function and class of the floors that other rooms use has a docstring."""
    silent = []
    for path in sources.production():
        parts = set(path.relative_to(sources.ROOT).with_suffix("").parts)
        if not set(SPEAKING) & parts or parts & {"admin", "apps", "management"}:
            continue
        tree = ast.parse(path.read_text())
        public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        silent += [
            f"{name_of(path)}: {node.name}"
            for node in public
            if not node.name.startswith("_") and not ast.get_docstring(node)
        ]
    assert silent == []


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model.__name__)
def test_a_model_says_its_four_facts(model: type[models.Model]) -> None:
    """What a row is, what makes it unique, who writes it and how long it is kept."""
    text = " ".join((model.__doc__ or "").split())
    found = [re.search(pattern, text) is not None for pattern in (r"^One row is ", r"Unique by ", r"[Ww]ritten by ")]
    assert [*found, "Kept" in text] == [True] * 4


def test_time_is_passed_in() -> None:
    """Only the clock, the keys, the commands' pacing and what runs before Django ask for the time."""
    readers = []
    for path in sources.production():
        if not CLOCK_READERS.search(name_of(path)):
            readers += [f"{name_of(path)}: {call}" for call in CLOCKS.findall(path.read_text())]
    assert readers == []


def test_no_column_holds_a_float() -> None:
    """Amounts, prices and scores are integers or decimals."""
    assert [
        str(field) for model in our_models() for field in model._meta.fields if isinstance(field, models.FloatField)
    ] == []
