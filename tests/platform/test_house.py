"""`make run` as a whole, with a stand-in for the project and for web, worker and beat."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from megatron.embedded import house, state
from megatron.embedded.processes import wait_for

MANAGE = "import sys; open('steps', 'a').write(' '.join(sys.argv[1:]) + chr(10))"
SCRIPT = """
import sys
from pathlib import Path
from megatron.embedded import house

def commands(host, port):
    sleep = [sys.executable, "-c", "import os, time; print('pid', os.getpid(), flush=True); time.sleep(60)"]
    web = [sys.executable, "-m", "http.server", str(port), "--bind", host, "--directory", "public"]
    return {"web": web, "worker": sleep, "beat": sleep}

house.commands = commands
sys.exit(house.run(Path(sys.argv[1]), with_parent=False))
"""


class Run:
    """A started house and what it has printed so far."""

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

    def has_printed(self, text: str, *, seconds: float = 40) -> bool:
        return wait_for(lambda: text in self.log.read_text() or self.process.poll() is not None, seconds=seconds) and (
            text in self.log.read_text()
        )

    def children(self) -> list[int]:
        return [int(line.split()[-1]) for line in self.log.read_text().splitlines() if "| pid " in line]


@pytest.fixture
def project(checkout: Path) -> Path:
    """Return a checkout with a manage.py that only writes down what it was asked."""
    (checkout / "manage.py").write_text(MANAGE)
    (checkout / "stand_in.py").write_text("INSTALLED_APPS = []\n")
    (checkout / "public").mkdir()
    state.write_private(state.operator_file(checkout), "operator a-secret\n")
    return checkout


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
