"""`manage.py verify_audit_log`: whether the audit log still is what was written, entry by entry."""

from typing import Any

from django.core.management.base import CommandError

from megatron.core import audit
from megatron.core.commands import DoorCommand, progress
from megatron.core.models import AuditEntry


class Command(DoorCommand):
    help = (
        "Follow the chain of hashes through the whole audit log, oldest entry first. Ends with code 1 at the first entry "
        "that was changed, removed, inserted or put elsewhere, and says which. Entries that were cut off at the end do not "
        "show in what is left: compare the number and the newest hash with those of an earlier run."
    )
    examples = (
        "Examples: `manage.py verify_audit_log` after a restore, `manage.py verify_audit_log --json` for a monitor."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, with a bar on a terminal."""
        as_json = options["json"]
        with progress(quiet=as_json, counted=True) as bar:
            task = bar.add_task("Audit log", total=AuditEntry.objects.count(), told="")
            try:
                entries = audit.verify(tell=lambda count: bar.update(task, completed=count))
            except audit.ChainBroken as broken:
                if as_json:
                    told = {"ok": False, "entry": broken.entry, "sequence": broken.sequence, "why": broken.why}
                    self.show(told, as_json=True)
                raise CommandError(str(broken)) from broken
        newest = audit.newest()
        if as_json:
            # Of nothing nobody can say whether it is whole.
            ok = None if newest is None else True
            self.show({"ok": ok, "entries": entries, "newest_hash": newest and newest.hash}, as_json=True)
        elif newest is None:
            self.stdout.write("0 entries: nothing was written to the audit log yet, or all of it is gone.")
        else:
            noun = "entry" if entries == 1 else "entries"
            self.stdout.write(f"The audit log holds. {entries:,} {noun}, the newest has the hash {newest.hash}.")
