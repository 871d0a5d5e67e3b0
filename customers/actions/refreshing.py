"""Reading one thing from the platform again; each function is a refresher of `scrm.channels`."""

from datetime import datetime

from django.db import transaction

from customers.actions.directory import Directory, apply_directory, resolve_staff
from customers.actions.follows import apply_relations, end_unlisted
from customers.actions.tag_catalogue import apply_tag_groups
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.base import Channel
from scrm.channels.errors import Stale
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp


def refresh_customer(channel: Channel, corp: Corp, key: str, now: datetime) -> None:
    """Read one customer with all who follow them; raises Stale when nobody does any more."""
    try:
        customer, follows = channel.customer(key)
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
    apply_tag_groups(channel.tag_groups(), corp=corp, now=now)


def refresh_staff(channel: Channel, corp: Corp, key: str, now: datetime) -> None:
    """Read departments and staff."""
    apply_directory(read_directory(channel), corp=corp, now=now)


def read_directory(channel: Channel) -> Directory:
    """Ask for everything that the platform shows of departments and staff."""
    departments = channel.departments()
    return Directory(
        departments=departments,
        staff=channel.staff(department.department_id for department in departments),
        with_contact=channel.staff_with_customer_contact(),
    )


def _end_unlisted(key: str, *, corp: Corp, listed: list[int], now: datetime) -> None:
    if not end_unlisted(key, corp=corp, listed=listed, now=now, read_at=now):
        # Something happened to the customer while the platform was asked: ask again.
        request_refresh(Refresh.Kind.CUSTOMER, corp=corp, now=now, key=key)
