"""Why there is no score, no part of one or no points of a line, in words that say what to look at: the cause, not only
that something is not known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from holders.models import HolderScoreJob
from holders.selectors import agenda, measures
from holders.selectors.measures import Measures
from scoring.domain import holder, risk, stored
from scoring.domain.points import Component, Part, text
from scoring.domain.policy import Policy
from scoring.domain.rescoring import Rules
from scoring.domain.signs import Signs
from scoring.domain.social import Figures, fresh
from scoring.domain.verdicts import Verdict
from scoring.models import HolderScoreFreeze, SocialPoll, SocialScore, TechnicalDue, TechnicalScore
from scoring.selectors.social import LEAST_PROGRESS
from scoring.selectors.sources import Source
from scoring.services import policies
from tokens.choices import PoolType
from tokens.models import Pool, Token
from tokens.selectors.tokens import current_of

Inputs = Mapping[str, Any]


class Causes:
    """What stands behind the unknown figures of one token at one time; each table is asked once, when it is needed."""

    def __init__(self, *, token: Token, at: datetime, policy: Policy | None = None) -> None:
        self.token, self.at = token, at
        self._policy = policy

    @cached_property
    def policy(self) -> Policy:
        """The policy that judged."""
        return self._policy or policies.active()

    @cached_property
    def pools(self) -> Sequence[Pool]:
        """All pools of the token, as they are now."""
        return list(self.token.pools.all())

    @cached_property
    def measured(self) -> Measures | None:
        """The holders as they were last measured by then."""
        return measures.of(token_mint=self.token.mint_address, at=self.at)

    @cached_property
    def job(self) -> HolderScoreJob | None:
        """The newest analysis that was asked for by then."""
        asked = agenda.jobs(token_mint=self.token.mint_address).filter(scheduled_at__lte=self.at)
        return asked.order_by("-scheduled_at", "-pk").first()

    @cached_property
    def polls(self) -> Sequence[SocialPoll]:
        """The sources that were asked about the token by then, by name."""
        return list(SocialPoll.objects.filter(token=self.token, asked_at__lte=self.at).order_by("source"))

    @property
    def had_graduated(self) -> bool:
        """Whether the token had graduated by then; at an unknown time is long ago."""
        when = self.token.graduation_timestamp
        return self.token.is_graduated and (when is None or when <= self.at)


def total(*, token: Token, at: datetime) -> str:
    """Return why ``token`` had no total at ``at``."""
    causes = Causes(token=token, at=at)
    reasons = " ".join(f"{name.capitalize()}: {_PARTS[name](causes)}" for name in _PARTS)
    return f"It had no score at {at:%Y-%m-%d %H:%M:%S} UTC. {reasons}"


def part(name: str, *, causes: Causes, blocks: Sequence[Part]) -> str:
    """Return why the part ``name`` is not known: what its lines say where it has lines, else why it has none."""
    reasons = dict.fromkeys(line.reason.rstrip(".") for block in blocks for line in block.components)
    return f"{'; '.join(reasons)}." if reasons and name != "social" else _PARTS[name](causes)


def lines(name: str, *, blocks: Sequence[Part], inputs: Inputs, causes: Causes) -> tuple[Part, ...]:
    """Return ``blocks`` of the part ``name``; each line that is unknown says the cause too, where ``inputs`` and the rows of
    the token tell it."""
    find = _LINES[name]
    return tuple(
        replace(block, components=tuple(_told(line, find, inputs, causes) for line in block.components))
        for block in blocks
    )


def _told(line: Component, find: Callable[[str, Inputs, Causes], str], inputs: Inputs, causes: Causes) -> Component:
    if line.points is not None or inputs.get("why_unknown"):
        return line
    cause = find(line.name, inputs, causes)
    return replace(line, reason=f"{line.reason.rstrip('.')}: {cause}.") if cause else line


def verdicts(
    found: Sequence[Verdict], *, source: Source | None, rules: Rules | None, causes: Causes
) -> tuple[Verdict, ...]:
    """Return ``found``; of each that nobody could decide, the cause. ``source`` is the record of risks that it rests on,
    ``rules`` those that made it."""
    seen: Mapping[str, str] | None = None
    told = []
    for one in found:
        reason = ""
        if one.holds is None and one.name in _OF_RISK:
            seen = _risk_words(source, rules, causes) if seen is None else seen
            reason = seen.get(one.name, "")
        elif one.holds is None and one.name in ("social_momentum", "social_manipulation"):
            reason = f"{one.reason.rstrip('.')}: {_lower(_told_by_sources(causes))}."
        elif one.holds is None and one.name == "quality_holders":
            missing = [words for name, words in _QUALITY.items() if one.inputs.get(name) is None]
            reason = f"Unknown: {' and '.join(missing)}."
        told.append(replace(one, reason=reason) if reason else one)
    return tuple(told)


_OF_RISK = {
    "bot_swarm": "bot_swarm_detected",
    "whale_coordination": "whale_coordination_detected",
    "creator_dumping": "creator_dumping",
    "insider_selling": "insider_selling",
    "pump_dump": "pump_dump_pattern",
    "coordinated_buying": "coordinated_buying",
    "wash_trading": "wash_trading",
}
"""By verdict: the sign of a record of risks that it rests on."""
_QUALITY = {
    "known_ratio": "no wallet of its holders was looked at",
    "top_1_pct": "the largest holding is not measured",
}


def _risk_words(source: Source | None, rules: Rules | None, causes: Causes) -> dict[str, str]:
    """Return why each sign was not decided, by the verdict that rests on it."""
    if source is None:
        reason = f"Unknown: its risks were not judged. {_holder(causes)}"
        return dict.fromkeys(_OF_RISK, reason)
    if source.inputs is None or rules is None:
        return {}
    facts = stored.from_json(risk.Facts, source.inputs.get("holders", {}))
    found = risk.assess(facts, stored.from_json(Signs, source.inputs.get("signs", {})), rules.risk)
    words = {name: found.signs[sign].words for name, sign in _OF_RISK.items() if sign in found.signs}
    wash = dict.fromkeys(line.reason for line in found.risks["wash_trading"].part.components if line.points is None)
    return {**words, "wash_trading": "; ".join(wash)}


def _technical(causes: Causes) -> str:
    token, at = causes.token, causes.at
    if token.creation_timestamp is not None and token.creation_timestamp > at:
        return f"It did not exist yet: it was created at {token.creation_timestamp:%Y-%m-%d %H:%M:%S} UTC."
    if TechnicalScore.objects.filter(token_mint=token.mint_address, timestamp__lte=at).exists():
        return "Nothing of its market was known when it was measured."
    traded = [pool for pool in causes.pools if pool.last_trade_at is not None]
    if not traded:
        return "Its market was not measured: no trade of it is known."
    if all(pool.pool_type == PoolType.PERMISSIONLESS for pool in traded):
        return "Its market was not measured: it trades in side pools only, which do not price it."
    if TechnicalDue.objects.filter(token=token).exists():
        return "Its market was not measured yet: it waits for a worker of the queue score."
    return "Its market was not measured by then: a token is scored when it trades, and scores are kept 60 days."


def _holder(causes: Causes) -> str:
    measured = causes.measured
    if measured is None:
        return f"Its holders were not measured: {_why_not_measured(causes)}."
    frozen = HolderScoreFreeze.objects.filter(token_mint=causes.token.mint_address).exists()
    if causes.had_graduated and frozen:
        return "Of the score with which it graduated nothing was known."
    # What decided then: the token as it was when it was measured.
    graduated_at = causes.token.graduation_timestamp
    was_graduated = causes.token.is_graduated and (graduated_at is None or graduated_at <= measured.snapshot_time)
    if was_graduated:
        return "It graduated before its holders were measured: there was no score to keep."
    why = holder.why_not_active(
        progress_quote_pct=measured.progress_quote_pct,
        total_holders=measured.total_holders,
        is_graduated=False,
        terms=causes.policy.holder,
        is_measured=not measured.why_not_measured,
    )
    if why is None and measured.measured_at is None:
        return "Its holders are listed, and their wallets are still being looked at."
    if why is None and measured.why_not_measured:
        return f"{measured.why_not_measured}."
    if why is None:
        return "Its measured holders wait to be scored: a worker of the queue score does that."
    when = f" at {measured.snapshot_time:%Y-%m-%d %H:%M} UTC, when it was measured last" if causes.had_graduated else ""
    return f"{why}{when}{', and it has graduated since' if causes.had_graduated else ''}."


def _why_not_measured(causes: Causes) -> str:
    job = causes.job
    if job is not None and job.quarantined_at is not None:
        return f"the analysis was set aside after {job.attempts} attempts: {job.last_error or 'by an operator'}"
    if job is not None and job.finished_at is None:
        since = f"an analysis is asked for since {job.scheduled_at:%Y-%m-%d %H:%M} UTC"
        return f"{since}, and the newest attempt failed: {job.last_error}" if job.last_error else f"{since} and waits"
    if job is not None:
        return "the analysis that was made found nobody who holds it"
    if causes.had_graduated:
        return "it graduated before anybody asked for it"
    curve = next((pool for pool in causes.pools if pool.pool_type == PoolType.INITIAL), None)
    if curve is None:
        return "its launch curve was never seen, whose progress asks for an analysis"
    if curve.progress_quote_pct is None:
        return "the progress of its curve is not known, which asks for an analysis"
    stands = f"its curve stands at {text(curve.progress_quote_pct)} %"
    return f"nobody asked for it; {stands}, and an analysis is due at 10, 25, 50 and 75 %"


def _social(causes: Causes) -> str:
    scored = SocialScore.objects.filter(token=causes.token, calculated_at__lte=causes.at)
    if scored.exists():
        hours = text(causes.policy.social.number("fresh_hours"))
        failures = _failures(causes)
        return f"What sources told of it is older than {hours} hours{f'; {failures}' if failures else ''}."
    return f"{_told_by_sources(causes)}."


def _told_by_sources(causes: Causes) -> str:
    """Return what came of asking the sources, without a full stop."""
    if not causes.polls:
        return f"No source was asked how it is followed: {_why_not_asked(causes)}"
    told = [
        poll
        for poll in causes.polls
        if poll.answered_at is not None and poll.answered_at > causes.at - fresh(causes.policy.social)
    ]
    failures = _failures(causes)
    if told:
        names = ", ".join(poll.get_source_display() for poll in told)
        return f"{names} answered and told no such figure{f'; {failures}' if failures else ''}"
    return (
        f"No source that was asked has told: {failures}"
        if failures
        else "The sources were asked and have not answered yet"
    )


def _failures(causes: Causes) -> str:
    return "; ".join(f"{poll.get_source_display()}: {poll.error}" for poll in causes.polls if poll.error)


def _why_not_asked(causes: Causes) -> str:
    if causes.token.is_graduated or any(pool.pool_type == PoolType.GRADUATED for pool in causes.pools):
        return "it did not trade enough of late, or no source is set up (SOCIAL_SOURCES)"
    curve = next((pool for pool in causes.pools if pool.pool_type == PoolType.INITIAL), None)
    if curve is None or curve.progress_quote_pct is None:
        return "the progress of its curve is not known"
    if curve.progress_quote_pct < LEAST_PROGRESS:
        return f"its curve stands at {text(curve.progress_quote_pct)} %, and nobody is asked below {text(LEAST_PROGRESS)} %"
    return "it did not trade enough of late, or no source is set up (SOCIAL_SOURCES)"


def _technical_line(name: str, inputs: Inputs, causes: Causes) -> str:
    if inputs.get("is_graduated") and name in ("velocity", "consistency", "position"):
        return ""  # its curve is over, as the line says itself
    if name == "base":
        return _market_cap_cause(inputs, causes)
    progress = inputs.get("progress") or (None,)
    if name in ("velocity", "consistency", "position") and progress[-1] is None:
        return _progress_cause(causes)
    if name in ("pressure", "recovery") and inputs.get("price") is None:
        return "no trade of it formed a price"
    return ""


def _market_cap_cause(inputs: Inputs, causes: Causes) -> str:
    if inputs.get("price") is None:
        return "no trade of it formed a price"
    pool = current_of(causes.pools)
    if pool is None:
        return "no pool that prices it is known"
    if pool.market_cap is None:
        return "its supply is not known"
    if pool.market_cap_usd is None:
        return "what it trades against had no USD price at most two minutes older than its newest trade"
    return "it was not known then, and is now"


def _progress_cause(causes: Causes) -> str:
    curve = next((pool for pool in causes.pools if pool.pool_type == PoolType.INITIAL), None)
    if curve is None:
        return "its launch curve was never seen"
    if not curve.quote_target:
        return "what its curve has to raise is not known"
    if curve.progress_quote_pct is None:
        return "no event told how much its curve has raised"
    return "it was not known then, and is now"


def _holder_line(name: str, inputs: Inputs, causes: Causes) -> str:  # noqa: ARG001  # all kinds of lines are asked alike
    facts = stored.from_json(holder.Facts, inputs)
    if name in ("holders", "gini", "top_1") and not facts.total_holders:
        return "nobody holds it" if facts.total_holders == 0 else "they could not be counted"
    if name == "top_1":
        return "what circulates is not known"
    if name == "active":
        return "nobody holds it" if facts.total_holders == 0 else "" if facts.has_trades else "no trade of it is stored"
    return _wallet_cause(name, facts) if name in _OF_WALLETS else ""


_OF_WALLETS = frozenset({"bots", "smart_money", "wallet_age", "organic", "velocity"})


def _wallet_cause(name: str, facts: holder.Facts) -> str:
    sampled, enriched = facts.wallets_sampled, facts.wallets_enriched
    if sampled is None:
        return "the wallets of its holders were not analysed"
    if name == "velocity":
        return "neither a trade nor an analysed wallet tells when its holders were active"
    if not sampled:
        return "no wallet of its holders was analysed"
    if not enriched:
        return f"none of its {sampled} analysed wallets was looked at on the chain"
    if name == "wallet_age":
        return f"of none of its {sampled} analysed wallets the age is known"
    return "no trade of it is stored" if name == "organic" and not facts.has_trades else ""


def _social_line(name: str, inputs: Inputs, causes: Causes) -> str:
    figures = Figures.from_json({key: value for key, value in inputs.items() if key in Figures.__dataclass_fields__})
    if name == "follower_growth_24h" and figures.twitter_followers is not None:
        return "how many followed it a day earlier is not known"
    if name == "mention_growth_1h" and figures.mentions_24h is not None:
        return "how often it was mentioned an hour earlier is not known"
    return _lower(_told_by_sources(causes))


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


_PARTS: Mapping[str, Callable[[Causes], str]] = {"technical": _technical, "holder": _holder, "social": _social}
_LINES: Mapping[str, Callable[[str, Inputs, Causes], str]] = {
    "technical": _technical_line,
    "holder": _holder_line,
    "social": _social_line,
}
