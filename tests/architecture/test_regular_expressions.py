"""Every regular expression that sees what strangers wrote: its work grows as the text does, proven for each."""

import ast
import gc
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.validators import EmailValidator, RegexValidator
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from tests.backtracking import NotUnderstood, overlap

ROOT = Path(__file__).parents[2]
ROOMS = ("megatron", "tokens", "holders", "scoring", "rewards", "walltrack")
ANYWHERE = {"search", "sub", "subn", "split", "findall", "finditer"}
TAKES_A_PATTERN = {"compile", "match", "fullmatch", *ANYWHERE}

BUILT = {
    # Fixed words, and none of them is repeated.
    "megatron/core/redaction.py": '"|".join(map(re.escape, worth))',
}
"""Expressions that are built while the house runs; everything else is written down and proven."""

UNREACHED = {"address console/r/<path:content_type_id>/<path:object_id>/"}
"""Django's address for "view on site", which the console has not: another address stands before it and takes all."""

OLD_NAMES = (
    r"api[-_]?key|access[-_]?key|x[-_]token|[a-z_-]*token|[a-z_-]*secret(?:[-_]key)?|[a-z_-]*passw(?:or)?d|passphrase|"
    r"private[-_]?key|authorization|cookie|set-cookie|credentials?|keypair|mnemonic|seed[-_]phrase"
)


class Calls(ast.NodeVisitor):
    """Finds the calls of ``re``, and how the patterns that a module names are used."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str, str, ast.expr, ast.expr | None]] = []
        self.used: dict[str, set[str]] = {}
        self._name = ""

    def visit_Assign(self, node: ast.Assign) -> None:
        self._named(node, node.targets[0])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._named(node, node.target)

    def _named(self, node: ast.AST, target: ast.expr) -> None:
        self._name = target.id if isinstance(target, ast.Name) else ""
        self.generic_visit(node)
        self._name = ""

    def visit_Attribute(self, node: ast.Attribute) -> None:
        of = node.value.value if isinstance(node.value, ast.Subscript) else node.value
        if isinstance(of, ast.Name):
            self.used.setdefault(of.id, set()).add(node.attr)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in TAKES_A_PATTERN and ast.unparse(called.value) == "re":
            flags = next((it.value for it in node.keywords if it.arg == "flags"), None)
            place = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(called.attr, 2)
            if len(node.args) > place:
                flags = node.args[place]
            self.found.append((node.lineno, self._name, called.attr, node.args[0], flags))
        self.generic_visit(node)


def of_the_code() -> Iterator[tuple[str, Any, set[str]]]:
    """Yield where each expression of our own code stands, the expression, and how it is used."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text()
            name = str(path.relative_to(ROOT))
            assert "from re import" not in text, f"{name}: write re.compile, so that this test finds it"
            if "re." not in text or "import re\n" not in text:
                continue
            calls = Calls()
            calls.visit(ast.parse(text))
            names = vars(importlib.import_module(name.removesuffix(".py").replace("/", ".")))
            for line, target, how, written, flags in calls.found:
                if ast.unparse(written) == ast.unparse(ast.parse(BUILT.get(name, "0"), mode="eval").body):
                    continue
                worth = [_value(it, names, f"{name}:{line}") for it in (written, flags) if it is not None]
                uses = (calls.used.get(target) or {"search"}) if how == "compile" else {how}
                yield f"{name}:{line}", re.compile(*worth), uses


def _value(node: ast.expr, names: dict[str, Any], place: str) -> Any:
    try:
        return eval(compile(ast.Expression(node), place, "eval"), names)
    except Exception:  # noqa: BLE001
        pytest.fail(f"{place} builds its expression while it runs: write it down, or say in BUILT why it is harmless")


def of_the_addresses(patterns: list[Any], before: str = "") -> Iterator[tuple[str, Any, set[str]]]:
    for entry in patterns:
        assert isinstance(entry, URLPattern | URLResolver)
        compiled, place = entry.pattern.regex, f"address {before}{entry.pattern}"
        # As django.urls.resolvers.RegexPattern.match does it.
        whole = isinstance(entry, URLPattern) and compiled.pattern.endswith("$")
        if place not in UNREACHED:
            yield place, re.compile(compiled.pattern, compiled.flags), {"fullmatch" if whole else "search"}
        if isinstance(entry, URLResolver):
            yield from of_the_addresses(entry.url_patterns, f"{before}{entry.pattern}")


def of_the_validators() -> Iterator[tuple[str, Any, set[str]]]:
    for found in gc.get_objects():
        # Its type: others of these objects are lazy, and would look up what they stand for.
        if issubclass(type(found), RegexValidator):
            pattern: Any = found.regex
            yield f"validator {pattern.pattern}", re.compile(pattern.pattern, pattern.flags), {"search"}
        elif issubclass(type(found), EmailValidator):
            # Its expressions look ahead; it refuses what is longer than 320 characters before it asks them.
            with pytest.raises(Exception, match="valid email"):
                found("a" * 400 + "@example.com")


def faults(patterns: Iterator[tuple[str, Any, set[str]]]) -> tuple[int, dict[str, str]]:
    count, found = 0, {}
    for place, pattern, uses in patterns:
        count += 1
        # Where its use is not plain to see it may be any.
        anchored = uses <= {"match", "fullmatch", "groupindex", "pattern"}
        try:
            why = overlap(pattern, anywhere=not anchored, whole="fullmatch" in uses)
        except NotUnderstood as refusal:
            why = str(refusal)
        if why:
            found[place] = f"{pattern.pattern!r}: {why}"
    return count, found


def test_shield_04_every_expression_of_the_code_is_linear() -> None:
    """Each call of ``re`` in the code is found, and no loop of it reads what another has read."""
    count, found = faults(of_the_code())
    assert found == {}
    assert count >= 35


def test_shield_04_every_address_and_validator_is_linear() -> None:
    """So are the addresses of the console, the API and other packages, and every validator that is alive."""
    count, found = faults(of_the_addresses(list(get_resolver().url_patterns)))
    assert found == {}
    assert count >= 300
    for address in ("/console/r/1/2/", "/console/r/" + "/" * 500):
        assert resolve(address).url_name == "no_view_on_site"
    count, found = faults(of_the_validators())
    assert found == {}
    assert count >= 2


@pytest.mark.parametrize(
    ("pattern", "anywhere"),
    [
        # as they stood in the redactor
        (r"(?P<keep>[a-z][a-z0-9+.-]*://)[^/\s@\"'<>]*@", True),
        (rf"(?P<keep>(?<![a-z0-9])(?:{OLD_NAMES})=)[^&\s\"'<>#]+", True),
        (rf"(?P<keep>[\"'](?:{OLD_NAMES})[\"']\s*:\s*)(?P<quote>[\"']).*?(?P=quote)", True),
        (rf"(?:.*[-_.])?(?:{OLD_NAMES})", False),
        # the textbook's
        (r"(a+)+b", False),
        (r"(a*)*b", False),
        (r"(a|a)*b", False),
        (r"(?:(?:|)a)*b", False),
        (r"\s*,?\s*x", False),
        (r".*foo", True),
        (r"a(?:.*b)?", True),
    ],
)
def test_shield_04_the_proof_finds_what_is_not_linear(pattern: str, anywhere: bool) -> None:
    """The redactor's old expressions and the textbook's bad ones are refused."""
    _, found = faults(iter([("here", re.compile(pattern, re.IGNORECASE), {"search"} if anywhere else {"fullmatch"})]))
    assert found


@pytest.mark.parametrize(
    ("pattern", "anywhere"),
    [
        (r"[a-z]+", True),
        (r".*foo", False),
        (r"x[0-9]{8,}", True),
        (r"(?<![a-z])[a-z]*=", True),
        (r"(?:ab|a)*c", False),
        (r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", False),
    ],
)
def test_shield_04_the_proof_lets_linear_expressions_pass(pattern: str, anywhere: bool) -> None:
    """What begins once, or where its own text cannot, is not refused."""
    assert overlap(re.compile(pattern), anywhere=anywhere, whole=not anywhere) == ""
