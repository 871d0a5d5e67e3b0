"""One row of every kind that the admin shows, all of one corp."""

from django.db.models import Model

from campaigns.models import Campaign, Recipient, Task
from customers.models import Customer
from groups.models import Membership
from scrm.audit.models import AuditEntry
from scrm.channels.models import EndpointPause, InboundEvent, Operation, Refresh
from scrm.jobs.models import Job
from scrm.tenancy.models import ApiKey, Corp, Staff
from tests.factories import (
    NOW,
    make_api_key,
    make_campaign,
    make_customer,
    make_department,
    make_group_chat,
    make_segment,
    make_staff,
    make_stage,
    make_tag,
)

# Everybody's marker in names: where it shows up, somebody sees too much.
MARK = "Geheim"


def rows_of_every_kind(corp: Corp) -> dict[type[Model], Model]:
    department = make_department(corp, name=f"{MARK} department")
    staff = make_staff(corp, departments=[department], name=f"{MARK} staff")
    tag = make_tag(corp, f"{MARK} tag")
    customer = make_customer(corp, staff=staff, tags=[tag], name=f"{MARK} customer")
    chat = make_group_chat(corp, owner=staff, name=f"{MARK} chat")
    Membership.objects.create(
        corp=corp, chat=chat, type="customer", member_id="wm1", customer=customer, joined_at=NOW
    )
    segment = make_segment(corp, name=f"{MARK} segment")
    campaign = make_campaign(
        corp, name=f"{MARK} campaign", segment=segment, status="asked", planned_at=NOW
    )
    make_api_key(corp)
    rows: list[Model] = [
        corp,
        department,
        staff,
        tag,
        tag.group,
        make_stage(corp, f"{MARK.lower()}-stage"),
        customer,
        chat,
        segment,
        campaign,
        _recipient(campaign, customer, staff),
        ApiKey.objects.get(corp=corp),
        *_ledgers(corp),
    ]
    return {type(row): row for row in rows}


def _recipient(campaign: Campaign, customer: Customer, staff: Staff) -> Recipient:
    task = Task.objects.create(
        corp=campaign.corp, campaign=campaign, staff=staff, status="asked", asked_at=NOW
    )
    return Recipient.objects.create(
        corp=campaign.corp,
        campaign=campaign,
        customer=customer,
        staff=staff,
        task=task,
        status="asked",
    )


def _ledgers(corp: Corp) -> list[Model]:
    return [
        Job.objects.create(
            corp=corp, kind="sync", created_at=NOW, due_at=NOW, errors=[{"message": MARK}]
        ),
        AuditEntry.objects.create(
            corp=corp,
            at=NOW,
            actor_kind="user",
            actor_name=MARK,
            action="corps.changed",
            subject_type="tenancy.corp",
            subject_id=str(corp.pk),
        ),
        make_event(corp),
        make_operation(corp),
        EndpointPause.objects.create(corp=corp, kind=MARK, until=NOW, errcode=45009),
        Refresh.objects.create(corp=corp, kind="customer", key=MARK, wished_at=NOW, due_at=NOW),
    ]


def make_event(corp: Corp, number: int = 1, **fields: object) -> InboundEvent:
    defaults = {
        "digest": number.to_bytes(32, "big"),
        "event": "change_external_contact",
        "change_type": "add_external_contact",
        "order_key": f"{MARK}-{number}",
        "body": "<xml><Event>change_external_contact</Event></xml>",
        "status": "failed",
        "error": "KeyError: 'x'",
        "received_at": NOW,
        "next_attempt_at": NOW,
    }
    return InboundEvent.objects.create(corp=corp, **(defaults | fields))


def make_operation(corp: Corp, number: int = 1, **fields: object) -> Operation:
    defaults = {
        "kind": "tag_customer",
        "idempotency_key": f"{MARK}-{number}",
        "payload": {"userid": "alice"},
        "status": "parked",
        "next_attempt_at": NOW,
        "created_at": NOW,
    }
    return Operation.objects.create(corp=corp, **(defaults | fields))
