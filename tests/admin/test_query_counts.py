"""A list asks the database as often for many rows as for one."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign, Enrolment, Material, Recipient, Sop, StepRun
from customers.models import (
    BrandEvent,
    ChannelRule,
    Customer,
    EventType,
    Identity,
    Order,
    Segment,
    StageRule,
    Tag,
    TagGroup,
)
from groups.models import GroupChat, GroupTag, JoinCode
from risk.models import Lexicon, RiskRule
from scrm.audit.models import AuditEntry
from scrm.channels.models import InboundEvent, Operation
from scrm.jobs.models import Job
from scrm.tenancy.models import ApiKey, Corp, Department, Staff
from tests.admin.rows import make_event, make_operation
from tests.admin.test_scope import page
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
    make_identity,
    make_join_code,
    make_lexicon,
    make_material,
    make_order,
    make_risk_rule,
    make_segment,
    make_sop,
    make_staff,
    make_stage,
    make_tag,
)

Make = Callable[[Corp, int], object]


def _customer(corp: Corp, number: int) -> None:
    tags = [make_tag(corp, kind=kind) for kind in ("system", "wecom")]
    make_customer(
        corp,
        staff=[make_staff(corp), make_staff(corp)],
        tags=tags,
        stage=make_stage(corp, f"stage{number}"),
    )


def _recipient(corp: Corp, number: int) -> None:
    campaign = make_campaign(corp)
    staff = make_staff(corp)
    customer = make_customer(corp, staff=staff)
    campaign.recipients.create(corp=corp, customer=customer, staff=staff, status="asked")


def _enrolment(corp: Corp) -> None:
    make_enrolment(make_sop(corp), make_customer(corp, staff=make_staff(corp)))


def _entry(corp: Corp, number: int) -> None:
    AuditEntry.objects.create(
        corp=corp,
        at=NOW,
        actor_kind="user",
        action="segments.created",
        subject_type="customers.segment",
        subject_id=str(make_segment(corp).pk),
    )


def _job(corp: Corp, number: int) -> None:
    Job.objects.create(corp=corp, kind="sync", subject_id=str(number), created_at=NOW, due_at=NOW)


def _channel_rule(corp: Corp, number: int) -> None:
    stage = make_stage(corp, f"stage{number}")
    rule = ChannelRule.objects.create(corp=corp, name="Rule", state=f"shop-{number}", stage=stage)
    rule.tags.set([make_tag(corp), make_tag(corp, deleted_at=NOW)])


def _stage_rule(corp: Corp, number: int) -> None:
    stage = make_stage(corp, f"stage{number}")
    StageRule.objects.create(corp=corp, stage=stage, rule={"all": []}, order=number)


LISTS: dict[type[Model], Make] = {
    ChannelRule: _channel_rule,
    StageRule: _stage_rule,
    Customer: _customer,
    Staff: lambda corp, _n: make_staff(corp, departments=[make_department(corp)]),
    Department: lambda corp, _n: make_department(corp, parent=make_department(corp)),
    Tag: lambda corp, _n: make_customer(corp, tags=[make_tag(corp)]),
    TagGroup: lambda corp, number: make_tag(corp).group,
    Segment: lambda corp, _n: make_campaign(corp, segment=make_segment(corp)),
    Order: lambda corp, _n: make_order(corp, customer=make_customer(corp)),
    BrandEvent: lambda corp, _n: make_brand_event(corp, customer=make_customer(corp)),
    EventType: lambda corp, _n: make_event_type(corp),
    Identity: lambda corp, _n: make_identity(make_customer(corp)),
    GroupChat: lambda corp, _n: make_group_chat(corp, owner=make_staff(corp)).tags.add(
        make_group_tag(corp)
    ),
    GroupTag: lambda corp, _n: make_group_tag(corp),
    JoinCode: lambda corp, _n: make_join_code(
        corp, chats=[make_group_chat(corp, owner=make_staff(corp))]
    ),
    Campaign: lambda corp, _n: make_campaign(corp, segment=make_segment(corp)),
    Material: lambda corp, _n: make_material(corp),
    Lexicon: lambda corp, _n: make_lexicon(corp),
    RiskRule: lambda corp, _n: make_risk_rule(corp),
    Recipient: _recipient,
    Sop: lambda corp, _n: _enrolment(corp),
    Enrolment: lambda corp, _n: _enrolment(corp),
    StepRun: lambda corp, _n: _enrolment(corp),
    Job: _job,
    AuditEntry: _entry,
    InboundEvent: make_event,
    Operation: make_operation,
    ApiKey: lambda corp, _n: make_api_key(corp),
}


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model._meta.label)
def test_a_list_needs_as_many_queries_for_many_rows(
    lin: Client, corp: Corp, model: type[Model]
) -> None:
    address = page(model, "changelist")
    LISTS[model](corp, 1)
    # Content types and the like are looked up once per process.
    lin.get(address)
    with CaptureQueriesContext(
        connection,
    ) as few:
        lin.get(address)
    for number in range(2, 9):
        LISTS[model](corp, number)

    with CaptureQueriesContext(connection) as many:
        answer = lin.get(address)

    assert len(answer.context["cl"].result_list) > 1 or model is TagGroup
    assert len(many) == len(few)
    assert len(many) <= 16


def test_the_home_page_needs_as_many_queries_for_a_full_corp(lin: Client, corp: Corp) -> None:
    lin.get("/admin/")
    with CaptureQueriesContext(connection) as few:
        lin.get("/admin/")
    for number in range(1, 6):
        _customer(corp, number)
        _recipient(corp, number)
        _job(corp, number)
        make_event(corp, number)

    with CaptureQueriesContext(connection) as many:
        lin.get("/admin/")

    assert len(many) == len(few)
    assert len(many) <= 20


def test_a_customer_s_page_needs_as_many_queries_for_many_followers(
    lin: Client, corp: Corp
) -> None:
    few_friends = make_customer(corp, staff=make_staff(corp), tags=[make_tag(corp)])
    followers = [make_staff(corp) for _ in range(6)]
    many_friends = make_customer(
        corp, staff=followers, tags=[make_tag(corp, kind="wecom") for _ in range(6)]
    )
    lin.get(page(Customer, "change", few_friends.pk))

    with CaptureQueriesContext(connection) as few:
        lin.get(page(Customer, "change", few_friends.pk))
    with CaptureQueriesContext(connection) as many:
        lin.get(page(Customer, "change", many_friends.pk))

    assert len(many) == len(few)
