"""When a step is due, told twice: in Python for one customer, in SQL for many.

With `at`: the local date of the anchor plus the days, at that time; else the anchor plus days of
24 hours and minutes. A moment inside the quiet hours moves to their end. A local time that a
change of clocks leaves out or repeats is read as PostgreSQL reads it: as the later moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.models import Sop, Step


@dataclass(frozen=True)
class QuietHours:
    """From `start` up to but not with `end`, local time; may cross midnight."""

    start: time
    end: time

    @classmethod
    def read(cls, given: Mapping[str, Any] | None) -> "QuietHours | None":
        if not given:
            return None
        return cls(time.fromisoformat(given["start"]), time.fromisoformat(given["end"]))

    def end_after(self, local: datetime) -> tuple[date, time] | None:
        """The local day and time at which it is no longer quiet; None when it is not quiet."""
        at, day = local.time(), local.date()
        crosses_midnight = self.start > self.end
        if crosses_midnight and at >= self.start:
            return day + timedelta(days=1), self.end
        if at < self.end and (crosses_midnight or at >= self.start):
            return day, self.end
        return None


def due_at(anchor: datetime, step: Step, *, zone: ZoneInfo, quiet: QuietHours | None) -> datetime:
    """When the step is due for somebody whose days are counted from `anchor`."""
    if step.at is None:
        raw = anchor.astimezone(UTC) + timedelta(days=step.offset_days, minutes=step.offset_minutes)
    else:
        day = anchor.astimezone(zone).date() + timedelta(days=step.offset_days)
        raw = moment_of(day, step.at, zone)
    return after_quiet(raw, zone=zone, quiet=quiet)


def after_quiet(moment: datetime, *, zone: ZoneInfo, quiet: QuietHours | None) -> datetime:
    """The moment, or the end of the quiet hours it falls into."""
    end = quiet.end_after(moment.astimezone(zone)) if quiet else None
    return moment_of(*end, zone) if end else moment


def moment_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, at, tzinfo=zone)
    return max(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def due_sql(anchor: str) -> str:
    """`CROSS JOIN LATERAL … AS due (due_at)` behind a step `s`; with the parameters below."""
    return f"""
        CROSS JOIN LATERAL (SELECT CASE
            WHEN s.at IS NULL THEN {anchor} + make_interval(
                hours => s.offset_days * 24, mins => s.offset_minutes)
            ELSE (({anchor} AT TIME ZONE %(zone)s)::date + s.offset_days + s.at)
                AT TIME ZONE %(zone)s
            END) AS planned (raw)
        CROSS JOIN LATERAL (SELECT planned.raw AT TIME ZONE %(zone)s) AS there (local)
        CROSS JOIN LATERAL (SELECT CASE
            WHEN %(quiet_start)s::time > %(quiet_end)s::time
                AND there.local::time >= %(quiet_start)s::time
                THEN (there.local::date + 1 + %(quiet_end)s::time) AT TIME ZONE %(zone)s
            WHEN there.local::time < %(quiet_end)s::time
                AND (%(quiet_start)s::time > %(quiet_end)s::time
                     OR there.local::time >= %(quiet_start)s::time)
                THEN (there.local::date + %(quiet_end)s::time) AT TIME ZONE %(zone)s
            ELSE planned.raw END) AS due (due_at)"""


def due_params(sop: Sop) -> dict[str, Any]:
    """The parameters of `due_sql`; the caller has the SOP's corp at hand."""
    quiet = QuietHours.read(sop.quiet_hours)
    return {
        "zone": sop.corp.time_zone,
        "quiet_start": quiet and quiet.start,
        "quiet_end": quiet and quiet.end,
    }
