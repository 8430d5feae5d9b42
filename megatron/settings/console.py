"""The operator's console (django-unfold)."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

from megatron.settings.base import MODE, env

CONSOLE_MODE = MODE
CONSOLE_ENVIRONMENT = env.str("ENVIRONMENT", default="local")
"""Shown beside the mode on every page, so that nobody mistakes one installation for another."""

LOGIN_REDIRECT_URL = "admin:index"
FORMAT_MODULE_PATH = ["megatron.console.formats"]


def _static(path: str) -> Callable[[HttpRequest], str]:
    """Return what finds a static file when a page asks for it, not when settings load."""
    return lambda _request: static(path)


def _list(title: str, icon: str, model: str, badge: str = "") -> dict[str, Any]:
    """Return the navigation's link to the list of ``model`` (``tokens.token``), shown to those who may view it."""
    app, name = model.split(".")
    link = {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }
    return link | ({"badge": badge, "badge_variant": "danger"} if badge else {})


# One group a question, so that an operator finds a page by what he wants to know.
_NAVIGATION = [
    {
        "title": "What needs me?",
        "items": [
            {"title": "Overview", "icon": "radar", "link": reverse_lazy("admin:index")},
            _list("Alerts", "notifications", "tokens.operatoralert", "megatron.console.page.calling_alerts"),
            _list("Rejected messages", "report", "tokens.rejectedmessage", "megatron.console.page.waiting_rejections"),
            _list("Gaps", "data_alert", "tokens.slotgap"),
            _list("Candles due", "pending_actions", "tokens.candledue"),
        ],
    },
    {
        "title": "What is moving?",
        "separator": True,
        "items": [
            _list("Tokens", "token", "tokens.token"),
            _list("Pools", "water_drop", "tokens.pool"),
            _list("Transactions", "swap_vert", "tokens.transaction"),
            _list("Milestones", "flag", "tokens.poolmilestone"),
            _list("Metadata", "description", "tokens.tokenmetadata"),
        ],
    },
    {
        "title": "How good are they?",
        "separator": True,
        "items": [
            _list("Scores", "leaderboard", "scoring.latesttokenscore"),
            _list("Score history", "timeline", "scoring.tokenscore"),
            _list("Score policies", "rule_settings", "scoring.scorepolicy"),
            _list("Sell-offs", "trending_down", "scoring.selloffevent"),
            _list("Markets", "monitoring", "scoring.technicalscore"),
            _list("Trading activity", "swap_calls", "scoring.activitymetric"),
            _list("Markets to score", "pending_actions", "scoring.technicaldue"),
        ],
    },
    {
        "title": "How are they followed?",
        "separator": True,
        "items": [
            _list("Social points", "diversity_3", "scoring.socialscore"),
            _list("What sources say", "forum", "scoring.socialmetric"),
            _list("Whose turn it is", "schedule_send", "scoring.socialpoll"),
        ],
    },
    {
        "title": "How are they held?",
        "separator": True,
        "items": [
            _list("Holder scores", "groups_3", "scoring.holderscore"),
            _list("Risks", "warning", "scoring.riskmetric"),
            _list("Frozen scores", "ac_unit", "scoring.holderscorefreeze"),
            _list("Distributions", "pie_chart", "holders.holdersnapshot"),
            _list("Holdings", "account_balance_wallet", "holders.tokenholder"),
            _list("Differences from lists", "difference", "holders.holderupdate"),
            _list("Wallets", "wallet", "holders.walletanalysis"),
            _list("Groups of wallets", "hub", "holders.walletcluster"),
            _list("Quality of holders", "verified_user", "holders.walletqualitymetric"),
        ],
    },
    {
        "title": "At what price?",
        "separator": True,
        "items": [
            _list("SOL/USD", "payments", "tokens.solusdprice"),
            _list("Other quotes", "currency_exchange", "tokens.quoteusdprice"),
            _list("Candles 1m", "candlestick_chart", "tokens.pricecandle1m"),
            _list("Candles 5m", "candlestick_chart", "tokens.pricecandle5m"),
            _list("Candles 1h", "candlestick_chart", "tokens.pricecandle1h"),
            _list("Candles 1d", "candlestick_chart", "tokens.pricecandle1d"),
        ],
    },
    {
        "title": "Are the feeds alive?",
        "separator": True,
        "items": [
            _list("Streams and lag", "sensors", "tokens.streamcursor"),
            _list("Venues", "store", "tokens.venuestate"),
            _list("Source comparison", "compare_arrows", "tokens.sourcetally"),
            _list("Forks", "fork_right", "tokens.chainreorg"),
            _list("Processes", "monitor_heart", "tokens.systemmetric"),
            _list("Scheduled tasks", "schedule", "django_celery_beat.periodictask"),
        ],
    },
    {
        "title": "What takes room, what costs?",
        "separator": True,
        "items": [
            _list("Storage and retention", "database", "tokens.retentionpolicy"),
            _list("Credits", "toll", "holders.apicreditusage"),
            _list("Holder analyses", "groups", "holders.holderscorejob"),
        ],
    },
    {
        "title": "Did a program change?",
        "separator": True,
        "items": [
            _list("Drift", "difference", "tokens.driftcount"),
            _list("Programs and settings", "memory", "tokens.programsnapshot"),
            _list("Fee recipients", "account_balance_wallet", "tokens.feerecipient"),
        ],
    },
    {
        "title": "Who may, and who did?",
        "separator": True,
        "items": [
            _list("Operators", "group", "auth.user"),
            _list("API keys", "key", "core.apikey"),
            _list("Audit log", "history", "core.auditentry"),
        ],
    },
]

UNFOLD = {
    "SITE_TITLE": "Megatron",
    "SITE_HEADER": "Megatron",
    "SITE_SUBHEADER": "Operator's console",
    "SITE_SYMBOL": "radar",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "megatron.console.page.environment",
    "ENVIRONMENT_TITLE_PREFIX": "megatron.console.page.title_prefix",
    "DASHBOARD_CALLBACK": "megatron.console.dashboard.fill",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _static("console/favicon.svg")}],
    "STYLES": [_static("console/console.css")],
    "SCRIPTS": [_static("console/alpine_bridge.js")],
    "SIDEBAR": {"show_search": False, "show_all_applications": True, "navigation": _NAVIGATION},
}
