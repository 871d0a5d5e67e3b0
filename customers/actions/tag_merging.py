"""Two tags that mean the same become one: everybody who carries the one is given the other."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from customers.actions.platform_catalogue import ask_to_delete
from customers.actions.tag_catalogue import forget_tags
from customers.actions.tag_usage import Use, usage_of_tags
from customers.actions.tagging import tag_customers
from customers.models import Customer, Follow, Tag, TagAssignment, TagKind, TimelineEntry
from scrm.audit.actions.recording import SYSTEM, Actor, record
from scrm.channels.models import Operation
from scrm.channels.operations import TAG_CUSTOMER
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.jobs.actions.running import NotYet, Outcome, note_progress, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

MERGING = "tags.merge"
_A_STEP = 5000
_LOOK_AGAIN = timedelta(seconds=30)


class TagInUse(DomainError):
    """What names the tag would mean something else without it; `uses` tells what that is."""

    code = "tag_in_use"

    def __init__(self, uses: list[Use]) -> None:
        self.uses = uses
        told = ", ".join(f"{use.kind} «{use.name}»" for use in uses)
        super().__init__(
            _("The tag is still named by %(uses)s: name the other one there first.")
            % {"uses": told}
        )


@transaction.atomic
def start_merging(tag: Tag, *, into: Tag, actor: Actor, now: datetime) -> Job:
    """Give `into` to everybody who carries `tag`, then delete `tag`; done by a job, in steps.

    This cannot be undone. Raises TagInUse while anything names `tag`: nothing is rewritten behind
    anybody's back. Platform tags are exchanged and deleted by the platform, at its pace.
    """
    _check(tag, into)
    data = {"from": tag.name, "into": into.name, "into_id": into.pk}
    record("tags.merging", actor=actor, corp=tag.corp, subject=tag, now=now, data=data)
    params = {"tag": tag.pk, "into": into.pk, "by": actor.name}
    return start_job(MERGING, corp=tag.corp, now=now, subject_id=str(tag.pk), params=params)


def register_jobs() -> None:
    register_job(MERGING, _merge)


def _check(tag: Tag, into: Tag) -> None:
    problem = ""
    if tag.pk == into.pk or tag.corp_id != into.corp_id:
        problem = _("Choose another tag to merge into.")
    elif tag.deleted_at or into.deleted_at:
        problem = _("This tag has been deleted: choose another one.")
    elif tag.kind != into.kind or tag.kind == TagKind.AUTO:
        problem = _("Two tags of the platform can be merged, or two of ours; not automatic ones.")
    if problem:
        raise InvalidInput(problem, errors=(FieldProblem("/into", "invalid", problem),))
    if uses := usage_of_tags(tag.corp).get(tag.pk):
        raise TagInUse(uses)


def _merge(job: Job, clock: Callable[[], datetime]) -> Outcome:
    tags = (
        Tag.objects.for_corp(job.corp)
        .select_related("group", "corp")
        .in_bulk([job.params["tag"], job.params["into"]])
    )
    tag, into = tags[job.params["tag"]], tags[job.params["into"]]
    if tag.deleted_at:
        return Outcome({"customers": job.done})
    # Named since somebody clicked: a rule that was saved in between is not broken, either.
    _check(tag, into)
    state = {"after": 0} | job.state
    carried = TagAssignment.objects.for_corp(job.corp).filter(tag=tag)
    total = job.total or carried.values("customer").distinct().count()
    while True:
        now = clock()
        with transaction.atomic():
            following = carried.filter(customer__gt=state["after"]).order_by("customer")
            ids = list(following.values_list("customer", flat=True).distinct()[:_A_STEP])
            if not ids:
                break
            _exchange(ids, tag, into, by=job.params["by"], now=now)
            state = {"after": ids[-1]}
            note_progress(job, now=now, done=job.done + len(ids), total=total, state=state)
    if tag.kind == TagKind.WECOM:
        return _finish_on_platform(job, tag, clock)
    with transaction.atomic():
        # From here on nobody is given the tag; who was since the last step is exchanged, too.
        Tag.objects.select_for_update().get(pk=tag.pk)
        late = list(carried.values_list("customer", flat=True))
        if late:
            _exchange(late, tag, into, by=job.params["by"], now=clock())
        forget_tags([tag.pk], corp=job.corp, now=clock())
    return Outcome({"customers": job.done + len(late)})


def _exchange(ids: list[int], tag: Tag, into: Tag, *, by: str, now: datetime) -> None:
    """Each keeps the end that the tag had for her; who carries the other keeps the later end."""
    why: dict[str, Any] = {"by": by} if by else {}
    why |= {"reason": "tag_merged", "merged": tag.pk}
    rows = TagAssignment.objects.filter(customer__in=ids, tag__in=[tag.pk, into.pk])
    ends: dict[int, list[datetime | None]] = {}
    for customer_id, until in rows.values_list("customer", "until"):
        ends.setdefault(customer_id, []).append(until)
    by_end: dict[datetime | None, list[int]] = {}
    for customer_id, untils in ends.items():
        known = [until for until in untils if until is not None and until > now]
        end = None if None in untils or not known else max(known)
        by_end.setdefault(end, []).append(customer_id)
    for end, customers in by_end.items():
        tag_customers(
            Customer.objects.filter(pk__in=customers),
            corp=tag.corp,
            actor=SYSTEM,
            now=now,
            add=[into],
            remove=[tag],
            until=end,
            source=TimelineEntry.Source.PERSON if by else TimelineEntry.Source.SYSTEM,
            why=why,
        )


def _finish_on_platform(job: Job, tag: Tag, clock: Callable[[], datetime]) -> Outcome:
    """Deleted there only when nobody carries it any more: else some would lose it for nothing."""
    now = clock()
    if _still_asked(job.corp):
        raise NotYet(now + _LOOK_AGAIN)
    left = Follow.objects.live().filter(tag_assignments__tag=tag).distinct().count()
    report = {"customers": job.done, "left": left}
    if left:
        text = _("%(count)s relations kept the tag: the platform refused. See the outbox.")
        return Outcome(report, ({"message": text % {"count": left}},))
    ask_to_delete(tag, actor=SYSTEM, now=now)
    return Outcome(report)


def _still_asked(corp: Corp) -> bool:
    waiting = Operation.objects.for_corp(corp).filter(kind=TAG_CUSTOMER)
    return waiting.filter(
        status__in=Operation.UNFINISHED, payload__why__reason="tag_merged"
    ).exists()
