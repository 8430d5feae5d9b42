"""What imports cannot say about the floors of a room: how services are asked, how words and rules are named."""

import ast
import re

import pytest
from django.apps import apps
from django.db import models

from tests import sources


def test_a_service_is_asked_by_name() -> None:
    """The public functions of services take keyword-only arguments, but for the one thing that they are about."""
    positional = []
    for path in sources.production():
        if path.name == "__init__.py" or path.parent.name != "services":
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                many = len(node.args.posonlyargs + node.args.args) > 1
                positional += [f"{path.parent.parent.name}.{path.stem}.{node.name}"] if many else []
    assert positional == []


TABLES = [model for model in apps.get_models() if model._meta.app_label in {"core", *sources.ROOMS}]


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_a_models_rules_have_names_of_their_own(model: type[models.Model]) -> None:
    """A constraint's name says the broken wish, and an index begins with idx_."""
    assert all(index.name.startswith("idx_") for index in model._meta.indexes)
    assert all(not re.search(r"_[0-9a-f]{6,}$", constraint.name) for constraint in model._meta.constraints)


def test_choices_know_only_djangos_enums() -> None:
    """The words of a room are TextChoices and IntegerChoices, and nothing else of Django."""
    for path in (path for path in sources.production() if path.name == "choices.py"):
        nodes = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert {alias.name for node in nodes for alias in node.names} <= {"TextChoices", "IntegerChoices"}, path
