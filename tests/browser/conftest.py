"""A real Chromium that visits the real pages; whatever it complains about fails the test."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

_Answer = TypeVar("_Answer")


def _chromium() -> str:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("The browser tests need Chromium: install the package `chromium`, or set CHROMIUM to its path.")
    return path


class Operator:
    """A browser in a thread of its own: beside Playwright's event loop Django would refuse the database."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._playwright = self._thread.submit(lambda: sync_playwright().start()).result()
        self.browser: Browser = self.run(
            lambda: self._playwright.chromium.launch(executable_path=_chromium(), args=FLAGS, timeout=60_000)
        )

    def run(self, step: Callable[[], _Answer]) -> _Answer:
        """Run ``step`` where the browser lives and return its answer."""
        return self._thread.submit(step).result(timeout=120)

    def close(self) -> None:
        """End the browser and its thread."""
        self.run(self.browser.close)
        self.run(self._playwright.stop)
        self._thread.shutdown()


@dataclass
class Visit:
    """One browser tab, signed in or not, and everything that went wrong in it."""

    operator: Operator
    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def do(self, steps: Callable[[Page], _Answer]) -> _Answer:
        """Run ``steps`` on the page and return their answer."""
        return self.operator.run(lambda: steps(self.page))

    def open(self, path: str) -> int:
        """Open ``path``, wait until the network is quiet, and return the status."""

        def steps(page: Page) -> int:
            answer = page.goto(self.base + path)
            page.wait_for_load_state("networkidle")
            self.complaints += page.evaluate("window.violations")
            return answer.status if answer else 0

        return self.do(steps)


@pytest.fixture(scope="session")
def operator() -> Iterator[Operator]:
    made = Operator()
    yield made
    made.close()


@pytest.fixture
def visit(operator: Operator, live_server: Any) -> Iterator[Callable[..., Visit]]:
    """Return what opens a tab: ``visit(user=…, width=…, scheme="dark")``. Complaints fail the test at its end."""
    opened: list[Visit] = []

    def start(*, user: Any = None, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Visit:
        def steps() -> Visit:
            tab = operator.browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            tab.add_init_script(WATCH)
            made = Visit(operator, tab.new_page(), live_server.url)
            made.page.set_default_timeout(20_000)
            made.page.on("console", lambda said: made.complaints.append(said.text) if _is_complaint(said) else None)
            made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
            made.page.on(
                "request", lambda request: made.complaints.append(request.url) if _is_elsewhere(request.url) else None
            )
            return made

        def _is_complaint(said: Any) -> bool:
            # Chromium's advice about reading pixels is about the tests, which read them.
            return said.type in ("error", "warning") and "willReadFrequently" not in said.text

        def _is_elsewhere(url: str) -> bool:
            return urlsplit(url).scheme not in ("data", "blob") and not url.startswith(live_server.url)

        made = operator.run(steps)
        opened.append(made)
        if user is not None:
            client = Client()
            client.force_login(user)
            key = client.cookies["sessionid"].value
            made.do(
                lambda page: page.context.add_cookies([{"name": "sessionid", "value": key, "url": live_server.url}])
            )
        return made

    yield start
    for tab in opened:
        tab.do(lambda page: page.context.close())
    assert [complaint for tab in opened for complaint in tab.complaints] == []
