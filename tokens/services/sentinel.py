"""What one feed sees of its programs between two stored batches: drift, fee recipients, and whether a venue is understood."""

from datetime import datetime

from tokens.choices import Program, RejectionReason
from tokens.domain import drift
from tokens.domain.decode import Decoded
from tokens.domain.drift import Sighting, Window
from tokens.services import drift as counts
from tokens.services import ingest, quarantine
from tokens.services.drift import Seen

KEPT_A_DAY = 10_000
"""Messages a day, of one venue with one unknown event, that are kept for the day on which it is known."""


class Sentinel:
    """Watches what a feed decodes. ``judges`` says whether it may quarantine a venue: a capture, which anybody can write,
    may not."""

    def __init__(self, *, judges: bool) -> None:
        self.judges = judges
        self._windows: dict[Program, Window] = {}
        self._known: set[tuple[Program, str]] | None = None
        self._seen: dict[Sighting, Seen] = {}
        self._recipients: dict[tuple[Program, str], str | None] = {}
        self._named: set[tuple[Program, str]] = set()

    def see(self, decoded: Decoded) -> None:
        """Take one transaction as it was decoded."""
        for sighting, count in drift.sightings(decoded):
            self._sight(sighting, count, decoded)
        for recipient in drift.recipients(decoded):
            if recipient not in self._named:
                self._named.add(recipient)
                self._recipients[recipient] = decoded.signature
        for venue, reading in drift.readings(decoded).items():
            self._windows.setdefault(venue, Window()).add(reading, decoded.slot)

    def _sight(self, sighting: Sighting, count: int, decoded: Decoded) -> None:
        seen = self._seen.get(sighting)
        if seen is None:
            seen = self._seen[sighting] = Seen(0, decoded.signature, decoded.slot)
        seen.count += count

    def judge(self, *, now: datetime) -> frozenset[Program]:
        """Quarantine venues that are not understood any more; return all that are quarantined.

        A venue that is quarantined is judged anew, from nothing, after its release.
        """
        held = quarantine.held()
        for venue, window in self._windows.items() if self.judges else ():
            if venue not in held and (reason := window.verdict()):
                quarantine.start(venue=venue, reason=reason, now=now)
                held |= {venue}
        return held

    def write(self, *, now: datetime) -> dict[Sighting, int]:
        """Write down what was seen, in the transaction of the batch; return how often each was seen in the day before."""
        before = counts.note(counts=self._seen, now=now)
        if self._recipients:
            if self._known is None:
                self._known = counts.known_recipients()
            unknown = {key: signature for key, signature in self._recipients.items() if key not in self._known}
            if unknown:
                counts.learn(recipients=unknown, now=now)
        return before

    def forget(self, held: frozenset[Program]) -> None:
        """Begin anew after the commit; the windows stay, but for venues that are quarantined."""
        if self._known is not None:
            self._known |= self._recipients.keys()
        self._seen, self._recipients = {}, {}
        for venue in held:
            self._windows.pop(venue, None)


def is_strange(decoded: Decoded) -> bool:
    """Return whether a transaction has an event that no layout knows."""
    return any(key.endswith(".unknown_event") for key in decoded.drift)


def keepsake(received: ingest.Received, *, before: dict[Sighting, int]) -> ingest.Rejection | None:
    """Return the message of a transaction with an unknown event, to be kept, or ``None`` when enough of its kind are.

    ``before`` is how often each sighting was seen in the day before.
    """
    for sighting, _ in drift.sightings(received.decoded):
        if sighting.what.endswith(".unknown_event") and before.get(sighting, 0) < KEPT_A_DAY:
            detail = f"{drift.in_words(sighting)}; what is known of it was stored"
            waits_for = ingest.release_of(sighting.venue)
            return ingest.refusal(received, RejectionReason.UNDECODABLE, detail, waits_for)
    return None
