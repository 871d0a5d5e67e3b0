"""The picture of a campaign's result: a funnel, what was lost where, and who has not confirmed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, IntegerField, Value, When
from django.urls import reverse
from django.utils.safestring import SafeString

from campaigns.actions.reminding import REMINDERS_PER_DAY, reminders_left
from campaigns.actions.results import FIGURES, results_by_staff, results_of
from campaigns.admin.words import (
    CHAT_LOSSES,
    CHAT_STEP_NOTES,
    LOSSES,
    RECIPIENT_TONES,
    STATUS_TONES,
    STEP_NOTES,
    STEPS,
    TASK_TONES,
)
from campaigns.models import Campaign, Recipient, Task
from scrm.common.badges import badge, status_badge
from scrm.tenancy.models import Scope, Staff

_MOST_STAFF = 200
_MOST_CHATS = 200
_LEVEL = 62


@dataclass(frozen=True)
class Step:
    """A column of the funnel; `height` and `next_height` are percent of what was planned."""

    word: str
    name: Any
    note: Any
    count: int | None
    link: str
    height: float
    next_height: float
    shade: float

    @property
    def shape(self) -> str:
        """The column in a square of 100 × 100: level, then sloping down to the next."""
        top, next_top = 100 - self.height, 100 - self.next_height
        return (
            f"M0 {top:.2f} L{_LEVEL} {top:.2f} L100 {next_top:.2f} L100 100 L0 100 Z"
            if self.next_height
            else f"M0 {top:.2f} L{_LEVEL} {top:.2f} L{_LEVEL} 100 L0 100 Z"
        )


@dataclass(frozen=True)
class Loss:
    name: Any
    tone: str
    count: int
    link: str


@dataclass(frozen=True)
class Row:
    """One member of staff (one part of her task)."""

    task: Task
    badge: SafeString
    asked: int
    delivered: int | None
    lost: int | None
    unsent: int
    link: str


@dataclass(frozen=True)
class ChatRow:
    recipient: Recipient
    badge: SafeString
    why: Any


@dataclass(frozen=True)
class Picture:
    campaign: Campaign
    badge: SafeString
    steps: list[Step]
    losses: list[Loss]
    excluded: list[Loss]
    rows: list[Row]
    # Of a campaign to chats.
    chats: list[ChatRow]
    chats_link: str
    staff: int
    staff_confirmed: int
    planned: int | None
    next_look: datetime | None
    # Due: the tick takes it within seconds, if anything runs.
    looks_at_once: bool
    looks: int
    reminders_left: int
    reminders_a_day: int
    is_running: bool
    # What somebody sees who may see only some departments.
    is_partial: bool


def picture_of(campaign: Campaign, *, scope: Scope, now: datetime) -> Picture:
    is_partial = not scope.everything and campaign.corp_id not in scope.corp_ids
    tasks = results_by_staff(campaign)
    if is_partial:
        tasks = tasks.filter(staff__in=Staff.objects.in_scope(scope).values("pk"))
    all_tasks = list(tasks)
    figures = _sums(all_tasks) if is_partial else results_of(campaign)
    looks = [task.next_poll_at for task in all_tasks if task.next_poll_at and not task.is_settled]
    return Picture(
        campaign=campaign,
        badge=status_badge(campaign, STATUS_TONES),
        steps=_steps(campaign, figures),
        losses=list(_losses(campaign, figures)),
        excluded=list(_excluded(campaign, figures["excluded"])),
        rows=_rows(campaign, all_tasks)[:_MOST_STAFF],
        chats=_chats(campaign, scope if is_partial else None),
        chats_link=recipients_link(campaign),
        staff=len({task.staff_id for task in all_tasks}),
        staff_confirmed=len(_confirmed_staff(all_tasks)),
        planned=figures["planned"],
        next_look=min(looks, default=None),
        looks_at_once=any(look <= now for look in looks),
        looks=max((task.polls for task in all_tasks), default=0),
        reminders_left=reminders_left(campaign, now=now),
        reminders_a_day=REMINDERS_PER_DAY,
        is_running=campaign.status in RUNNING,
        is_partial=is_partial,
    )


RUNNING = {
    Campaign.Status.SCHEDULED,
    Campaign.Status.PLANNING,
    Campaign.Status.ASKED,
    Campaign.Status.PARTLY_CONFIRMED,
}


def recipients_link(campaign: Campaign, **filters: Any) -> str:
    query = urlencode({"campaign": campaign.pk, **filters})
    return f"{reverse('admin:campaigns_recipient_changelist')}?{query}"


def _sums(tasks: list[Task]) -> dict[str, Any]:
    sums = {word: sum(getattr(task, word) for task in tasks) for word in FIGURES}
    return {**sums, "excluded": {}}


def _steps(campaign: Campaign, figures: dict[str, Any]) -> list[Step]:
    planned = figures["planned"]
    heights = [100 * (figures[word] or 0) / planned if planned else 0 for word in STEPS]
    return [
        Step(
            word=word,
            name=name,
            note=(CHAT_STEP_NOTES if campaign.is_to_chats else STEP_NOTES)[word],
            count=figures[word],
            link=recipients_link(campaign, figure=word),
            height=heights[place],
            next_height=[*heights, 0.0][place + 1],
            shade=0.5 + 0.15 * place,
        )
        for place, (word, name) in enumerate(STEPS.items())
    ]


def _losses(campaign: Campaign, figures: dict[str, Any]) -> Iterator[Loss]:
    losses = CHAT_LOSSES if campaign.is_to_chats else LOSSES
    for word, (name, tone) in losses.items():
        if count := figures[word]:
            yield Loss(name, tone, count, recipients_link(campaign, figure=word))


def _excluded(campaign: Campaign, reasons: dict[str, int]) -> Iterator[Loss]:
    for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1]):
        link = recipients_link(campaign, figure="excluded", reason=reason)
        yield Loss(reason_words(reason), "scrm-grey", count, link)


def reason_words(reason: str) -> Any:
    return dict(Recipient.Reason.choices).get(reason, reason)


# What needs a person first, what went well last.
_CHATS_FIRST = Case(
    *(
        When(status=status, then=Value(place))
        for place, status in enumerate(("failed", "asked", "excluded", "cancelled", "confirmed"))
    ),
    default=Value(9),
    output_field=IntegerField(),
)


def _chats(campaign: Campaign, scope: Scope | None) -> list[ChatRow]:
    if not campaign.is_to_chats:
        return []
    recipients = campaign.recipients.select_related("chat", "staff")
    if scope is not None:
        recipients = recipients.filter(staff__in=Staff.objects.in_scope(scope).values("pk"))
    return [
        ChatRow(
            each, badge(each.state_words, RECIPIENT_TONES[each.status]), reason_words(each.reason)
        )
        for each in recipients.order_by(_CHATS_FIRST, "pk")[:_MOST_CHATS]
    ]


def _rows(campaign: Campaign, tasks: list[Task]) -> list[Row]:
    """Laggards first: who holds up most customers."""
    rows = [_row(campaign, task) for task in tasks]
    return sorted(rows, key=lambda row: (-row.unsent, -(row.lost or 0), row.task.staff.name))


def _row(campaign: Campaign, task: Task) -> Row:
    figures: Any = task  # annotated by `results_by_staff`
    # Until a member confirms nobody can know what will arrive.
    is_known = task.status == Task.Status.CONFIRMED
    return Row(
        task=task,
        badge=status_badge(task, TASK_TONES),
        asked=figures.asked,
        delivered=figures.delivered if is_known else None,
        lost=figures.not_friend + figures.quota if is_known else None,
        unsent=figures.unsent,
        link=recipients_link(campaign, staff=task.staff_id),
    )


def _confirmed_staff(tasks: list[Task]) -> set[int]:
    return {task.staff_id for task in tasks if task.status == Task.Status.CONFIRMED}
