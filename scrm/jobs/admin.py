"""Long work, the ticks that wake it, and beat's own schedule."""

from datetime import datetime
from typing import Any

import django_celery_beat.admin  # noqa: F401 — registers what is registered anew here
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from scrm.common.admin import (
    ReadOnlyMixin,
    SuperuserOnlyMixin,
    ThemedModelAdmin,
    display,
)
from scrm.common.admin_filters import ChoiceWordFilter, DayRangeFilter, WordFilter
from scrm.common.badges import UNKNOWN, badge, status_badge
from scrm.common.facts import facts_table
from scrm.jobs.models import Job, Tick
from scrm.tenancy.scoped_admin import ScopedModelAdmin

for schedule in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(schedule)

# What each kind of work is called; one without words here is shown by its name.
KINDS: dict[str, Any] = {
    "sync": _("sync with the platform"),
    "sync.staff": _("sync of staff"),
    "sync.tags": _("sync of tags"),
    "sync.customers": _("sync of customers"),
    "sync.groups": _("sync of group chats"),
    "reconcile": _("reconcile with the platform"),
    "channel-rules.apply": _("give what a channel rule gives to those already here"),
    "tags.merge": _("merge two tags"),
    "tags.report": _("count how tags are used"),
    "stage-rules.run": _("put customers where the stage rules say"),
    "value.compute": _("reckon what customers are worth"),
    "tag-rules.run": _("give and take automatic tags"),
    "segments.snapshot": _("keep who a segment means"),
    "segments.nightly": _("compare watched segments with the night before"),
    "events.rejudge": _("judge events in quarantine anew"),
    "orders.import": _("take orders in from a file"),
    "campaigns.refresh": _("read a campaign's results"),
    "campaigns.cancel": _("cancel a campaign"),
    "handover.execute": _("carry out a handover"),
    "handover.refresh": _("read a handover's results"),
    "handover.unassigned": _("read who waits for a new colleague"),
}
TICKS: dict[str, Any] = {
    "inbox": _("handle callbacks"),
    "outbox": _("ask the platform for changes"),
    "refreshes": _("read changed customers and groups again"),
    "media": _("give the platform files and renew them"),
    "jobs": _("take up long work"),
    "sync-nightly": _("start the nightly sync"),
    "inbox-silence": _("start a sync where callbacks have stopped"),
    "stages-nightly": _("judge everybody by the stage rules at night"),
    "values-nightly": _("reckon what customers are worth at night"),
    "tag-rules-nightly": _("judge everybody by the tag rules at night"),
    "segments-nightly": _("keep watched segments"),
    "tags-expire": _("end tags whose time is over"),
    "arrivals-match": _("give what waited to customers who have just arrived"),
    "housekeeping": _("throw away what is no longer needed"),
    "campaigns-plan": _("start campaigns that are due"),
    "campaigns-poll": _("look for results of campaigns"),
    "handover-ask": _("go on with handovers"),
    "handover-poll": _("look for results of handovers"),
    "handover-unassigned": _("read who waits for a new colleague"),
    "archive-pull": _("take archived messages in"),
    "risk-screen": _("check archived messages"),
    "sops-enrol": _("take customers into SOPs"),
    "sops-run": _("carry out the steps that are due"),
    "sops-dates": _("look at dates that changed"),
    "sops-dates-all": _("look at all dates of customers"),
    "sops-exit": _("let customers leave SOPs"),
}
JOB_TONES = {
    "queued": "grey",
    "running": "blue",
    "succeeded": "green",
    "failed": "red",
    "partial": "amber",
}


class KindFilter(WordFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(kind=self.value()) if self.value() in KINDS else queryset


@admin.register(Job)
class JobAdmin(ReadOnlyMixin, ScopedModelAdmin[Job]):
    scoping = "whole_corp"
    empty_hint = _("Long work such as a sync will be listed here with its progress and report.")
    list_display = ("what", "standing", "progress", "started_at", "took", "outcome", "brand")
    list_filter = (
        KindFilter,
        ("status", ChoiceWordFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("corp",)
    ordering = ("-id",)
    fields = (
        ("what", "standing"),
        ("progress", "attempts"),
        ("created_at", "started_at"),
        ("finished_at", "took"),
        "report_table",
        "error_table",
        "brand",
    )
    readonly_fields = (
        "what", "standing", "progress", "attempts", "created_at", "started_at", "finished_at", "took",
        "report_table", "error_table", "brand",
    )  # fmt: skip
    sortable_by = ("started_at",)

    def title_of(self, request: HttpRequest, object_id: str) -> str:
        job = self.get_object(request, object_id)
        return f"{self.what(job)} #{job.pk}" if job else ""

    @display(_("kind"))
    def what(self, job: Job) -> str:
        return str(KINDS.get(job.kind, job.kind))

    @display(_("status"))
    def standing(self, job: Job) -> SafeString:
        return status_badge(job, JOB_TONES)

    @display(_("progress"))
    def progress(self, job: Job) -> str:
        return progress_bar(job)

    @display(_("took"))
    def took(self, job: Job) -> str:
        return _took(job)

    @display(_("outcome"))
    def outcome(self, job: Job) -> str:
        return summary_of(job)

    @display(_("report"))
    def report_table(self, job: Job) -> str:
        return facts_table(job.report)

    @display(_("errors"))
    def error_table(self, job: Job) -> str:
        return facts_table(job.errors)


def progress_bar(job: Job) -> str:
    """A bar when the end is known, a number when it is not."""
    if job.total:
        percent = min(100, round(100 * job.done / job.total))
        return format_html(
            '<span class="scrm-bar"><i style="width:{}%"></i></span> {} / {}',
            percent, f"{job.done:,}", f"{job.total:,}",
        )  # fmt: skip
    return f"{job.done:,}" if job.done else UNKNOWN


def summary_of(job: Job) -> str:
    """The first thing worth knowing about an ended job."""
    if job.errors:
        first = job.errors[0]
        text = first.get("message", "") if isinstance(first, dict) else str(first)
        return str(text)[:120]
    return _t("no errors") if job.is_finished else UNKNOWN


def _took(job: Job) -> str:
    if job.started_at is None or job.finished_at is None:
        return UNKNOWN
    seconds = (job.finished_at - job.started_at).total_seconds()
    if seconds < 60:
        return _t("%(seconds)s s") % {"seconds": f"{seconds:.1f}"}
    return timesince(job.started_at, job.finished_at)


@admin.register(Tick)
class TickAdmin(ReadOnlyMixin, SuperuserOnlyMixin, ThemedModelAdmin[Tick]):
    """The last firing of each tick: whether anything runs at all."""

    empty_hint = _("No tick has fired yet: is beat running, and a worker?")
    list_display = ("what", "fired_at", "ago", "took", "name")
    list_fullwidth = True
    ordering = ("name",)
    sortable_by = ("fired_at",)

    @display(_("does"))
    def what(self, tick: Tick) -> str:
        return str(TICKS.get(tick.name, tick.name))

    @display(_("last firing"))
    def ago(self, tick: Tick) -> SafeString:
        return _ago(tick.fired_at, timezone.now())

    @display(_("took"), ordering="took_ms")
    def took(self, tick: Tick) -> str:
        return _t("%(ms)d ms") % {"ms": tick.took_ms}


def _ago(fired_at: datetime, now: datetime) -> SafeString:
    seconds = (now - fired_at).total_seconds()
    if seconds < 60:
        return badge(_t("just now"), "green")
    return badge(_t("%(time)s ago") % {"time": timesince(fired_at, now)}, "amber")


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(SuperuserOnlyMixin, ThemedModelAdmin[Any]):
    """The firings of beat; one that is slowed down or switched off here stays so."""

    empty_hint = _("The ticks are written here by `manage.py migrate`.")
    list_display = ("what", "is_on", "schedule_words", "last_run_at", "total_run_count")
    list_fullwidth = True
    list_select_related = ("interval", "crontab", "solar", "clocked")
    list_filter = ("enabled",)
    search_fields = ("name", "task")
    ordering = ("name",)
    fields = ("what", "enabled", "interval", "last_run_at", "description")
    readonly_fields = ("what", "last_run_at")
    actions = None

    # What is fired is written in the code (scrm/jobs/ticks.py); here it is slowed down or stopped.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(_("does"), ordering="name")
    def what(self, task: Any) -> str:
        return str(TICKS.get(task.name, task.name))

    @display(_("status"))
    def is_on(self, task: Any) -> SafeString:
        return badge(_t("on"), "green") if task.enabled else badge(_t("off"), "red")

    @display(_("how often"))
    def schedule_words(self, task: Any) -> str:
        return str(task.scheduler)


class ScheduleAdmin(SuperuserOnlyMixin, ThemedModelAdmin[Any]):
    list_fullwidth = True
    empty_hint = _("Nothing uses this kind of schedule; the ticks use intervals.")


admin.site.register(
    [ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule], ScheduleAdmin
)
