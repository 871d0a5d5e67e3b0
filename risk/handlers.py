"""What the risk app does when something happens on the platform."""

from datetime import datetime

from risk.actions.archiving import wish_pull
from risk.actions.consent import record_agreements, said_of
from risk.actions.deletions import note_deleted_customer
from scrm.channels.base import Agreement
from scrm.channels.events import ArchiveGrew, ArchivingAgreed, ContactDeletedByStaff, subscribe
from scrm.tenancy.models import Corp


def subscribe_all() -> None:
    """Listen; called once, when the app is ready."""
    subscribe(ArchiveGrew, note_grown_archive)
    subscribe(ArchivingAgreed, note_agreement)
    subscribe(ContactDeletedByStaff, note_deletion)


def note_grown_archive(event: ArchiveGrew, corp: Corp, now: datetime) -> None:
    wish_pull(corp, now=now)


def note_agreement(event: ArchivingAgreed, corp: Corp, now: datetime) -> None:
    agreed = Agreement(event.userid, event.external_userid, True, event.happened_at)  # noqa: FBT003
    record_agreements([said_of(agreed, now=now)], corp=corp)


def note_deletion(event: ContactDeletedByStaff, corp: Corp, now: datetime) -> None:
    # A handover takes the customer from the former colleague: nobody deleted anything.
    if not event.by_transfer:
        note_deleted_customer(
            event.userid,
            event.external_userid,
            corp=corp,
            happened_at=event.happened_at,
            now=now,
        )
