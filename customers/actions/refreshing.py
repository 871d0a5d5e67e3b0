"""Reading one thing from the platform again; each function is a refresher of `scrm.channels`."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from django.db import transaction

from customers.actions.directory import Directory, apply_directory, resolve_staff
from customers.actions.follows import apply_relations, end_unlisted
from customers.actions.tag_catalogue import apply_tag_groups
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.base import Channel, StaffRecord
from scrm.channels.errors import Stale
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp

T = TypeVar("T")


# So many questions that a job's lease outlasts them.
_DEPARTMENTS_AT_ONCE = 20


class Ask(Protocol):
    """Puts a question to the platform, with whatever patience whoever asks has."""

    def __call__(self, question: Callable[[], T], /) -> T: ...


def _ask(question: Callable[[], T], /) -> T:
    return question()


def refresh_customer(channel: Channel, corp: Corp, key: str, now: datetime) -> None:
    """Read one customer with all who follow them; raises Stale when nobody does any more."""
    try:
        customer, follows = channel.contacts.customer(key)
    except Stale:
        _end_unlisted(key, corp=corp, listed=[], now=now)
        raise
    with transaction.atomic():
        relations = [(customer, follow) for follow in follows]
        apply_relations(relations, corp=corp, now=now, read_at=now)
        listed = resolve_staff((follow.userid for follow in follows), corp=corp)
        _end_unlisted(key, corp=corp, listed=list(listed.values()), now=now)


def refresh_tags(channel: Channel, corp: Corp, key: str, now: datetime) -> None:
    """Read the platform's tags and their groups."""
    apply_tag_groups(channel.tags.groups(), corp=corp, now=now)


def refresh_staff(channel: Channel, corp: Corp, key: str, now: datetime) -> None:
    """Read departments and staff."""
    apply_directory(read_directory(channel), corp=corp, now=now)


def read_directory(channel: Channel, *, ask: Ask = _ask) -> Directory:
    """Ask for everything that the platform shows of departments and staff, through `ask`."""
    departments = ask(channel.directory.departments)
    ids = [department.department_id for department in departments]
    staff: list[StaffRecord] = []
    for start in range(0, len(ids), _DEPARTMENTS_AT_ONCE):
        staff += ask(partial(channel.directory.staff, ids[start : start + _DEPARTMENTS_AT_ONCE]))
    return Directory(departments, staff, ask(channel.contacts.staff_with_customer_contact))


def _end_unlisted(key: str, *, corp: Corp, listed: list[int], now: datetime) -> None:
    if not end_unlisted(key, corp=corp, listed=listed, now=now, read_at=now):
        # Something happened to the customer while the platform was asked: ask again.
        request_refresh(Refresh.Kind.CUSTOMER, corp=corp, now=now, key=key)
