"""Walking through every follow that the platform lists, page by page."""

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from customers.actions.counts import Counts, Report
from customers.actions.directory import note_customer_contact
from customers.actions.follows import apply_relations, end_follows
from customers.actions.sync_run import SyncRun
from customers.models import Customer, Follow, FollowQuerySet, SyncSighting
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.base import CustomerPage
from scrm.channels.errors import ChannelError, RetryLater, Stale
from scrm.channels.models import Refresh
from scrm.jobs.models import Job
from scrm.tenancy.models import Staff

MEMBERS_AT_ONCE = 100  # [doc 92994]
# What the platform answers to a cursor that is too old or does not fit its question.
_BAD_CURSOR = frozenset({40035, 40058, 50100, 60268})
_RESTARTS = 5

State = dict[str, Any]


def walk_customers(run: SyncRun) -> None:
    """Compare every follow of every member of staff with customer contact.

    Each page is one transaction with the bookmark; a sync that is taken up again goes on behind
    the last page. What the platform did not list of a batch of members is gone.
    """
    state: State = run.bookmark.get("customers") or _begin(run)
    while members := _choose_batch(run, state):
        try:
            page, read_at = run.ask(partial(_read_page, run, state, members))
        except ChannelError as error:
            _restart_batch(run, state, error)
        else:
            _apply_page(run, state, page, read_at)
    with transaction.atomic():
        run.finish("customers", _report(run, state))
        SyncSighting.objects.filter(job=run.job).delete()


def _begin(run: SyncRun) -> State:
    _note_contact(run)
    left_over = Job.objects.for_corp(run.corp).exclude(
        status__in=[Job.Status.QUEUED, Job.Status.RUNNING]
    )
    SyncSighting.objects.filter(job__in=left_over).delete()
    run.expect(Follow.objects.for_corp(run.corp).live().count())
    place: State = {"after": 0, "batch": [], "cursor": "", "read": 0, "restarts": 0}
    counted = ("listed", "created", "updated", "ended", "people", "changed_people", "lost_people")
    state = run.bookmark["customers"] = place | dict.fromkeys(counted, 0)
    run.note()
    return state


def _note_contact(run: SyncRun) -> None:
    note_customer_contact(run.ask(run.channel.contacts.staff_with_customer_contact), corp=run.corp)


def _choose_batch(run: SyncRun, state: State) -> list[str]:
    """The userids of the members whose pages are being read; empty at the end of the walk."""
    staff = Staff.objects.for_corp(run.corp).filter(has_customer_contact=True).order_by("pk")
    while True:
        if not state["batch"]:
            following = staff.filter(pk__gt=state["after"]).values_list("pk", flat=True)
            state["batch"] = list(following[:MEMBERS_AT_ONCE])
        if not state["batch"]:
            return []
        # Whoever has lost customer contact on the way is not asked for again.
        if members := list(staff.filter(pk__in=state["batch"]).values_list("userid", flat=True)):
            return members
        _close_batch(state)


def _close_batch(state: State) -> None:
    state["listed"] += state["read"]
    state |= {"after": max(state["batch"]), "batch": [], "cursor": "", "read": 0, "restarts": 0}


def _read_page(run: SyncRun, state: State, members: list[str]) -> tuple[CustomerPage, datetime]:
    read_at = run.clock()
    return run.channel.contacts.customer_page(members, state["cursor"]), read_at


def _restart_batch(run: SyncRun, state: State, error: ChannelError) -> None:
    """Begin the batch again when its cursor, or one of its members, is refused; else raise."""
    may_restart = error.errcode in _BAD_CURSOR if state["cursor"] else isinstance(error, Stale)
    if isinstance(error, RetryLater) or not may_restart or state["restarts"] >= _RESTARTS:
        raise error
    _note_contact(run)
    state |= {"cursor": "", "read": 0, "restarts": state["restarts"] + 1}
    run.note()


def _apply_page(run: SyncRun, state: State, page: CustomerPage, read_at: datetime) -> None:
    now = run.clock()
    is_last = page.next_cursor in {"", state["cursor"]}
    with transaction.atomic():
        applied = apply_relations(page.rows, corp=run.corp, now=now, read_at=read_at)
        for external_userid in applied.overtaken:
            request_refresh(Refresh.Kind.CUSTOMER, corp=run.corp, now=now, key=external_userid)
        state["created"] += applied.created
        state["updated"] += applied.updated
        state["people"] += applied.customers_created
        state["changed_people"] += applied.customers_updated
        state["read"] += len(page.rows)
        state["cursor"] = page.next_cursor
        if is_last:
            _end_unseen(run, state, now=now)
            _close_batch(state)
        run.note(read=len(page.rows), part="customers")


def _end_unseen(run: SyncRun, state: State, *, now: datetime) -> None:
    unseen = _followed(run).filter(~_seen(run), staff__in=state["batch"])
    ids = list(unseen.live().values_list("pk", flat=True))
    state["ended"] += end_follows(ids, status=Follow.Status.GONE, now=now)
    lost = Customer.objects.lost().filter(follows__in=ids)
    state["lost_people"] += lost.distinct().count()


def _report(run: SyncRun, state: State) -> Report:
    # A follow that the customer ended is listed all the same; both sides count it.
    ours = _followed(run).filter(Q(status=Follow.Status.LIVE) | Q(_seen(run)))
    seen = SyncSighting.objects.filter(job=run.job)
    customers = Counts(
        platform=seen.values("follow__customer").distinct().count(),
        local=ours.values("customer").distinct().count(),
        created=state["people"],
        updated=state["changed_people"],
        ended=state["lost_people"],
    )
    follows = Counts(
        platform=state["listed"],
        local=ours.count(),
        created=state["created"],
        updated=state["updated"],
        ended=state["ended"],
    )
    return {"customers": customers.as_dict(), "follows": follows.as_dict()}


def _followed(run: SyncRun) -> FollowQuerySet:
    """The follows that the platform was asked for: those of members with customer contact."""
    return Follow.objects.for_corp(run.corp).filter(staff__has_customer_contact=True)


def _seen(run: SyncRun) -> Exists:
    return Exists(SyncSighting.objects.filter(job=run.job, follow=OuterRef("pk")))
