"""Typed makers of rows: plain functions, deterministic, short where they are used."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns.models import Campaign, Enrolment, Material, Sop, Step, StepRun
from customers.actions.identities import link_identity
from customers.models import (
    BrandEvent,
    Customer,
    CustomerTagSet,
    EventType,
    Follow,
    HandoverItem,
    HandoverPlan,
    Identity,
    Order,
    Segment,
    Stage,
    Tag,
    TagAssignment,
    TagGroup,
)
from groups.models import GroupChat, GroupTag, JoinCode
from risk.actions.lexicons import LexiconDraft, create_lexicon
from risk.actions.rules import RuleDraft, create_rule
from risk.models import ArchivedMessage, Incident, Lexicon, RiskRule
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import MediaFile
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.actions.api_keys import create_api_key
from scrm.tenancy.models import Corp, Department, Staff

# Midday in China on a working day: nothing in a test depends on the day it is run.
NOW = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_corp(**fields: Any) -> Corp:
    number = next(_numbers)
    defaults = {
        "corp_id": f"ww{number:016x}",
        "name": f"Corp {number}",
        "base_url": "http://127.0.0.1:9/cgi-bin/",
        "agent_id": "1000002",
        "secret": f"secret-{number}",
        "callback_token": "QDG6eK",
        "callback_aes_key": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        "created_at": NOW,
    }
    return Corp.objects.create(**(defaults | fields))


def connect_to(sandbox: SandboxServer) -> Corp:
    """The corp of a sandbox, as an administrator would have entered it."""
    credentials = sandbox.credentials
    return make_corp(
        corp_id=credentials.corp_id,
        base_url=sandbox.base_url,
        agent_id=str(credentials.agent_id),
        secret=credentials.secret,
        callback_token=credentials.callback_token,
        callback_aes_key=credentials.callback_aes_key,
    )


def make_department(corp: Corp, *, parent: Department | None = None, name: str = "") -> Department:
    number = next(_numbers)
    return Department.objects.create(
        corp=corp,
        department_id=number,
        name=name or f"Department {number}",
        parent_id_on_platform=parent.department_id if parent else 0,
    )


def make_staff(corp: Corp, *, departments: Iterable[Department] = (), **fields: Any) -> Staff:
    number = next(_numbers)
    defaults = {"userid": f"staff{number}", "name": f"Staff {number}", "has_customer_contact": True}
    staff = Staff.objects.create(corp=corp, **(defaults | fields))
    staff.departments.set(departments)
    return staff


def make_customer(
    corp: Corp, *, staff: Staff | Iterable[Staff] = (), tags: Iterable[Tag] = (), **fields: Any
) -> Customer:
    """A customer whom `staff` follow, carrying `tags` (ours on the person, platform ones on the
    first follow)."""
    number = next(_numbers)
    followers = [staff] if isinstance(staff, Staff) else list(staff)
    defaults = {
        "external_userid": f"wm{number:010d}",
        "name": f"Customer {number}",
        "added_at": NOW - timedelta(days=10) if followers else None,
        "live_follows": len(followers),
        "created_at": NOW,
        "updated_at": NOW,
    }
    customer = Customer.objects.create(corp=corp, **(defaults | fields))
    follows = [
        make_follow(customer, follower, added_at=customer.added_at) for follower in followers
    ]
    for tag in tags:
        is_ours = tag.kind != "wecom"
        TagAssignment.objects.create(
            corp=corp, customer=customer, tag=tag, follow=None if is_ours else follows[0], since=NOW
        )
    if tag_ids := sorted(tag.pk for tag in tags):
        CustomerTagSet.objects.create(corp=corp, customer=customer, tag_ids=tag_ids)
    return customer


def make_follow(customer: Customer, staff: Staff, **fields: Any) -> Follow:
    """A bare follow; `Customer.live_follows` is the caller's business."""
    defaults = {"added_at": NOW - timedelta(days=10)}
    return Follow.objects.create(
        corp=customer.corp, customer=customer, staff=staff, **(defaults | fields)
    )


def make_tag(corp: Corp, name: str = "", *, kind: str = "system", **fields: Any) -> Tag:
    number = next(_numbers)
    wecom_id = f"et{number:08d}" if kind == "wecom" else ""
    group, _ = TagGroup.objects.get_or_create(
        corp=corp,
        kind=kind,
        name=f"Group {kind}",
        defaults={"wecom_id": wecom_id and f"g{wecom_id}"},
    )
    return Tag.objects.create(
        corp=corp,
        group=group,
        kind=kind,
        name=name or f"Tag {number}",
        **({"wecom_id": wecom_id} | fields),
    )


def make_stage(corp: Corp, key: str) -> Stage:
    return Stage.objects.create(corp=corp, key=key, name=key.title())


def make_segment(corp: Corp, rule: dict[str, Any] | None = None, **fields: Any) -> Segment:
    defaults = {
        "name": f"Segment {next(_numbers)}",
        "rule": rule if rule is not None else {"all": []},
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Segment.objects.create(corp=corp, **(defaults | fields))


def make_order(corp: Corp, *, customer: Customer | None = None, **fields: Any) -> Order:
    number = next(_numbers)
    defaults = {
        "shop_id": "tmall",
        "order_no": f"2026{number:08d}",
        "status": "paid",
        "amount_fen": 19_900,
        "paid_at": NOW - timedelta(days=1),
        "changed_at": NOW - timedelta(days=1),
        "received_at": NOW,
    }
    return Order.objects.create(corp=corp, customer=customer, **(defaults | fields))


def make_brand_event(corp: Corp, *, customer: Customer | None = None, **fields: Any) -> BrandEvent:
    defaults = {
        "event_id": f"e{next(_numbers)}",
        "type": "page_viewed",
        "occurred_at": NOW,
        "received_at": NOW,
    }
    return BrandEvent.objects.create(corp=corp, customer=customer, **(defaults | fields))


def make_event_type(corp: Corp, name: str = "", **fields: Any) -> EventType:
    defaults = {"name": name or f"type{next(_numbers)}", "updated_at": NOW}
    return EventType.objects.create(corp=corp, **(defaults | fields))


def make_identity(customer: Customer, kind: str = "phone", value: str = "") -> Identity:
    """A phone of the customer's own, unless told otherwise."""
    written = value or f"138{next(_numbers):08d}"
    return link_identity(customer, kind=kind, value=written, actor=SYSTEM, now=NOW)


def make_group_chat(corp: Corp, *, owner: Staff | None = None, **fields: Any) -> GroupChat:
    number = next(_numbers)
    defaults = {"chat_id": f"wr{number:08d}", "name": f"Chat {number}", "updated_at": NOW}
    return GroupChat.objects.create(corp=corp, owner=owner, **(defaults | fields))


def make_group_tag(corp: Corp, name: str = "") -> GroupTag:
    return GroupTag.objects.create(corp=corp, name=name or f"Group tag {next(_numbers)}")


def make_join_code(corp: Corp, *, chats: Iterable[GroupChat] = (), **fields: Any) -> JoinCode:
    """A code the platform has, with a picture, into `chats`."""
    number = next(_numbers)
    defaults = {
        "name": f"Code {number}",
        "state": f"g{number:014x}",
        "config_id": f"config{number}",
        "status": "active",
        "picture": b"\x89PNG",
        "picture_type": "image/png",
        "created_at": NOW,
    }
    code = JoinCode.objects.create(corp=corp, **(defaults | fields))
    code.chats.set(chats)
    return code


def make_campaign(corp: Corp, **fields: Any) -> Campaign:
    defaults = {
        "name": f"Campaign {next(_numbers)}",
        "content": "Hello",
        "created_by": "user:1",
        "created_at": NOW,
    }
    return Campaign.objects.create(corp=corp, **(defaults | fields))


def make_material(corp: Corp, **fields: Any) -> Material:
    defaults = {
        "kind": "link",
        "title": f"Material {next(_numbers)}",
        "content": {"title": "Sale", "url": "https://brand.example/sale"},
        "created_by": "user:1",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Material.objects.create(corp=corp, **(defaults | fields))


def make_media(corp: Corp, **fields: Any) -> MediaFile:
    defaults = {
        "kind": "image",
        "name": "spring.png",
        "digest": f"{next(_numbers):064x}",
        "size": 100,
        "created_at": NOW,
    }
    return MediaFile.objects.create(corp=corp, **(defaults | fields))


def make_handover_plan(corp: Corp, *, customers: int = 1, **fields: Any) -> HandoverPlan:
    """A draft in which a colleague takes customers over from one who has left."""
    giver = fields.pop("from_staff", None) or make_staff(
        corp, status="left", left_at=NOW, has_customer_contact=False
    )
    taker = make_staff(corp)
    defaults = {"kind": "resigned", "created_at": NOW}
    plan = HandoverPlan.objects.create(corp=corp, from_staff=giver, **(defaults | fields))
    plan.takers.add(taker)
    for _ in range(customers):
        HandoverItem.objects.create(
            corp=corp,
            plan=plan,
            customer=make_customer(corp, staff=giver),
            kind=plan.kind,
            from_staff=giver,
            to_staff=taker,
        )
    return plan


def make_sop(corp: Corp, **fields: Any) -> Sop:
    """A bare row with one step; SOPs that do something come from tests/campaigns/sops.py."""
    defaults = {
        "name": f"SOP {next(_numbers)}",
        "trigger": {"type": "manual"},
        "created_at": NOW,
        "updated_at": NOW,
    }
    sop = Sop.objects.create(corp=corp, **(defaults | fields))
    action = {"kind": "message", "content": "Hello", "attachments": []}
    Step.objects.create(sop=sop, position=0, action=action)
    return sop


def make_enrolment(sop: Sop, customer: Customer, **fields: Any) -> Enrolment:
    """A customer on her way, with a run of each step."""
    defaults = {"corp": sop.corp, "anchor": NOW, "trigger": "manual", "created_at": NOW}
    enrolment = Enrolment.objects.create(sop=sop, customer=customer, **(defaults | fields))
    for step in sop.steps.current():
        StepRun.objects.create(
            corp=sop.corp, enrolment=enrolment, step=step, due_at=NOW, look_at=NOW
        )
    return enrolment


def make_message(corp: Corp, **fields: Any) -> ArchivedMessage:
    """An archived message of a member of staff to a customer, kept and screened."""
    number = next(_numbers)
    defaults = {
        "seq": number,
        "msgid": f"m{number}_external",
        "kind": "text",
        "sender": "anna",
        "is_from_staff": True,
        "receivers": ["wm1"],
        "conversation": "anna|wm1",
        "sent_at": NOW + timedelta(seconds=number),
        "text": "Hello",
        "text_state": "kept",
        "pulled_at": NOW,
        "screened_version": 1,
    }
    return ArchivedMessage.objects.create(corp=corp, **(defaults | fields))


def make_incident(corp: Corp, **fields: Any) -> Incident:
    number = next(_numbers)
    defaults = {
        "kind": "message",
        "key": f"message:{number}",
        "severity": "high",
        "category": "private business",
        "happened_at": NOW,
        "opened_at": NOW,
    }
    return Incident.objects.create(corp=corp, **(defaults | fields))


def make_api_key(corp: Corp, scopes: str = "*") -> str:
    """The text of a new key, as a brand's developer holds it."""
    _, text = create_api_key(
        "test", corp=corp, scopes=[scope for scope in scopes.split(",") if scope], now=NOW
    )
    return text


def make_lexicon(corp: Corp, words: Iterable[str] = ("加微信",), **fields: Any) -> Lexicon:
    """A lexicon that holds at once, unless `is_draft`."""
    defaults = {"name": f"Lexicon {next(_numbers)}", "category": "diversion", "severity": "high"}
    draft = LexiconDraft(words=list(words), **(defaults | fields))
    return create_lexicon(draft, corp=corp, actor=SYSTEM, now=NOW)


def make_risk_rule(corp: Corp, kind: str = "phone", **fields: Any) -> RiskRule:
    defaults = {"name": f"Rule {next(_numbers)}", "category": "contact", "severity": "medium"}
    draft = RuleDraft(kind=kind, **(defaults | fields))
    return create_rule(draft, corp=corp, actor=SYSTEM, now=NOW)
