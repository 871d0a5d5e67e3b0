"""What customers do when something happens on the platform."""

from datetime import datetime

from customers.actions.contact_news import add_follow, end_follow
from customers.actions.directory import mark_left
from customers.actions.handover.answers import record_answers
from customers.actions.handover.hints import expect_result
from customers.actions.handover.taken_over import record_remark
from customers.actions.platform_catalogue import KINDS as CATALOGUE_KINDS
from customers.actions.platform_catalogue import apply_catalogue_outcome
from customers.actions.platform_tagging import apply_tagging_outcome
from customers.actions.refreshing import refresh_customer, refresh_staff, refresh_tags
from customers.models import Follow
from scrm.channels.actions.refreshes import register_refresher, request_refresh
from scrm.channels.events import (
    ContactAdded,
    ContactDeletedByCustomer,
    ContactDeletedByStaff,
    ContactEdited,
    DirectoryChanged,
    StaffDeleted,
    TagsChanged,
    TransferFailed,
    subscribe,
)
from scrm.channels.kinds import subscribe_outcome
from scrm.channels.models import Refresh
from scrm.channels.operations import (
    CHANGE_REMARK,
    TAG_CUSTOMER,
    TRANSFER_CHATS,
    TRANSFER_CUSTOMERS,
)
from scrm.tenancy.models import Corp


def subscribe_all() -> None:
    """Listen; called once, when the app is ready."""
    subscribe(ContactAdded, note_added_contact)
    subscribe(ContactEdited, note_edited_contact)
    subscribe(ContactDeletedByStaff, note_deletion_by_staff)
    subscribe(ContactDeletedByCustomer, note_deletion_by_customer)
    subscribe(TagsChanged, note_changed_tags)
    subscribe(DirectoryChanged, note_changed_directory)
    subscribe(StaffDeleted, note_deleted_staff)
    subscribe(ContactAdded, note_hint_of_handover)
    subscribe(ContactDeletedByStaff, note_hint_of_handover)
    subscribe(ContactDeletedByCustomer, note_hint_of_handover)
    subscribe(TransferFailed, note_hint_of_handover)
    subscribe_outcome(TAG_CUSTOMER, apply_tagging_outcome)
    for kind in CATALOGUE_KINDS:
        subscribe_outcome(kind, apply_catalogue_outcome)
    subscribe_outcome(TRANSFER_CUSTOMERS, record_answers)
    subscribe_outcome(TRANSFER_CHATS, record_answers)
    subscribe_outcome(CHANGE_REMARK, record_remark)
    register_refresher(Refresh.Kind.CUSTOMER, refresh_customer)
    register_refresher(Refresh.Kind.TAGS, refresh_tags)
    register_refresher(Refresh.Kind.STAFF, refresh_staff)


def note_added_contact(event: ContactAdded, corp: Corp, now: datetime) -> None:
    add_follow(
        event.userid,
        event.external_userid,
        corp=corp,
        happened_at=event.happened_at,
        now=now,
        state=event.state,
        is_half=event.is_half,
    )
    # Until the member confirms, the platform denies the relation (84061): reading it would end
    # what has just begun. It is read when the member confirms, which is an event of its own.
    if not event.is_half:
        _wish_customer(event.external_userid, corp, now)


def note_edited_contact(event: ContactEdited, corp: Corp, now: datetime) -> None:
    _wish_customer(event.external_userid, corp, now)


def note_deletion_by_staff(event: ContactDeletedByStaff, corp: Corp, now: datetime) -> None:
    status = Follow.Status.TRANSFERRED if event.by_transfer else Follow.Status.DELETED_BY_STAFF
    _end(event, status, corp, now)


def note_deletion_by_customer(event: ContactDeletedByCustomer, corp: Corp, now: datetime) -> None:
    _end(event, Follow.Status.DELETED_BY_CUSTOMER, corp, now)


def note_changed_tags(event: TagsChanged, corp: Corp, now: datetime) -> None:
    request_refresh(Refresh.Kind.TAGS, corp=corp, now=now)


def note_changed_directory(event: DirectoryChanged, corp: Corp, now: datetime) -> None:
    request_refresh(Refresh.Kind.STAFF, corp=corp, now=now)


def note_deleted_staff(event: StaffDeleted, corp: Corp, now: datetime) -> None:
    mark_left(event.userid, corp=corp, left_at=event.happened_at, now=now)
    # The event may be an old one: the same userid can have been given to somebody since.
    request_refresh(Refresh.Kind.STAFF, corp=corp, now=now)


def note_hint_of_handover(
    event: ContactAdded | ContactDeletedByStaff | ContactDeletedByCustomer | TransferFailed,
    corp: Corp,
    now: datetime,
) -> None:
    expect_result(event.userid, event.external_userid, corp=corp, now=now)


def _end(
    event: ContactDeletedByStaff | ContactDeletedByCustomer,
    status: Follow.Status,
    corp: Corp,
    now: datetime,
) -> None:
    end_follow(
        event.userid,
        event.external_userid,
        corp=corp,
        status=status,
        happened_at=event.happened_at,
        now=now,
    )


def _wish_customer(external_userid: str, corp: Corp, now: datetime) -> None:
    request_refresh(Refresh.Kind.CUSTOMER, corp=corp, now=now, key=external_userid)
