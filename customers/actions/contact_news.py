"""What single events say of a follow: it began, or it ended.

Events may arrive late and in any order. A follow remembers when it began or ended on the
platform's clock, and news that is older than that changes nothing.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from customers.actions.channel_rules import apply_channel_rules, read_channel_rules
from customers.actions.derived import derive
from customers.actions.directory import resolve_staff
from customers.actions.follow_facts import note_beginnings, note_ends
from customers.actions.identities import adopt_waiting
from customers.actions.judging import judge_customers
from customers.actions.sightings import note_sightings
from customers.models import Customer, Follow, TimelineEntry
from scrm.tenancy.models import Corp

_ENDED_BY_EVENT = {
    Follow.Status.DELETED_BY_CUSTOMER,
    Follow.Status.DELETED_BY_STAFF,
    Follow.Status.TRANSFERRED,
}


# The inbox has a transaction for each event, and undoes all of it when something fails.
@transaction.atomic(savepoint=False)
def add_follow(  # noqa: PLR0913 (one event, spelled out)
    userid: str,
    external_userid: str,
    *,
    corp: Corp,
    happened_at: datetime,
    now: datetime,
    state: str = "",
    is_half: bool = False,
) -> Follow:
    """Note that a customer was added, before the platform has been asked who it is.

    While the member of staff has not confirmed (`is_half`), it is no fact of the timeline yet.
    """
    # Before the customer is locked: they share-lock the tags that they give.
    rules = read_channel_rules([state], corp=corp)
    new = {"added_at": happened_at, "state": state}
    follow, is_new = _find_or_make(userid, external_userid, corp=corp, now=now, new=new)
    if not is_new and _is_news(follow, happened_at):
        follow.status, follow.ended_at = Follow.Status.LIVE, None
        follow.added_at, follow.state = happened_at, state
        follow.save(update_fields=["status", "ended_at", "added_at", "state"])
        is_new = True
    if is_new:
        derive([follow.customer_id], changed=[follow.customer_id], now=now)
    note_sightings([(follow.staff_id, external_userid)], corp=corp)
    if follow.status == Follow.Status.LIVE and not is_half:
        begun = note_beginnings([follow.pk], source=TimelineEntry.Source.EVENT, now=now)
        apply_channel_rules(begun, rules=rules, corp=corp, now=now)
        judge_customers((each.customer_id for each in begun), corp_id=corp.pk, now=now)
    return follow


@transaction.atomic(savepoint=False)
def end_follow(
    userid: str,
    external_userid: str,
    *,
    corp: Corp,
    status: Follow.Status,
    happened_at: datetime,
    now: datetime,
) -> Follow:
    """Note that one side ended the relation.

    Kept for pairs we do not know, too: the news that it began may still be on its way.
    """
    new = {"added_at": happened_at}
    follow, _ = _find_or_make(userid, external_userid, corp=corp, now=now, new=new)
    if happened_at >= follow.added_at:
        follow.status = _reason(follow, status)
        follow.ended_at = max(happened_at, follow.ended_at or happened_at)
        follow.is_owner = False
        follow.save(update_fields=["status", "ended_at", "is_owner"])
        derive([follow.customer_id], changed=[follow.customer_id], now=now)
        source = TimelineEntry.Source.EVENT
        note_ends([follow.pk], source=source, now=now, status=status, at=happened_at)
        judge_customers([follow.customer_id], corp_id=corp.pk, now=now)
    return follow


def _find_or_make(
    userid: str, external_userid: str, *, corp: Corp, now: datetime, new: dict[str, Any]
) -> tuple[Follow, bool]:
    """The follow, `new` when there is none yet, and whether it was made; its customer is locked."""
    staff_id = resolve_staff([userid], corp=corp)[userid]
    # Before anything is read: a page of the same customer may be on its way (`apply_relations`).
    customer_id = _locked_customer(external_userid, corp=corp, now=now)
    follow = Follow.objects.filter(customer=customer_id, staff=staff_id).first()
    if follow:
        return follow, False
    made = Follow.objects.create(corp=corp, customer_id=customer_id, staff_id=staff_id, **new)
    return made, True


def _locked_customer(external_userid: str, *, corp: Corp, now: datetime) -> int:
    known = Customer.objects.for_corp(corp).filter(external_userid=external_userid)
    pk = known.select_for_update(no_key=True).values_list("pk", flat=True).first()
    if pk is not None:
        return pk
    new = Customer(corp=corp, external_userid=external_userid, created_at=now, updated_at=now)
    # Somebody else may be making it: what is there then is locked by being touched.
    Customer.objects.bulk_create(
        [new],
        update_conflicts=True,
        unique_fields=["corp", "external_userid"],
        update_fields=["updated_at"],
    )
    adopt_waiting([new.pk], corp=corp, now=now)
    return new.pk


def _is_news(follow: Follow, happened_at: datetime) -> bool:
    """Whether an addition at this time is later than what we know of the follow."""
    if follow.status in _ENDED_BY_EVENT:
        return follow.ended_at is None or happened_at >= follow.ended_at
    # A live one may have ended and begun again unseen; one that a sync missed ended on our
    # clock, not on the platform's, and only its beginning can be compared.
    return happened_at > follow.added_at


def _reason(follow: Follow, told: Follow.Status) -> Follow.Status:
    """The first reason stays, but what the customer did outweighs all: the platform hides it."""
    if follow.status not in _ENDED_BY_EVENT or told == Follow.Status.DELETED_BY_CUSTOMER:
        return told
    return Follow.Status(follow.status)
