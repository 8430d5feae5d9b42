"""What every page of the console shows."""

from django.conf import settings
from django.http import HttpRequest

from tokens.selectors import alerts, desk


def environment(request: HttpRequest) -> list[str]:
    """Return the label in the corner of every page: which installation this is, and whether money moves."""
    live = settings.CONSOLE_MODE == "live"
    return [f"{settings.CONSOLE_ENVIRONMENT} · {settings.CONSOLE_MODE.upper()}", "danger" if live else "success"]


def title_prefix(request: HttpRequest) -> str:
    """Return what stands before the title in the browser's tab: nothing in simulation, a warning where money moves."""
    return "[LIVE]" if settings.CONSOLE_MODE == "live" else ""


def waiting_rejections(request: HttpRequest) -> str:
    """Return how many rejected messages wait, for the navigation; nothing at all for none."""
    count = desk.count_waiting_rejections()
    if not count:
        return ""
    return f"{count:,}" if count < desk.COUNT_LIMIT else f"{desk.COUNT_LIMIT:,}+"


def calling_alerts(request: HttpRequest) -> str:
    """Return how many open alerts nobody has acknowledged, for the navigation; nothing at all for none."""
    count = alerts.count_calling()
    return str(count) if count else ""
