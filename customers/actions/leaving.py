"""A member of staff who leaves: from this moment nothing new is given to her."""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError
from scrm.jobs.actions.running import start_job
from scrm.tenancy.models import Corp, Staff

Listener = Callable[[Staff, datetime], None]

# The job that reads whom the platform lists as waiting (handover/unassigned.py).
READ_UNASSIGNED = "handover.unassigned"

_listeners: list[Listener] = []


class AlreadyLeft(DomainError):
    code = "already_left"


def subscribe_leaving(listener: Listener) -> None:
    """Call `listener(staff, now)` in the transaction that marks somebody as leaving or gone.

    Who is marked first and found gone later is told twice.
    """
    if listener not in _listeners:
        _listeners.append(listener)


@transaction.atomic
def mark_leaving(staff: Staff, *, actor: Actor, now: datetime) -> Staff:
    """Give her nothing new from now on; a second mark changes nothing.

    Raises AlreadyLeft when there is nothing to mark any more.
    """
    locked = _lock_present(staff)
    if locked.leaving_since is None:
        locked.leaving_since = now
        locked.save(update_fields=["leaving_since"])
        record("staff.marked_leaving", actor=actor, corp=locked.corp, subject=locked, now=now)
        _tell(locked, now)
    return locked


@transaction.atomic
def unmark_leaving(staff: Staff, *, actor: Actor, now: datetime) -> Staff:
    """She stays after all. What was taken from her meanwhile is given back by hand."""
    locked = _lock_present(staff)
    if locked.leaving_since is not None:
        locked.leaving_since = None
        locked.save(update_fields=["leaving_since"])
        record("staff.unmarked_leaving", actor=actor, corp=locked.corp, subject=locked, now=now)
    return locked


def note_left(staff_ids: Iterable[int], *, corp: Corp, now: datetime) -> int:
    """Do for people who were found gone what marking them would have done; return how many.

    In the transaction that found them gone. What the platform lists as waiting is read again.
    """
    gone = list(Staff.objects.for_corp(corp).filter(pk__in=list(staff_ids)).order_by("pk"))
    for staff in gone:
        _tell(staff, now)
    if gone:
        start_job(READ_UNASSIGNED, corp=corp, now=now)
    return len(gone)


def _lock_present(staff: Staff) -> Staff:
    locked = Staff.objects.select_for_update(of=["self"], no_key=True).select_related("corp")
    row = locked.get(pk=staff.pk)
    if row.status == Staff.Status.LEFT:
        raise AlreadyLeft(_("She has left already: hand her customers over instead."))
    return row


def _tell(staff: Staff, now: datetime) -> None:
    for listener in tuple(_listeners):
        listener(staff, now)
