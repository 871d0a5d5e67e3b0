"""The figures of the home page: few statements, each over sets, all within the person's scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from campaigns.models import Campaign, Recipient
from customers.models import Customer, Follow, Segment
from groups.models import GroupChat
from risk.actions.archive_alarms import ArchiveAlarm, archive_alarms
from risk.models import ArchiveCursor
from scrm.channels.models import InboundEvent, Operation
from scrm.common.admin_filters import start_of_days
from scrm.jobs.models import Job, Tick
from scrm.tenancy.models import Corp, Scope, Staff

WEEK_DAYS = 7
# A tick is fired every few seconds; silence this long means that nothing runs.
SILENCE = timedelta(minutes=3)
CHART_DAYS = 30
_UNDERWAY = (
    Campaign.Status.PENDING_APPROVAL,
    Campaign.Status.SCHEDULED,
    Campaign.Status.PLANNING,
    Campaign.Status.ASKED,
    Campaign.Status.PARTLY_CONFIRMED,
)
_MOST_CAMPAIGNS = 6


@dataclass(frozen=True)
class SetUp:
    """How far the first day has come; each step is done once for any of the corps."""

    corp: Corp | None
    has_callback: bool = False
    has_sync: bool = False
    has_segment: bool = False
    has_campaign: bool = False

    @property
    def is_complete(self) -> bool:
        return all(
            (self.corp, self.has_callback, self.has_sync, self.has_segment, self.has_campaign)
        )


def set_up_of(scope: Scope) -> SetUp:
    def any_of(rows: QuerySet[Any]) -> Exists:
        return Exists(rows.filter(corp=OuterRef("pk")))

    corps = list(
        Corp.objects.in_scope(scope)
        .annotate(
            has_callback=any_of(InboundEvent.objects.all()),
            has_sync=any_of(Job.objects.filter(kind="sync", status=Job.Status.SUCCEEDED)),
            has_segment=any_of(Segment.objects.all()),
            has_campaign=any_of(Campaign.objects.made_by_people()),
        )
        .order_by("pk")
    )
    steps = ("has_callback", "has_sync", "has_segment", "has_campaign")
    done = {step: any(getattr(corp, step) for corp in corps) for step in steps}
    return SetUp(corp=corps[0] if corps else None, **done)


@dataclass(frozen=True)
class People:
    live: int
    new: int
    lost: int
    staff: int
    groups: int


def people_of(scope: Scope, *, now: datetime) -> People:
    """Customers with a friend among the staff, and what the last seven days changed."""
    since = start_of_days(WEEK_DAYS, now=now)
    customers = Customer.objects.in_scope(scope)
    return People(
        live=customers.live().count(),
        new=customers.new_since(since).count(),
        lost=_lost(scope, since=since).values("customer").distinct().count(),
        staff=Staff.objects.in_scope(scope).employed().count(),
        groups=GroupChat.objects.in_scope(scope).existing().count(),
    )


def _lost(scope: Scope, *, since: datetime) -> QuerySet[Follow]:
    """Follows whose end left a customer without anybody."""
    ended = Follow.objects.filter(ended_at__gte=since, customer__live_follows=0)
    if scope.everything:
        return ended
    staff = Staff.objects.in_scope(scope).values("pk")
    return ended.filter(staff__in=staff)


@dataclass(frozen=True)
class Day:
    day: date
    added: int
    lost: int


def days_of(scope: Scope, *, now: datetime) -> list[Day]:
    """Customers added and lost on each of the last thirty days, in the admin's time zone."""
    today = timezone.localdate(now)
    days = [today - timedelta(days=back) for back in reversed(range(CHART_DAYS))]
    since = start_of_days(CHART_DAYS, now=now)
    customers = Customer.objects.in_scope(scope).new_since(since)
    added = _by_day(customers, "added_at", Count("pk"))
    lost = _by_day(_lost(scope, since=since), "ended_at", Count("customer", distinct=True))
    return [Day(day, added.get(day, 0), lost.get(day, 0)) for day in days]


def _by_day(rows: QuerySet[Any], field: str, count: Count) -> dict[date, int]:
    counted = rows.order_by().annotate(day=TruncDate(field)).values_list("day").annotate(n=count)
    return dict(counted)


@dataclass(frozen=True)
class Underway:
    """A campaign that is not over, and how many of those asked are confirmed."""

    campaign: Campaign
    asked: int
    confirmed: int

    @property
    def percent(self) -> int:
        return round(100 * self.confirmed / self.asked) if self.asked else 0


def campaigns_underway(scope: Scope) -> list[Underway]:
    campaigns = list(
        Campaign.objects.in_scope(scope)
        .made_by_people()
        .filter(status__in=_UNDERWAY)
        .select_related("corp")
        .order_by("-id")[:_MOST_CAMPAIGNS]
    )
    recipients = Recipient.objects.filter(campaign__in=campaigns)
    if not scope.everything:
        in_scope = Staff.objects.in_scope(scope).values("pk")
        recipients = recipients.filter(Q(corp__in=scope.corp_ids) | Q(staff__in=in_scope))
    counts = (
        recipients.order_by()
        .values("campaign")
        .annotate(
            asked=Count("pk", filter=Q(status__in=Recipient.COUNTED_AS["asked"])),
            confirmed=Count("pk", filter=Q(status__in=Recipient.COUNTED_AS["confirmed"])),
        )
    )
    figures = {row["campaign"]: (row["asked"], row["confirmed"]) for row in counts}
    return [Underway(each, *figures.get(each.pk, (0, 0))) for each in campaigns]


@dataclass(frozen=True)
class Health:
    """What somebody should look at; for people who see whole corps."""

    failed_events: int
    parked: int
    unknown: int
    running: Sequence[Job]
    last_sync: Job | None
    last_tick_at: datetime | None

    def is_silent(self, now: datetime) -> bool:
        return self.last_tick_at is None or now - self.last_tick_at > SILENCE


def health_of(scope: Scope) -> Health:
    operations = _whole(Operation.objects.all(), scope).aggregate(
        parked=Count("pk", filter=Q(status=Operation.Status.PARKED)),
        unknown=Count("pk", filter=Q(status=Operation.Status.UNKNOWN)),
    )
    jobs = _whole(Job.objects.select_related("corp"), scope)
    unfinished = jobs.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    syncs = jobs.filter(kind="sync", finished_at__isnull=False)
    failed = _whole(InboundEvent.objects.all(), scope).filter(status=InboundEvent.Status.FAILED)
    return Health(
        failed_events=failed.count(),
        parked=operations["parked"],
        unknown=operations["unknown"],
        running=list(unfinished.order_by("-id")[:5]),
        last_sync=syncs.order_by("-id").first(),
        last_tick_at=Tick.objects.aggregate(last=Max("fired_at"))["last"],
    )


def archives_of(scope: Scope, *, now: datetime) -> list[ArchiveAlarm]:
    cursors = ArchiveCursor.objects.exclude(corp__archive_secret="").select_related("corp")
    return archive_alarms(list(_whole(cursors.order_by("pk"), scope)), now=now)


def _whole(rows: QuerySet[Any], scope: Scope) -> QuerySet[Any]:
    return rows if scope.everything else rows.filter(corp_id__in=scope.corp_ids)
