"""Typed makers of rows: plain functions, deterministic, short where they are used."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns.models import Campaign
from customers.models import (
    Customer,
    CustomerTagSet,
    Follow,
    Segment,
    Stage,
    Tag,
    TagAssignment,
    TagGroup,
)
from groups.models import GroupChat
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


def make_group_chat(corp: Corp, *, owner: Staff | None = None, **fields: Any) -> GroupChat:
    number = next(_numbers)
    defaults = {"chat_id": f"wr{number:08d}", "name": f"Chat {number}", "updated_at": NOW}
    return GroupChat.objects.create(corp=corp, owner=owner, **(defaults | fields))


def make_campaign(corp: Corp, **fields: Any) -> Campaign:
    defaults = {
        "name": f"Campaign {next(_numbers)}",
        "content": "Hello",
        "created_by": "user:1",
        "created_at": NOW,
    }
    return Campaign.objects.create(corp=corp, **(defaults | fields))


def make_api_key(corp: Corp, scopes: str = "*") -> str:
    """The text of a new key, as a brand's developer holds it."""
    _, text = create_api_key(
        "test", corp=corp, scopes=[scope for scope in scopes.split(",") if scope], now=NOW
    )
    return text
