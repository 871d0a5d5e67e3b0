"""Who comes through a channel gets tags and a stage, at once and only once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from customers.actions.channel_rules import (
    delete_channel_rule,
    preview_channel_rule,
    problem_of,
    save_channel_rule,
    start_applying,
)
from customers.actions.contact_news import add_follow
from customers.actions.follows import apply_relations
from customers.actions.tags import delete_tag
from customers.models import (
    ChannelRule,
    Customer,
    CustomerTagSet,
    Follow,
    Stage,
    Tag,
    TagAssignment,
    TimelineEntry,
)
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels.base import CustomerRecord, FollowRecord
from scrm.channels.models import Operation
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_customer, make_stage, make_tag

LATER = NOW + timedelta(hours=1)


def save(corp: Corp, state: str, *tags: Tag, **fields: Any) -> ChannelRule:
    rule = fields.pop("rule", None)
    given: dict[str, Any] = {
        "name": "Rule",
        "state": state,
        "tags": tags,
        "stage": None,
        "is_active": True,
        "corp": corp,
        "actor": SYSTEM,
        "now": NOW,
    }
    return save_channel_rule(rule, **(given | fields))


def come(corp: Corp, state: str, number: int = 1, *, at: datetime = LATER) -> Customer:
    follow = add_follow("alice", f"wm{number}", corp=corp, happened_at=at, now=LATER, state=state)
    return follow.customer


def page(corp: Corp, *pairs: tuple[str, str], added_at: datetime = LATER) -> None:
    """The platform lists these customers of alice with their channels."""
    relations = [
        (
            CustomerRecord(external_userid, external_userid, 1, 0),
            FollowRecord(userid="alice", added_at=added_at, state=state),
        )
        for external_userid, state in pairs
    ]
    apply_relations(relations, corp=corp, now=LATER, read_at=LATER)


def carried(customer: Customer) -> set[int]:
    found = CustomerTagSet.objects.filter(customer=customer).first()
    return set(found.tag_ids) if found else set()


def test_an_addition_gets_tags_and_the_stage_with_their_reason(corp: Corp, alice: Staff) -> None:
    tag, stage = make_tag(corp), make_stage(corp, "aware")
    rule = save(corp, "shop-1", tag, stage=stage)

    customer = come(corp, "shop-1")
    other = come(corp, "shop-2", 2)

    customer.refresh_from_db()
    assert (carried(customer), customer.stage) == ({tag.pk}, stage)
    assert carried(other) == set()
    facts = TimelineEntry.objects.filter(customer=customer, source="rule").order_by("type")
    why = {"reason": "channel_rule", "rule": rule.pk}
    assert [(fact.type, fact.data) for fact in facts] == [
        ("stage.changed", {"from": None, "to": "aware"} | why),
        ("tag.added", {"tag": tag.pk} | why),
    ]


def test_the_platform_s_tags_are_asked_for_the_new_relation_only(
    corp: Corp, alice: Staff, bob: Staff
) -> None:
    gold = make_tag(corp, kind="wecom")
    rule = save(corp, "shop-1", gold)
    make_customer(corp, staff=bob, external_userid="wm1")

    come(corp, "shop-1")

    operation = Operation.objects.get()
    assert (operation.payload["userid"], operation.payload["add"]) == ("alice", [gold.wecom_id])
    assert operation.payload["why"] == {"reason": "channel_rule", "rule": rule.pk}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("shop-1", "exact"),
        ("shop-12", "shop-1*"),
        ("shop-2", "shop-*"),
        ("fair", "*"),
        ("", None),
    ],
)
def test_the_rule_that_says_most_decides_alone(
    corp: Corp, alice: Staff, state: str, expected: str | None
) -> None:
    tags = {name: make_tag(corp, name) for name in ("*", "shop-*", "shop-1*", "exact")}
    for name, tag in tags.items():
        save(corp, "shop-1" if name == "exact" else name, tag)

    assert carried(come(corp, state)) == ({tags[expected].pk} if expected else set())


def test_the_same_addition_is_acted_on_once(corp: Corp, alice: Staff) -> None:
    tag = make_tag(corp)
    save(corp, "shop", tag)
    customer = come(corp, "shop")
    TagAssignment.objects.all().delete()

    come(corp, "shop")
    page(corp, ("wm1", "shop"))
    assert not TagAssignment.objects.exists()

    Follow.objects.update(status="deleted_by_customer", ended_at=LATER)
    come(corp, "shop", at=LATER + timedelta(minutes=5))
    assert TagAssignment.objects.get().customer == customer


def test_a_sync_acts_on_what_is_younger_than_the_rule(corp: Corp, alice: Staff) -> None:
    tag = make_tag(corp)
    save(corp, "shop", tag)

    page(corp, ("wm1", "shop"), ("wm2", "shop"), ("wm3", "fair"))
    page(corp, ("wm4", "shop"), added_at=NOW - timedelta(seconds=1))

    tagged = TagAssignment.objects.order_by("customer")
    assert [each.customer.external_userid for each in tagged] == ["wm1", "wm2"]


def test_a_rule_that_is_off_does_nothing_and_counts_from_when_it_is_on(
    corp: Corp, alice: Staff
) -> None:
    tag = make_tag(corp)
    rule = save(corp, "shop", tag, is_active=False)
    assert carried(come(corp, "shop")) == set()

    rule = save(corp, "shop", tag, rule=rule, now=LATER + timedelta(hours=1))
    assert carried(come(corp, "shop", 2)) == set()
    renamed = save(corp, "shop", tag, rule=rule, name="N", now=LATER + timedelta(hours=9))

    assert renamed.active_since == LATER + timedelta(hours=1)


def test_a_deleted_tag_is_left_out_and_told(corp: Corp, alice: Staff) -> None:
    gone, kept = make_tag(corp, "Gone"), make_tag(corp)
    rule = save(corp, "shop", gone, kept)
    delete_tag(gone, actor=SYSTEM, now=NOW)

    assert carried(come(corp, "shop")) == {kept.pk}
    assert problem_of(ChannelRule.objects.get(pk=rule.pk)) == "deleted, and left out: Gone"


def test_a_stage_that_somebody_keeps_is_left_alone(corp: Corp, alice: Staff) -> None:
    aware, lost = make_stage(corp, "aware"), make_stage(corp, "lost")
    save(corp, "shop", stage=aware)
    held = make_customer(
        corp, external_userid="wm1", stage=lost, stage_held_until=LATER + timedelta(days=1)
    )
    free = make_customer(corp, external_userid="wm2", stage=lost, stage_held_until=NOW)

    come(corp, "shop", 1)
    come(corp, "shop", 2)

    held.refresh_from_db()
    free.refresh_from_db()
    assert (held.stage, free.stage) == (lost, aware)


def test_a_preview_says_who_would_change_and_applying_does_it(corp: Corp, alice: Staff) -> None:
    own, gold, stage = make_tag(corp), make_tag(corp, kind="wecom"), make_stage(corp, "aware")
    for number in range(4):
        come(corp, "shop-1", number)
    come(corp, "shop-2", 7)
    save(corp, "shop-2", make_tag(corp))
    tagged = Customer.objects.get(external_userid="wm0")
    TagAssignment.objects.create(corp=corp, customer=tagged, tag=own, since=NOW)
    CustomerTagSet.objects.create(corp=corp, customer=tagged, tag_ids=[own.pk])
    rule = save(corp, "shop-*", own, gold, stage=stage, is_active=False)

    preview = preview_channel_rule(rule)
    assert (preview.customers, preview.to_tag, preview.to_ask, preview.to_move) == (4, 3, 4, 4)
    assert len(preview.sample) == 4

    start_applying(rule, actor=SYSTEM, now=LATER)
    run_due_jobs(clock=lambda: LATER)

    job = Job.objects.get()
    assert (job.status, job.done, job.total) == ("succeeded", 4, 4)
    assert job.report == {"customers": 4, "tags": 3, "asked": 4, "moved": 4}
    assert Customer.objects.filter(stage=stage).count() == 4
    again = preview_channel_rule(rule)
    assert (again.to_tag, again.to_move) == (0, 0)


def test_refuses_what_would_do_nothing_or_is_not_there(corp: Corp) -> None:
    foreign, tag = make_tag(make_corp()), make_tag(corp)
    wrong: list[tuple[str, tuple[Tag, ...], str]] = [
        ("", (tag,), "/state"),
        ("a*b", (tag,), "/state"),
        ("x" * 65, (tag,), "/state"),
        ("shop", (), "/tags"),
        ("shop", (foreign,), "/tags/0"),
    ]
    for state, tags, path in wrong:
        with pytest.raises(InvalidInput) as refusal:
            save(corp, state, *tags)
        assert [problem.path for problem in refusal.value.errors] == [path]
    save(corp, "shop", tag)
    with pytest.raises(InvalidInput, match="already"):
        save(corp, "shop", tag)


def test_writes_down_who_made_and_deleted_a_rule(corp: Corp) -> None:
    rule = save(corp, "shop", make_tag(corp))

    delete_channel_rule(rule, actor=SYSTEM, now=NOW)

    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["channel_rules.created", "channel_rules.deleted"]
    assert not Stage.objects.exists()
