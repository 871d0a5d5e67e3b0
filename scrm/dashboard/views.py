"""The home page of the admin: what the morning needs, one click from the list behind it."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campaigns.admin.words import STATUS_TONES
from campaigns.models import Campaign
from customers.models import WaitingCustomer
from risk.models import Incident
from scrm.common.badges import status_badge
from scrm.dashboard.queries import (
    Day,
    Health,
    SetUp,
    Underway,
    archives_of,
    campaigns_underway,
    days_of,
    health_of,
    people_of,
    set_up_of,
)
from scrm.dashboard.syncing import compared
from scrm.jobs.admin import KINDS, progress_bar
from scrm.jobs.models import Job
from scrm.tenancy.models import Scope
from scrm.tenancy.scoped_admin import rows_of, scope_for


@dataclass(frozen=True)
class Step:
    title: str
    why: str
    link: str
    is_done: bool
    is_next: bool = False


@dataclass(frozen=True)
class CampaignRow:
    campaign: Campaign
    badge: SafeString
    asked: int
    confirmed: int
    percent: int


@dataclass(frozen=True)
class JobRow:
    words: str
    progress: str
    link: str


@dataclass(frozen=True)
class Alarm:
    count: int
    text: str
    link: str


def add_home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK."""
    now, scope = timezone.now(), scope_for(request)
    set_up = set_up_of(scope)
    # Who has no corp and cannot connect one has nothing to set up.
    has_steps = not set_up.is_complete and (set_up.corp or scope.everything)
    steps = with_next(steps_of(set_up)) if has_steps else []
    context |= {"title": _("Home"), "steps": steps}
    if set_up.corp is None:
        return context
    context["corp"] = set_up.corp
    if request.user.has_perm("customers.view_customer"):
        context["people"] = people_of(scope, now=now)
        context["chart"] = chart_of(days_of(scope, now=now))
    if request.user.has_perm("campaigns.view_campaign"):
        context["underway"] = [_row_of(each) for each in campaigns_underway(scope)]
    if (scope.everything or scope.corp_ids) and request.user.has_perm("jobs.view_job"):
        health = health_of(scope)
        sync_lines = list(compared(health.last_sync.report)) if health.last_sync else []
        context |= {
            "health": health,
            "is_silent": health.is_silent(now),
            "alarms": [
                *judgements_of(request, scope),
                *alarms_of(health),
                *archive_alarms_of(scope, now=now),
            ],
            "running": [_job_row(job) for job in health.running],
            "sync_lines": sync_lines,
        }
    return context


def _row_of(each: Underway) -> CampaignRow:
    tone = status_badge(each.campaign, STATUS_TONES)
    return CampaignRow(each.campaign, tone, each.asked, each.confirmed, each.percent)


def _job_row(job: Job) -> JobRow:
    link = reverse("admin:jobs_job_change", args=[job.pk])
    return JobRow(str(KINDS.get(job.kind, job.kind)), progress_bar(job), link)


def steps_of(set_up: SetUp) -> list[Step]:
    """The first day, in order; a step without its link waits for the one before."""
    corp = set_up.corp
    corp_page = reverse("admin:tenancy_corp_change", args=[corp.pk]) if corp else ""
    return [
        Step(
            _("Connect your corp"),
            _("Corp id and secrets from the console of WeCom; checked before they are kept."),
            reverse("admin:tenancy_corp_add"),
            corp is not None,
        ),
        Step(
            _("Sync"),
            _("Fetch staff, tags, customers and groups; you see how far it is."),
            corp_page,
            set_up.has_sync,
        ),
        Step(
            _("Enter the callback address"),
            _("Then new customers arrive here within seconds instead of with the nightly sync."),
            corp_page,
            set_up.has_callback,
        ),
        Step(
            _("Save a segment"),
            _("Say in words whom you want to reach; the number is counted as you type."),
            reverse("admin:customers_segment_add") if corp else "",
            set_up.has_segment,
        ),
        Step(
            _("Plan your first campaign"),
            _("Staff are asked to confirm; you watch what was delivered and what was not."),
            reverse("admin:campaigns_campaign_add") if corp else "",
            set_up.has_campaign,
        ),
    ]


def with_next(steps: list[Step]) -> list[Step]:
    """Point at the first step that is not done."""
    waiting = [step for step in steps if not step.is_done]
    return [replace(step, is_next=step in waiting[:1]) for step in steps]


def judgements_of(request: HttpRequest, scope: Scope) -> list[Alarm]:
    """What waits for a decision of hers, each with the list behind it."""
    alarms = []
    if request.user.has_perm("risk.view_incident"):
        alarms.append(
            Alarm(
                Incident.objects.waiting().in_scope(scope).count(),
                _("incidents wait for a decision"),
                f"{reverse('admin:risk_incident_changelist')}?status=open",
            )
        )
    if request.user.has_perm("customers.view_handoverplan"):
        rows = rows_of(WaitingCustomer, request)
        unplanned = rows.filter(is_under_way=False, planned_in=None)
        alarms.append(
            Alarm(
                unplanned.count(),
                _("customers wait for somebody to take them over"),
                f"{reverse('admin:customers_waitingcustomer_changelist')}?way=none",
            )
        )
    return [alarm for alarm in alarms if alarm.count]


def alarms_of(health: Health) -> list[Alarm]:
    """Only what is not zero, each with the filtered list behind it."""
    inbox = reverse("admin:channels_inboundevent_changelist")
    outbox = reverse("admin:channels_operation_changelist")
    alarms = [
        Alarm(health.failed_events, _("callbacks could not be handled"), f"{inbox}?status=failed"),
        Alarm(health.parked, _("changes wait for you: the platform refused them for now"), f"{outbox}?status=parked"),
        Alarm(health.unknown, _("answers were lost; the platform is being asked what happened"), f"{outbox}?status=unknown"),
    ]  # fmt: skip
    return [alarm for alarm in alarms if alarm.count]


def archive_alarms_of(scope: Scope, *, now: datetime) -> list[Alarm]:
    """What the platform will forget, or has forgotten, of the message archives."""
    return [
        Alarm(
            each.count, each.text, reverse("admin:risk_archivecursor_change", args=[each.cursor.pk])
        )
        for each in archives_of(scope, now=now)
    ]


@dataclass(frozen=True)
class Bar:
    day: date
    added: int
    lost: int
    # Heights in percent of the half above and below the line.
    up: float
    down: float


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    added: int
    lost: int
    # How the height is shared between the two halves, so that both have one scale.
    up_share: int
    down_share: int

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.lost)

    @property
    def first(self) -> date:
        return self.bars[0].day

    @property
    def middle(self) -> date:
        return self.bars[len(self.bars) // 2].day

    @property
    def last(self) -> date:
        return self.bars[-1].day


def chart_of(days: list[Day]) -> Chart:
    highest = max(each.added for each in days)
    lowest = max(each.lost for each in days)
    bars = [
        Bar(
            each.day,
            each.added,
            each.lost,
            up=100 * each.added / highest if highest else 0,
            down=100 * each.lost / lowest if lowest else 0,
        )
        for each in days
    ]
    return Chart(
        bars,
        added=sum(each.added for each in days),
        lost=sum(each.lost for each in days),
        up_share=highest,
        down_share=lowest,
    )
