"""Ticks of customers: handovers go on, and what the platform says of them is read."""

from datetime import datetime, timedelta

from customers.actions.handover.polling import poll_due_legs
from customers.actions.handover.sending import send_due_items
from customers.actions.handover.unassigned import start_everywhere
from customers.actions.identities import adopt_lately_arrived
from customers.actions.snapshots import start_nightly_snapshots
from customers.actions.stage_rules import start_nightly_runs
from customers.actions.tag_expiry import expire_tags
from customers.actions.tag_rules import start_nightly_tag_runs
from customers.actions.value import start_nightly_computing
from scrm.jobs.ticks import tick


@tick("handover-ask", every=timedelta(seconds=2), queue="delivery")
def ask_for_handovers(*, now: datetime) -> int:
    return send_due_items(now=now)


@tick("handover-poll", every=timedelta(seconds=3), queue="sync")
def poll_handovers(*, now: datetime) -> int:
    return poll_due_legs(now=now)


@tick("handover-unassigned", every=timedelta(hours=6), queue="sync")
def read_unassigned(*, now: datetime) -> int:
    return start_everywhere(now=now)


@tick("stages-nightly", every=timedelta(minutes=10), queue="sync")
def judge_stages_at_night(*, now: datetime) -> int:
    return start_nightly_runs(now=now)


@tick("tags-expire", every=timedelta(minutes=1), queue="sync")
def end_expired_tags(*, now: datetime) -> int:
    return expire_tags(now=now)


@tick("arrivals-match", every=timedelta(minutes=5), queue="sync")
def match_arrivals(*, now: datetime) -> int:
    return adopt_lately_arrived(now=now)


@tick("segments-nightly", every=timedelta(minutes=10), queue="sync")
def keep_watched_segments(*, now: datetime) -> int:
    return start_nightly_snapshots(now=now)


@tick("values-nightly", every=timedelta(minutes=10), queue="sync")
def compute_values_at_night(*, now: datetime) -> int:
    return start_nightly_computing(now=now)


@tick("tag-rules-nightly", every=timedelta(minutes=10), queue="sync")
def judge_tags_at_night(*, now: datetime) -> int:
    return start_nightly_tag_runs(now=now)
