"""`make run` as a whole, with a stand-in for the project and for web, worker and beat."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import redis
from django.conf import settings

from megatron.embedded import house, state
from megatron.embedded.processes import command_of, wait_for

MANAGE = "import sys; open('steps', 'a').write(' '.join(sys.argv[1:]) + chr(10))"
SCRIPT = """
import sys
from pathlib import Path
from megatron.embedded import house, restarts

restarts.PAUSES = (0.2,) * 4

def commands(host, port):
    sleep = [sys.executable, "-c", "import os, time; print('pid', os.getpid(), flush=True); time.sleep(60)"]
    web = [sys.executable, "-m", "http.server", str(port), "--bind", host, "--directory", "public"]
    never = [sys.executable, "-c", "print('a setting is wrong'); raise SystemExit(3)"]
    return {"web": web, "worker": never if (Path(sys.argv[1]) / "never").exists() else sleep, "beat": sleep}

house.commands = commands
sys.exit(house.run(Path(sys.argv[1]), with_parent=False))
"""


class Run:
    """A started house and what it has printed so far."""

    started: ClassVar[list["subprocess.Popen[bytes]"]] = []

    def __init__(self, root: Path) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "PORT", "BIND")},
            "REDIS_URL": "",
            "DATABASE_URL": "",
            "DJANGO_SETTINGS_MODULE": "stand_in",
            "PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).resolve().parents[2]}",
        }
        self.log = root / "printed"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-c", SCRIPT, str(root)], stdout=output, stderr=output, env=environment
            )
        self.started.append(self.process)

    def has_printed(self, text: str, *, seconds: float = 40) -> bool:
        return wait_for(lambda: text in self.log.read_text() or self.process.poll() is not None, seconds=seconds) and (
            text in self.log.read_text()
        )

    def children(self) -> list[int]:
        return [int(line.split()[-1]) for line in self.log.read_text().splitlines() if "| pid " in line]


@pytest.fixture
def project(checkout: Path) -> Iterator[Path]:
    """Return a checkout with a manage.py that only writes down what it was asked."""
    (checkout / "manage.py").write_text(MANAGE)
    (checkout / "stand_in.py").write_text("INSTALLED_APPS = []\n")
    (checkout / "public").mkdir()
    state.write_private(state.operator_file(checkout), "operator a-secret\n")
    yield checkout
    while Run.started:
        process = Run.started.pop()
        process.kill()
        process.wait()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_house_starts_once_stops_cleanly_and_recovers_from_a_kill(project: Path) -> None:
    """Steps, then the address; a second start says so; SIGTERM and SIGKILL leave nothing; the next start works."""
    first = Run(project)
    assert first.has_printed("Megatron is up"), first.log.read_text()
    assert (project / "steps").read_text() == "migrate --verbosity 0\nseed --demo\n"
    assert "operator, its password is in .megatron/operator" in first.log.read_text()
    assert "a-secret" not in first.log.read_text()
    assert set(state.service_urls(project)) == {"DATABASE_URL", "REDIS_URL"}

    assert wait_for(lambda: len(first.children()) == 2 and "200 -" in first.log.read_text(), seconds=10)
    url = (project / ".megatron/run.lock").read_text()
    printed = first.log.read_text()
    second = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(project)], capture_output=True, text=True, check=False, cwd=os.getcwd()
    )
    assert (second.returncode, second.stdout) == (1, f"Megatron already runs from this checkout: {url}.\n")
    assert first.log.read_text() == printed

    children = first.children()
    assert len(children) == 2
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(30) == 0
    assert [is_gone(child) for child in children] == [True, True]
    assert state.service_urls(project) == {}

    third = Run(project)
    assert third.has_printed("Megatron is up"), third.log.read_text()
    assert wait_for(lambda: len(third.children()) == 2, seconds=10)
    children = third.children()
    third.process.kill()
    third.process.wait()
    assert wait_for(lambda: all(map(is_gone, children)), seconds=10)
    assert wait_for(lambda: state.service_urls(project) == {}, seconds=10)


def test_shield_07_each_process_is_killed_once_and_comes_back(project: Path) -> None:
    """SIGKILL of a command, of a keeper and of both servers: the house goes on, and ends without leaving anything."""
    run = Run(project)
    assert run.has_printed("Megatron is up"), run.log.read_text()
    assert wait_for(lambda: len(run.children()) == 2, seconds=10)
    killed = run.children()
    for number, child in enumerate(killed, 3):
        os.kill(child, signal.SIGKILL)
        assert wait_for(lambda number=number: len(run.children()) == number, seconds=20)  # type: ignore[misc]
    web = next(pid for pid in every_pid() if f"http.server {port_of(project)}" in command_of(pid))
    os.kill(web, signal.SIGKILL)
    assert run.has_printed("web ended by SIGKILL; starting it again"), run.log.read_text()
    assert wait_for(
        lambda: any(f"http.server {port_of(project)}" in command_of(pid) for pid in every_pid()), seconds=20
    )

    urls = state.service_urls(project)
    servers = servers_of(project)
    assert len(servers) == 2
    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: len(servers_of(project) - servers) == 2, seconds=40)
    assert wait_for(lambda: state.service_urls(project) == urls, seconds=40)
    for name in ("postgres", "valkey"):
        assert run.has_printed(f"{name} ended by SIGKILL; starting it again in 1 s."), run.log.read_text()
        assert run.has_printed(f"{name} is back."), run.log.read_text()
    keeper = next(pid for pid in every_pid() if f"keep valkey {project}" in command_of(pid))
    os.kill(keeper, signal.SIGKILL)
    assert wait_for(
        lambda: any(f"keep valkey {project}" in command_of(pid) for pid in every_pid() if pid != keeper), seconds=30
    )
    assert wait_for(lambda: state.service_urls(project) == urls, seconds=40)

    assert run.process.poll() is None, run.log.read_text()
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(30) == 0
    assert [pid for pid in every_pid() if str(project) in command_of(pid)] == []
    assert all(is_gone(child) for child in run.children())


def test_shield_07_a_command_that_can_never_start_ends_the_house(project: Path) -> None:
    """The sentence names the command, its last words and its log; the exit code is not 0 and nothing is left."""
    (project / "never").touch()
    run = Run(project)
    assert run.process.wait(60) == 1
    told = run.log.read_text()
    assert "worker failed 5 times soon after its start and ended with code 3; stopping everything." in told
    assert "    a setting is wrong\n" in told
    assert f"Its log is {project / '.megatron/logs/worker.log'}." in told
    assert all(is_gone(child) for child in run.children())
    assert state.service_urls(project) == {}


def every_pid() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def port_of(project: Path) -> str:
    return (project / ".megatron/run.lock").read_text().rstrip("/").rpartition(":")[2]


def servers_of(project: Path) -> set[int]:
    """Return the processes of this checkout's PostgreSQL and Valkey that serve."""
    urls = state.service_urls(project)
    found = set()
    try:
        found.add(int((project / ".megatron/postgres/data/postmaster.pid").read_text().splitlines()[0]))
        with redis.Redis.from_url(urls["REDIS_URL"]) as server:
            found.add(int(server.info("server")["process_id"]))
    except (OSError, LookupError, ValueError, redis.RedisError):
        pass
    return found


def test_a_failing_step_stops_the_start(project: Path) -> None:
    """A seed that fails ends the start with code 1 and a sentence, and the services stop again."""
    (project / "manage.py").write_text(MANAGE + "; sys.exit(5 if sys.argv[1] == 'seed' else 0)")
    run = Run(project)
    assert run.process.wait(40) == 1
    assert "`manage.py seed --demo` failed with code 5; the lines above say why." in run.log.read_text()
    assert state.service_urls(project) == {}


def test_every_queue_has_a_worker() -> None:
    """`make run` starts a worker for what waits for strangers and one for all else, a web server where it was told, and
    one beat."""
    commands = house.commands("127.0.0.1", 8123)
    assert list(commands) == ["web", "worker", "outside", "beat"]
    assert "stream,score,chain,money,slow" in commands["worker"]
    assert "outside" in commands["outside"]
    assert {queue for queue, _, _ in settings.BEAT.values()} <= {*house.QUEUES, house.OUTSIDE}
    assert commands["web"][commands["web"].index("--port") + 1] == "8123"
