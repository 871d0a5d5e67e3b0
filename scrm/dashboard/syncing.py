"""How the last sync of a corp stands, in the words of its report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from scrm.common.badges import status_badge
from scrm.jobs.admin import JOB_TONES
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

# In the order they are read.
KINDS: dict[str, Any] = {
    "staff": _("staff"),
    "tags": _("tags"),
    "customers": _("customers"),
    "follows": _("follows"),
    "groups": _("group chats"),
    "members": _("group members"),
}


@dataclass(frozen=True)
class Compared:
    """One line of the proof: what the platform has, and what we have."""

    name: Any
    platform: int
    local: int

    @property
    def is_equal(self) -> bool:
        return self.platform == self.local


@dataclass(frozen=True)
class SyncState:
    job: Job | None
    lines: tuple[Compared, ...]

    @property
    def is_running(self) -> bool:
        return self.job is not None and not self.job.is_finished

    @property
    def badge(self) -> SafeString | str:
        return status_badge(self.job, JOB_TONES) if self.job else ""

    @property
    def percent(self) -> int | None:
        if self.job is None or not self.job.total:
            return None
        return min(100, round(100 * self.job.done / self.job.total))

    @property
    def agrees(self) -> bool:
        return bool(self.lines) and all(line.is_equal for line in self.lines)


def sync_state_of(corp: Corp) -> SyncState:
    job = Job.objects.for_corp(corp).filter(kind="sync").order_by("-id").first()
    return SyncState(job, tuple(compared(job.report)) if job else ())


def compared(report: dict[str, Any]) -> Iterable[Compared]:
    for kind, words in KINDS.items():
        row = report.get(kind)
        if isinstance(row, dict) and "platform" in row and "local" in row:
            yield Compared(words, row["platform"], row["local"])
