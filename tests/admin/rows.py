"""One row of every kind that the admin shows, all of one corp."""

from django.db.models import Model

from campaigns.models import Campaign, Recipient, Task
from customers.models import (
    ChannelRule,
    Customer,
    CustomerValue,
    HandoverItem,
    PreTag,
    StageRule,
    TagRule,
    ValueSettings,
    WaitingCustomer,
)
from groups.models import Membership
from risk.models import Agreement, ArchiveCursor
from scrm.audit.models import AuditEntry
from scrm.channels.models import EndpointPause, InboundEvent, Operation, Refresh
from scrm.jobs.models import Job
from scrm.tenancy.models import ApiKey, Corp, Staff
from tests.factories import (
    NOW,
    make_api_key,
    make_brand_event,
    make_campaign,
    make_customer,
    make_department,
    make_enrolment,
    make_event_type,
    make_group_chat,
    make_group_tag,
    make_handover_plan,
    make_identity,
    make_incident,
    make_join_code,
    make_lexicon,
    make_material,
    make_media,
    make_message,
    make_order,
    make_risk_rule,
    make_segment,
    make_sop,
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
    stage = make_stage(corp, f"{MARK.lower()}-stage")
    rows: list[Model] = [
        corp,
        department,
        staff,
        tag,
        tag.group,
        stage,
        StageRule.objects.create(corp=corp, stage=stage, rule={"all": []}),
        ChannelRule.objects.create(corp=corp, name=f"{MARK} rule", state="shop", stage=stage),
        PreTag.objects.create(
            corp=corp, tag=tag, identity_kind="phone", identity_digest=b"1", created_at=NOW
        ),
        customer,
        chat,
        make_group_tag(corp, f"{MARK} group tag"),
        make_join_code(corp, chats=[chat], name=f"{MARK} code"),
        segment,
        make_order(corp, customer=customer, order_no=f"{MARK}-1"),
        make_brand_event(corp, customer=customer, problem=MARK),
        make_event_type(corp, f"{MARK} type"),
        make_identity(customer),
        TagRule.objects.create(
            corp=corp,
            tag=make_tag(corp, f"{MARK} auto", kind="auto"),
            rule={"all": []},
            updated_at=NOW,
        ),
        ValueSettings.objects.create(corp=corp),
        CustomerValue.objects.create(
            corp=corp,
            customer=customer,
            computed_on=NOW.date(),
            first_order_at=NOW,
            last_order_at=NOW,
            recency_days=0,
            frequency=1,
            monetary_fen=1,
            lifetime_orders=1,
            lifetime_fen=1,
            r=5,
            f=5,
            m=5,
            value_class="important_value",
        ),
        campaign,
        make_lexicon(corp, name=f"{MARK} lexicon"),
        make_risk_rule(corp, name=f"{MARK} rule"),
        make_material(corp, title=f"{MARK} material"),
        make_media(corp, name=f"{MARK}.png"),
        _recipient(campaign, customer, staff),
        *_sop(customer),
        *_handover(corp),
        ApiKey.objects.get(corp=corp),
        *_ledgers(corp),
        *_archive(corp),
        make_incident(corp, staff=staff, note=MARK),
    ]
    return {type(row): row for row in rows}


def _handover(corp: Corp) -> list[Model]:
    leaver = make_staff(corp, name=f"{MARK} leaver", status="left", left_at=NOW)
    plan = make_handover_plan(corp, from_staff=leaver)
    waiting = WaitingCustomer.objects.get(staff=leaver)
    return [plan, HandoverItem.objects.get(plan=plan), waiting]


def _sop(customer: Customer) -> list[Model]:
    sop = make_sop(customer.corp, name=f"{MARK} SOP", status="active", activated_at=NOW)
    enrolment = make_enrolment(sop, customer)
    return [sop, enrolment, enrolment.runs.get()]


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


def _archive(corp: Corp) -> list[Model]:
    return [
        make_message(corp, sender=MARK, text=MARK),
        Agreement.objects.create(corp=corp, external_userid=f"wm-{MARK}", checked_at=NOW),
        ArchiveCursor.objects.create(corp=corp, problem=MARK),
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
