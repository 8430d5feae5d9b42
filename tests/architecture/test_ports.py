"""Every port has adapters, every adapter keeps the port's promise and has its tests."""

import inspect
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from megatron.clients import ports

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
ADAPTERS = next(contract["protected_modules"] for contract in CONTRACTS if contract["id"] == "adapters")
PORTS = [
    port
    for _, port in inspect.getmembers(ports, inspect.isclass)
    if getattr(port, "_is_protocol", False) and port.__module__ == ports.__name__
]


def promises(port: type) -> dict[str, inspect.Signature]:
    """Return the methods of a port or of an adapter."""
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(port, inspect.isfunction)
        if not name.startswith("_")
    }


def adapters_of(port: type) -> list[type]:
    """Return the vendors' classes that say in their docstring that they are a ``port``."""
    classes = (inspect.getmembers(import_module(module), inspect.isclass) for module in ADAPTERS)
    return [kind for found in classes for _, kind in found if f".{port.__name__}`" in (kind.__doc__ or "")]


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_every_adapter_keeps_the_promise_of_its_port(port: type) -> None:
    """A port has an adapter, and each takes and returns what the port says."""
    adapters = adapters_of(port)
    assert adapters != []
    for adapter in adapters:
        kept = {name: signature for name, signature in promises(adapter).items() if name in promises(port)}
        assert kept == promises(port), adapter.__name__


@pytest.mark.parametrize("module", ADAPTERS)
def test_every_adapter_has_a_test_of_each_of_its_methods(module: str) -> None:
    """An adapter's tests ask it everything that its port can be asked."""
    text = (ROOT / "tests" / "clients" / f"test_{module.rsplit('.', 1)[1]}.py").read_text()
    names = {
        name
        for port in PORTS
        for adapter in adapters_of(port)
        if adapter.__module__ == module
        for name in promises(port)
    }
    assert names != set()
    assert {name for name in names if f".{name}(" not in text} == set()
