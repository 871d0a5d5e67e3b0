"""What syncs found that no callback had told, and starting one where callbacks have stopped."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, Exists, OuterRef, QuerySet, Subquery

from groups.actions.sync import KIND, start_sync
from scrm.channels.models import InboundEvent
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

# A corp that had events within this time before the silence is not simply a quiet one.
_USED_TO_SPEAK = timedelta(days=7)
_REPAIRS = ("created", "updated", "ended")


@dataclass(frozen=True)
class Reconciled:
    """By kind: how many the platform has, how many we have now, and how many were repaired."""

    kinds: dict[str, dict[str, int]]

    @property
    def is_right(self) -> bool:
        return all(counts["platform"] == counts["local"] for counts in self.kinds.values())

    def after(self, later: "Reconciled") -> "Reconciled":
        """Both looks as one: the counts of the later, the repairs of both."""
        kinds = {
            kind: counts | {"repaired": counts["repaired"] + self._repaired(kind)}
            for kind, counts in later.kinds.items()
        }
        return Reconciled(kinds)

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.is_right, "kinds": self.kinds}

    def _repaired(self, kind: str) -> int:
        return self.kinds.get(kind, {}).get("repaired", 0)


def reconciled_by(job: Job) -> Reconciled:
    """What a finished sync says."""
    kinds = {
        kind: {
            "platform": counts["platform"],
            "local": counts["local"],
            "repaired": sum(counts[name] for name in _REPAIRS),
        }
        for kind, counts in job.report.items()
    }
    return Reconciled(kinds)


def reconcile_silent_corps(*, now: datetime) -> int:
    """Start a sync of every corp whose callbacks have stopped; return how many were started.

    After an outage, of ours or of the way between, nobody repeats what was missed: the platform
    tries three times within seconds [doc 90930].
    """
    corps = list(silent_corps(now=now))
    for corp in corps:
        start_sync(corp, now=now)
    return len(corps)


def silent_corps(*, now: datetime) -> QuerySet[Corp]:
    """Corps that used to have events, have none for INBOX_SILENCE, and no sync since then."""
    silence: timedelta = settings.INBOX_SILENCE
    events = InboundEvent.objects.filter(corp=OuterRef("pk")).order_by("-id")
    syncs = Job.objects.filter(
        corp=OuterRef("pk"), kind=KIND, subject_id="", created_at__gt=now - silence
    )
    last = Subquery(events.values("received_at")[:1], output_field=DateTimeField())
    return (
        Corp.objects.annotate(last_event_at=last)
        .filter(
            ~Exists(syncs),
            last_event_at__lte=now - silence,
            last_event_at__gt=now - silence - _USED_TO_SPEAK,
        )
        .order_by("pk")
    )
