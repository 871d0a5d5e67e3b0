"""Whom the platform lists as waiting for a new colleague, compared with what we know.

Every page of the list is one transaction with the job's bookmark. Customers and relations that
we did not know are made; who is listed as the former colleague has left, if we did not know that
either; relations that are not listed any more were given to somebody in the console.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from customers.actions.derived import derive, lock_customers
from customers.actions.directory import resolve_staff
from customers.actions.follows import end_follows
from customers.actions.handover.preflight import LONGEST_GONE
from customers.actions.identities import adopt_waiting
from customers.actions.leaving import READ_UNASSIGNED, note_left
from customers.models import Customer, Follow, HandoverItem, SyncSighting
from scrm.channels.actions.refreshes import request_refresh, request_refreshes
from scrm.channels.base import Channel, UnassignedCustomer, UnassignedPage
from scrm.channels.errors import RetryLater
from scrm.channels.models import Refresh
from scrm.channels.opening import open_channel
from scrm.jobs.actions.running import NotYet, Outcome, note_progress, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff

# The list may be behind somebody's leaving for a while.
_SETTLING = timedelta(days=1)
# A platform that is busy or does not answer is asked again for so long.
_PATIENCE = timedelta(hours=1)
_LOOK_AGAIN = timedelta(seconds=5)
# The same userid can have been given to somebody since.
_OLD_NEWS = timedelta(days=30)


def start_reading_unassigned(corp: Corp, *, now: datetime) -> Job:
    """Compare now; a second click finds the job of the first."""
    return start_job(READ_UNASSIGNED, corp=corp, now=now)


def start_everywhere(*, now: datetime) -> int:
    """Start the comparison of every corp that has somebody who left."""
    left = Staff.objects.filter(corp=OuterRef("pk"), status=Staff.Status.LEFT)
    corps = list(Corp.objects.filter(Exists(left)).order_by("pk"))
    for corp in corps:
        start_reading_unassigned(corp, now=now)
    return len(corps)


def run_reading(job: Job, clock: Callable[[], datetime]) -> Outcome:
    """Read every page of the list, each in one transaction with the bookmark."""
    channel = open_channel(job.corp)
    state = {"cursor": "", "made": 0, "left": [], "is_over": False, **job.state}
    while not state["is_over"]:
        _read_page(job, channel, state, clock)
    with transaction.atomic():
        # What a walk that turned in a circle did not come by may be listed all the same.
        is_whole = state["cursor"] == ""
        ended = _end_unlisted(job, state["left"], now=clock()) if is_whole else 0
        SyncSighting.objects.filter(job=job).delete()
    return Outcome({"waiting": {"platform": job.done, "created": state["made"], "ended": ended}})


def _read_page(
    job: Job, channel: Channel, state: dict[str, object], clock: Callable[[], datetime]
) -> None:
    cursor = str(state["cursor"])
    page = _page(job, channel, cursor, clock)
    now = clock()
    with transaction.atomic():
        staff = resolve_staff((row.handover_userid for row in page.rows), corp=job.corp)
        made, left = _apply(job, page.rows, staff, now=now)
        state["made"] = int(str(state["made"])) + made
        state["left"] = sorted({*state["left"], *left})  # type: ignore[misc]
        # A cursor that comes back is the end, too: whoever follows it reads for ever.
        state["is_over"] = page.next_cursor in {"", cursor}
        state["cursor"] = page.next_cursor
        note_progress(job, now=now, done=job.done + len(page.rows), state=state)


def _page(job: Job, channel: Channel, cursor: str, clock: Callable[[], datetime]) -> UnassignedPage:
    try:
        return channel.handover.unassigned_page(cursor)
    except RetryLater as busy:
        now = clock()
        if now - job.created_at > _PATIENCE:
            raise
        # Nobody may look for it for hours: it goes on with this page.
        raise NotYet(now + max(busy.delay, _LOOK_AGAIN)) from busy


def _apply(
    job: Job, rows: Iterable[UnassignedCustomer], staff: dict[str, int], *, now: datetime
) -> tuple[int, list[int]]:
    """Return how many relations were made, and the staff who are listed as former colleagues."""
    listed = list(rows)
    left_at: dict[int, datetime] = {}
    waiting: dict[int, set[str]] = defaultdict(set)
    for row in listed:
        staff_id = staff[row.handover_userid]
        left_at[staff_id] = max(row.left_at, left_at.get(staff_id, row.left_at))
        waiting[staff_id].add(row.external_userid)
    _note_gone(left_at, corp=job.corp, now=now)
    made = 0
    for staff_id in sorted(waiting):
        made += _make_relations(job, staff_id, sorted(waiting[staff_id]), now=now)
    return made, sorted(waiting)


def _note_gone(left_at: dict[int, datetime], *, corp: Corp, now: datetime) -> None:
    """Who has unassigned customers has left, whatever the directory said last."""
    gone: list[int] = []
    for staff in Staff.objects.for_corp(corp).employed().filter(pk__in=left_at).order_by("pk"):
        if left_at[staff.pk] > now - _OLD_NEWS or not staff.has_customer_contact:
            gone.append(staff.pk)
            Staff.objects.filter(pk=staff.pk).update(
                status=Staff.Status.LEFT, left_at=left_at[staff.pk], has_customer_contact=False
            )
        request_refresh(Refresh.Kind.STAFF, corp=corp, now=now)
    note_left(gone, corp=corp, now=now)
    for staff_id, moment in left_at.items():
        # The platform's own time, where we only knew when we noticed.
        Staff.objects.filter(pk=staff_id, status=Staff.Status.LEFT, left_at__gt=moment).update(
            left_at=moment
        )


def _make_relations(job: Job, staff_id: int, external_userids: list[str], *, now: datetime) -> int:
    """Have each listed relation as a live follow; what the customer ended stays ended."""
    corp = job.corp
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_customer (corp_id, external_userid, unionid, name, avatar, type,"
            " gender, position, company, attributes, is_blocked, live_follows, created_at,"
            " updated_at)"
            " SELECT %s, named.id, '', '', '', 1, 0, '', '', '{}', false, 0, %s, %s"
            " FROM unnest(%s::text[]) AS named (id) ORDER BY named.id"
            " ON CONFLICT (corp_id, external_userid) DO NOTHING RETURNING id",
            [corp.pk, now, now, external_userids],
        )
        strangers = [customer_id for (customer_id,) in cursor.fetchall()]
        listed = Customer.objects.for_corp(corp).filter(external_userid__in=external_userids)
        lock_customers(listed)
        cursor.execute(
            "INSERT INTO customers_follow AS f (corp_id, customer_id, staff_id, remark,"
            " description, state, add_way, added_by, added_at, status, is_owner)"
            " SELECT c.corp_id, c.id, %s, '', '', '', 0, '', %s, 'live', false"
            " FROM customers_customer c WHERE c.corp_id = %s AND c.external_userid = ANY(%s)"
            " ORDER BY c.id"
            " ON CONFLICT (customer_id, staff_id) DO UPDATE SET status = 'live', ended_at = NULL"
            " WHERE f.status = 'gone' AND NOT EXISTS (SELECT FROM customers_handoveritem h"
            "  WHERE h.corp_id = f.corp_id AND h.customer_id = f.customer_id"
            "  AND h.from_staff_id = f.staff_id AND h.status = 'rejected')"
            " RETURNING f.customer_id",
            [staff_id, now, corp.pk, external_userids],
        )
        made = [customer_id for (customer_id,) in cursor.fetchall()]
        cursor.execute(
            "INSERT INTO customers_syncsighting (job_id, follow_id)"
            " SELECT %s, f.id FROM customers_follow f JOIN customers_customer c"
            " ON c.id = f.customer_id WHERE c.corp_id = %s AND c.external_userid = ANY(%s)"
            " AND f.staff_id = %s ON CONFLICT (job_id, follow_id) DO NOTHING",
            [job.pk, corp.pk, external_userids, staff_id],
        )
    derive(made, changed=made, now=now)
    adopt_waiting(strangers, corp=corp, now=now)
    # Nothing but the id is known of those who were made.
    nameless = listed.filter(pk__in=made, name="").values_list("external_userid", flat=True)
    request_refreshes(Refresh.Kind.CUSTOMER, corp=corp, now=now, keys=nameless)
    return len(made)


def _end_unlisted(job: Job, listed_staff: list[int], *, now: datetime) -> int:
    """End relations of former colleagues that are not listed and not on their way.

    Whoever has customers waiting is listed for a year; of whom nothing is listed, nothing waits.
    """
    seen = SyncSighting.objects.filter(job=job, follow=OuterRef("pk"))
    under_way = HandoverItem.objects.under_way().filter(
        customer=OuterRef("customer"), from_staff=OuterRef("staff")
    )
    is_to_be_listed = Q(staff__in=listed_staff) | Q(staff__left_at__gt=now - LONGEST_GONE)
    unlisted = (
        Follow.objects.for_corp(job.corp)
        .live()
        .filter(
            ~Exists(seen),
            ~Exists(under_way),
            is_to_be_listed,
            staff__status=Staff.Status.LEFT,
            staff__left_at__lt=now - _SETTLING,
        )
    )
    ids = list(unlisted.values_list("pk", flat=True))
    return end_follows(ids, status=Follow.Status.GONE, now=now)
