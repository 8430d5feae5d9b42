"""The contracts on imports in pyproject.toml: each bites, and together they see every package."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import grimp
import pytest
from django.apps import apps
from importlinter import Contract
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract

ROOT = Path(__file__).parents[2]
KINDS: dict[str, type[Contract]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "layers": LayersContract,
    "protected": ProtectedContract,
}
CONFIGURATION = read_configuration(str(ROOT / "pyproject.toml"))
CONTRACTS: dict[str, dict[str, Any]] = {options["id"]: options for options in CONFIGURATION["contracts_options"]}

FORBIDDEN = [
    ("floors", "tokens.services.prices", "tokens.tasks"),
    ("floors", "tokens.selectors.trades", "tokens.services.prices"),
    ("floors", "tokens.models.token", "tokens.selectors.trades"),
    ("floors", "tokens.domain.curve", "tokens.models.token"),
    ("floors", "tokens.choices", "tokens.domain.curve"),
    ("floors", "tokens.admin.token", "tokens.api.views"),
    ("floors", "tokens.helpers", "tokens.choices"),  # a floor that the house does not have
    ("rooms", "tokens.selectors.trades", "scoring.services"),
    ("rooms", "holders.services", "scoring.services"),
    ("rooms", "walltrack.services", "rewards.services"),
    ("rooms", "rewards.services", "walltrack.services"),
    ("rooms", "megatron.clients.ports", "tokens.models.token"),
    ("rooms", "megatron.core.queue", "megatron.clients.ports"),
    ("rooms", "megatron.core.queue", "tokens.models.token"),
    ("rooms", "tokens.services.prices", "megatron.settings.base"),
    ("doors", "holders.services", "tokens.tasks"),
    ("doors", "scoring.services", "tokens.api.serializers"),
    ("doors", "megatron.console.page", "tokens.admin.token"),
    *(("purity", "tokens.domain.curve", module) for module in ("django.db", "httpx", "psycopg", "redis", "time", "os")),
    ("purity", "tokens.domain.curve", "megatron.clients.ports"),
    ("adapters", "tokens.tasks", "megatron.clients.solana_rpc"),
    ("adapters", "tokens.services.prices", "megatron.clients.solana_rpc"),
    ("clients", "tokens.services.prices", "megatron.clients.registry"),
    ("clients", "tokens.selectors.trades", "megatron.clients.captures"),
    *(
        ("clock", module, "megatron.core.clock")
        for module in (
            "tokens.choices",
            "tokens.domain.curve",
            "tokens.models.token",
            "tokens.selectors.trades",
            "tokens.services.prices",
        )
    ),
    ("clock", "tokens.services.prices", "megatron.core.health"),  # which reads the clock
    ("cycles", "tokens.domain.events", "tokens.domain.facts"),
    ("cycles", "megatron.core.ids", "megatron.core.models"),
]
"""Contract, who imports, what: each alone breaks that contract."""

BESIDE_ADAPTERS = {
    "bounds",
    "block_times",
    "budget",
    "captures",
    "counting",
    "costs",
    "errors",
    "file_stream",
    "gateways",
    "http",
    "jsonrpc",
    "meter",
    "ports",
    "protocols",
    "public",
    "reconnection",
    "registry",
    "replies",
    "signatures",
    "stream_account",
    "subscriptions",
    "token_accounts",
    "websocket",
    "yellowstone_json",
}
"""What ``megatron.clients`` has beside the vendors."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        *CONFIGURATION["session_options"]["root_packages"], include_external_packages=True, cache_dir=None
    )


def kept(name: str, graph: grimp.ImportGraph) -> bool:
    """Return whether the contract holds on a copy of ``graph``."""
    options = CONTRACTS[name]
    contract = KINDS[options["type"]](
        name=options["name"], session_options=CONFIGURATION["session_options"], contract_options=options
    )
    return contract.check(deepcopy(graph), verbose=False).kept


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_is_kept(name: str, graph: grimp.ImportGraph) -> None:
    """Each contract holds."""
    assert kept(name, graph)


@pytest.mark.parametrize(("name", "importer", "imported"), FORBIDDEN, ids=[" ".join(case) for case in FORBIDDEN])
def test_a_contract_bites(name: str, importer: str, imported: str, graph: grimp.ImportGraph) -> None:
    """Each contract is broken by one import that it forbids."""
    changed = deepcopy(graph)
    package = imported.split(".", maxsplit=1)[0]
    if package not in CONFIGURATION["session_options"]["root_packages"]:
        imported = package
        changed.add_module(imported, is_squashed=True)
    changed.add_import(importer=importer, imported=imported)
    assert not kept(name, changed)


def test_each_contract_is_tried() -> None:
    """No contract is without an import that it refuses."""
    assert {name for name, _, _ in FORBIDDEN} == set(CONTRACTS)


def test_every_package_is_covered(graph: grimp.ImportGraph) -> None:
    """Each package of ours is a root of the contracts, and each part of ``megatron`` has its place in their order."""
    roots = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks"}
    assert set(CONFIGURATION["session_options"]["root_packages"]) == roots
    order = " ".join(CONTRACTS["rooms"]["layers"]).replace("|", " ").replace(":", " ").split()
    assert set(order) == {*graph.find_children("megatron"), *(roots - {"megatron"})}
    rooms = {app.name for app in apps.get_app_configs() if app.name in roots}
    assert set(CONTRACTS["floors"]["containers"]) == rooms


def test_every_vendor_is_behind_the_registry(graph: grimp.ImportGraph) -> None:
    """Each module of ``megatron.clients`` is known to be no adapter, or is protected as one."""
    modules = {module.rsplit(".", maxsplit=1)[1] for module in graph.find_children("megatron.clients")}
    protected = {module.rsplit(".", maxsplit=1)[1] for module in CONTRACTS["adapters"]["protected_modules"]}
    assert modules == BESIDE_ADAPTERS | protected
