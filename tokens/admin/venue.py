"""Venues: whether we still understand them, and the two actions of an operator; what changed in their programs."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from unfold.decorators import action, display

from megatron.core.admin import FactAdmin
from megatron.core.admin.guard import reason_of
from megatron.core.admin.pages import ReasonForm, ShownColumns
from megatron.core.clock import utc_now
from tokens.admin import cells
from tokens.choices import Program, RejectionStatus, VenueStatus
from tokens.domain.drift import Sighting, in_words
from tokens.models import DriftCount, FeeRecipient, ProgramSnapshot, RejectedMessage, VenueState
from tokens.selectors import feeds, indexing
from tokens.selectors.feeds import Liveness
from tokens.services import ingest, quarantine

_TONES = {
    Liveness.LIVE: "success",
    Liveness.QUIET: "success",
    Liveness.BEHIND: "warning",
    Liveness.SILENT: "danger",
    Liveness.AWAY: "danger",
    Liveness.CLOCK_WRONG: "danger",
    Liveness.NOT_WATCHED: "",
    VenueStatus.QUARANTINED: "danger",
}


class _Venues(ShownColumns):
    """The list of venues, each row with how its live feeds are: read once for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        now = utc_now()
        watches = indexing.watches(now=now)
        found = feeds.standings(lags=indexing.lags(now=now), watches=watches)
        known = {one.venue.value: one.liveness for one in found}
        stalled = {watch.venue.value: watch.is_stalled for watch in watches}
        rows: list[Any] = list(self.__dict__["result_list"])
        for state in rows:
            state.liveness, state.is_stalled = known[state.venue], stalled[state.venue]
        self.__dict__["result_list"] = rows


@admin.register(VenueState)
class VenueAdmin(FactAdmin):
    list_reads = ("quarantine_reason",)
    list_display = ("venue_cell", "state", "reason_cell", "since", "kept", "compared_to", "compared_at")
    list_display_links = ("venue_cell",)
    list_filter = ("status",)
    ordering = ("venue",)
    action_form = ReasonForm
    actions = ("quarantine", "release")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # A venue that was never watched can be quarantined as well, so it has its line.
        quarantine.know_all()
        return super().changelist_view(request, extra_context)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ShownColumns]:
        return _Venues

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Tell whether this operator may quarantine and release venues."""
        return bool(request.user.has_perm("tokens.change_venuestate"))

    @action(description="Quarantine: keep its messages, store nothing", permissions=["operate"])
    def quarantine(self, request: HttpRequest, queryset: QuerySet[VenueState]) -> None:
        reason = reason_of(self, request)
        if not reason:
            return
        done = [
            Program(venue).label
            for venue in queryset.values_list("venue", flat=True)
            if quarantine.start(
                venue=Program(venue), reason=reason, now=utc_now(), operator=request.user.get_username()
            )
        ]
        told = f"Quarantined: {', '.join(done)}." if done else "These were quarantined already."
        self.message_user(request, told, messages.SUCCESS if done else messages.WARNING)

    @action(description="Release: play what was kept, go on", permissions=["operate"])
    def release(self, request: HttpRequest, queryset: QuerySet[VenueState]) -> None:
        reason = reason_of(self, request)
        if not reason:
            return
        held = queryset.filter(status=VenueStatus.QUARANTINED).values_list("venue", flat=True)
        done = {
            Program(venue).label: quarantine.end(
                venue=Program(venue), operator=request.user.get_username(), reason=reason, now=utc_now()
            )
            for venue in held
        }
        told = ", ".join(f"{venue} ({count:,} messages to play again)" for venue, count in done.items())
        self.message_user(
            request,
            f"Released: {told}." if done else "None of these is quarantined.",
            messages.SUCCESS if done else messages.WARNING,
        )

    @display(description="Venue")
    def venue_cell(self, state: VenueState) -> str:
        return state.get_venue_display()

    @display(description="State", label=_TONES)
    def state(self, state: VenueState) -> tuple[str, str]:
        """Return whether it is quarantined, else how its live feeds are: that nothing holds it up proves nothing."""
        if state.status == VenueStatus.QUARANTINED:
            return state.status, "Quarantined"
        liveness: Liveness = state.liveness  # type: ignore[attr-defined]  # put there by _Venues
        return liveness, liveness.label

    @display(description="Why")
    def reason_cell(self, state: VenueState) -> str:
        return Truncator(state.quarantine_reason).chars(120) or "—"

    @display(description="Since")
    def since(self, state: VenueState) -> str:
        return cells.age(state.quarantined_at)

    @display(description="Messages kept")
    def kept(self, state: VenueState) -> str:
        waiting = RejectedMessage.objects.filter(
            status=RejectionStatus.WAITING, waits_for=ingest.release_of(Program(state.venue))
        )
        return f"{waiting.count():,}"

    @display(description="Compared to slot")
    def compared_to(self, state: VenueState) -> str:
        return "—" if state.settled_slot is None else f"{state.settled_slot}"

    @display(description="Compared", label={"stalled": "danger"})
    def compared_at(self, state: VenueState) -> str | tuple[str, str]:
        if state.is_stalled:  # type: ignore[attr-defined]  # put there by _Venues
            moved = indexing.compared_since(state)
            return "stalled", f"Stalled since {moved:%Y-%m-%d %H:%M} UTC"
        return cells.age(state.settled_at)


@admin.register(DriftCount)
class DriftAdmin(FactAdmin):
    list_display = ("hour", "venue_cell", "words", "count", "sample", "sample_slot", "last_seen")
    list_display_links = ("words",)
    list_filter = ("venue",)
    search_fields = ("=what", "=sample_signature")
    search_help_text = "Exact kind of drift or signature"
    ordering = ("-hour", "venue", "what")

    @display(description="Venue", label=True)
    def venue_cell(self, row: DriftCount) -> str:
        return row.get_venue_display()

    @display(description="What does not fit")
    def words(self, row: DriftCount) -> str:
        return in_words(Sighting(Program(row.venue), row.what))

    @display(description="First transaction")
    def sample(self, row: DriftCount) -> str:
        return cells.key(row.sample_signature)

    @display(description="Last seen")
    def last_seen(self, row: DriftCount) -> str:
        return cells.age(row.last_seen_at)


@admin.register(FeeRecipient)
class RecipientAdmin(FactAdmin):
    list_display = ("address_cell", "venue_cell", "origin", "first_seen", "sample")
    list_filter = ("venue", "origin")
    search_fields = ("=address",)
    search_help_text = "Exact address"
    ordering = ("-first_seen_at", "venue", "address")

    @display(description="Address")
    def address_cell(self, row: FeeRecipient) -> str:
        return cells.short(row.address)

    @display(description="Venue", label=True)
    def venue_cell(self, row: FeeRecipient) -> str:
        return row.get_venue_display()

    @display(description="First seen", ordering="first_seen_at")
    def first_seen(self, row: FeeRecipient) -> str:
        return cells.age(row.first_seen_at)

    @display(description="First transaction")
    def sample(self, row: FeeRecipient) -> str:
        return cells.key(row.sample_signature)


@admin.register(ProgramSnapshot)
class SnapshotAdmin(FactAdmin):
    list_display = ("role_cell", "venue_cell", "address_cell", "size", "slot", "seen")
    list_display_links = ("role_cell",)
    list_filter = ("venue", "role")
    search_fields = ("=address",)
    search_help_text = "Exact address"
    ordering = ("-observed_at", "venue", "role")

    @display(description="Account")
    def role_cell(self, row: ProgramSnapshot) -> str:
        return row.role.replace("_", " ").capitalize()

    @display(description="Venue", label=True)
    def venue_cell(self, row: ProgramSnapshot) -> str:
        return row.get_venue_display()

    @display(description="Address")
    def address_cell(self, row: ProgramSnapshot) -> str:
        return cells.key(row.address)

    @display(description="Bytes", ordering="length")
    def size(self, row: ProgramSnapshot) -> str:
        return f"{row.length:,}"

    @display(description="Like this since", ordering="observed_at")
    def seen(self, row: ProgramSnapshot) -> str:
        return cells.age(row.observed_at)
