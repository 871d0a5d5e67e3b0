"""Where a customer stands, by facts: the first rule that means her decides."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.actions.contact_news import add_follow, end_follow
from customers.actions.segments import explain
from customers.actions.stage_rules import (
    RUNNING,
    delete_stage_rule,
    preview_stage_rules,
    problem_of,
    save_stage_rule,
    start_nightly_runs,
    start_stage_run,
)
from customers.actions.stages import HOLD, ensure_stages, set_stage
from customers.actions.tags import delete_tag
from customers.models import Customer, Follow, Stage, StageRule, Tag, TimelineEntry
from scrm.audit.actions.recording import SYSTEM, Actor
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_customer, make_follow, make_stage, make_tag

LATER = NOW + timedelta(hours=1)
LIN = Actor(AuditEntry.ActorKind.USER, "1", "lin")
LOST = {"field": "staff", "op": "is_empty", "value": True}
NEW = {"field": "added_at", "op": "within_days", "value": 30}


def save(corp: Corp, key: str, *conditions: dict[str, Any], **fields: Any) -> StageRule:
    stage = Stage.objects.for_corp(corp).filter(key=key).first() or make_stage(corp, key)
    given: dict[str, Any] = {
        "stage": stage,
        "condition": {"all": list(conditions)},
        "order": StageRule.objects.count(),
        "is_active": True,
        "corp": corp,
        "actor": SYSTEM,
        "now": NOW,
    }
    return save_stage_rule(fields.pop("rule", None), **(given | fields))


def run(corp: Corp, *, now: datetime = LATER) -> Job:
    start_stage_run(corp, now=now)
    run_due_jobs(clock=lambda: now)
    return Job.objects.filter(kind=RUNNING).latest("pk")


def stage_of(customer: Customer) -> str | None:
    customer.refresh_from_db()
    return customer.stage.key if customer.stage else None


def test_the_first_rule_that_means_a_customer_decides(corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp)
    save(corp, "advocate", {"field": "tags", "op": "any_of", "value": [vip.pk]})
    rule = save(corp, "aware", NEW)
    both = make_customer(corp, staff=alice, tags=[vip])
    new = make_customer(corp, staff=alice)
    old = make_customer(corp, staff=alice, added_at=NOW - timedelta(days=90))

    job = run(corp)

    assert (stage_of(both), stage_of(new), stage_of(old)) == ("advocate", "aware", None)
    assert (job.status, job.report) == ("succeeded", {"customers": 3, "moved": 2})
    fact = TimelineEntry.objects.get(customer=new)
    assert (fact.type, fact.source, fact.at) == ("stage.changed", "rule", LATER)
    assert fact.data == {
        "from": None,
        "to": "aware",
        "reason": "stage_rule",
        "stage_rule": rule.pk,
    }
    assert run(corp).report["moved"] == 0
    assert TimelineEntry.objects.count() == 2


def test_whom_no_rule_means_keeps_the_stage(corp: Corp, alice: Staff) -> None:
    save(corp, "aware", NEW)
    customer = make_customer(
        corp,
        staff=alice,
        stage=make_stage(corp, "repeat"),
        added_at=NOW - timedelta(days=90),
    )

    run(corp)

    assert stage_of(customer) == "repeat"


def test_who_is_not_followed_any_more_can_be_lost_and_who_never_was_cannot(
    corp: Corp, alice: Staff
) -> None:
    save(corp, "lost", LOST)
    gone, known_from_a_chat = make_customer(corp), make_customer(corp)
    make_follow(gone, alice, status="gone", ended_at=NOW)

    run(corp)

    assert (stage_of(gone), stage_of(known_from_a_chat)) == ("lost", None)


def test_coming_and_going_is_judged_at_once(corp: Corp, alice: Staff) -> None:
    save(corp, "lost", LOST)
    save(corp, "aware", NEW)

    customer = add_follow("alice", "wm1", corp=corp, happened_at=NOW, now=NOW).customer
    assert stage_of(customer) == "aware"
    ended = Follow.Status.DELETED_BY_CUSTOMER
    end_follow("alice", "wm1", corp=corp, status=ended, happened_at=LATER, now=LATER)

    assert stage_of(customer) == "lost"


def test_what_a_person_set_is_kept_for_a_month(corp: Corp, alice: Staff) -> None:
    save(corp, "aware", NEW)
    make_stage(corp, "repeat")
    customer = make_customer(corp, staff=alice, added_at=LATER + HOLD)

    set_stage(customer, key="repeat", actor=LIN, now=NOW)
    run(corp)
    assert stage_of(customer) == "repeat"

    run(corp, now=NOW + HOLD)
    assert stage_of(customer) == "aware"


def test_a_rule_that_lost_its_meaning_is_passed_over_and_told(corp: Corp, alice: Staff) -> None:
    tag = make_tag(corp)
    broken = save(corp, "advocate", {"field": "tags", "op": "any_of", "value": [tag.pk]})
    save(corp, "aware", NEW)
    customer = make_customer(corp, staff=alice)
    delete_tag(tag, actor=SYSTEM, now=NOW)

    job = run(corp)

    assert stage_of(customer) == "aware"
    assert problem_of(broken)
    assert (job.status, len(job.errors)) == ("partial", 1)


def test_rules_that_are_off_and_other_corps_customers_are_left_alone(
    corp: Corp, alice: Staff
) -> None:
    save(corp, "aware", NEW, is_active=False)
    mine, theirs = make_customer(corp, staff=alice), make_customer(make_corp())

    run(corp)

    assert (stage_of(mine), stage_of(theirs)) == (None, None)


def test_a_preview_counts_for_each_rule_whom_it_decides_and_would_move(
    corp: Corp, alice: Staff
) -> None:
    tag = make_tag(corp)
    first = save(corp, "advocate", {"field": "tags", "op": "any_of", "value": [tag.pk]})
    second = save(corp, "aware", NEW, is_active=False)
    make_customer(corp, staff=alice, tags=[tag])
    make_customer(corp, staff=alice, tags=[tag], stage=first.stage)
    make_customer(corp, staff=alice)
    make_customer(corp, staff=alice, stage_held_until=LATER + timedelta(days=1))

    counted = preview_stage_rules([first, second], corp=corp, now=LATER)

    assert [(each.customers, each.moving) for each in counted] == [(2, 1), (2, 1)]
    assert counted[1].words


def test_a_new_corp_has_suggestions_that_are_off(corp: Corp, alice: Staff) -> None:
    ensure_stages(corp)
    ensure_stages(corp)

    rules = list(StageRule.objects.for_corp(corp).select_related("stage"))
    assert [(rule.stage.key, rule.is_active) for rule in rules] == [
        ("lost", False),
        ("interest", False),
        ("aware", False),
    ]
    assert not any(problem_of(rule) for rule in rules)


def test_refuses_a_condition_that_cannot_be_read(corp: Corp) -> None:
    with pytest.raises(InvalidInput) as refusal:
        save(corp, "aware", {"field": "moon", "op": "eq", "value": "full"})
    assert refusal.value.errors[0].path == "/rule/all/0/field"
    with pytest.raises(InvalidInput, match="stage"):
        save(corp, "aware", NEW, stage=make_stage(make_corp(), "x"))
    rule = save(corp, "aware", NEW)
    delete_stage_rule(rule, actor=SYSTEM, now=NOW)
    assert not StageRule.objects.exists()


def test_everybody_is_judged_once_a_night(corp: Corp, alice: Staff) -> None:
    night = datetime(2026, 11, 18, 20, 30, tzinfo=UTC)  # 04:30 in China
    assert start_nightly_runs(now=night) == 0
    save(corp, "aware", NEW)

    assert start_nightly_runs(now=NOW) == 0
    assert start_nightly_runs(now=night) == 1
    run_due_jobs(clock=lambda: night)
    assert start_nightly_runs(now=night + timedelta(hours=1)) == 0
    assert start_nightly_runs(now=night + timedelta(days=1)) == 1


# --- beside an oracle ---------------------------------------------------------------------------
CONDITIONS = st.sampled_from(["tag0", "tag1", "new", "lost", "interested", "nobody", "everybody"])


def condition(word: str, tags: Sequence[Tag]) -> dict[str, Any]:
    conditions: dict[str, dict[str, Any]] = {
        "tag0": {"field": "tags", "op": "any_of", "value": [tags[0].pk]},
        "tag1": {"field": "tags", "op": "none_of", "value": [tags[1].pk]},
        "new": NEW,
        "lost": LOST,
        "interested": {"field": "last_interaction_at", "op": "within_days", "value": 7},
        "nobody": {"any": []},
        "everybody": {"all": []},
    }
    return conditions[word]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rules=st.lists(st.tuples(CONDITIONS, st.integers(0, 2), st.booleans()), max_size=4),
    people=st.lists(
        st.tuples(
            st.integers(0, 3), st.booleans(), st.sampled_from([1, 60]), st.sampled_from([0, 1, 30]),
            st.booleans(),
        ),
        max_size=8,
    ),
)  # fmt: skip
def test_a_run_decides_as_one_does_customer_by_customer(
    corp: Corp, alice: Staff, rules: Sequence[Any], people: Sequence[Any]
) -> None:
    StageRule.objects.all().delete()
    tags = [make_tag(corp), make_tag(corp)]
    keys = ("a", "b", "c")
    saved = [
        save(corp, keys[stage], condition(word, tags), order=order, is_active=is_active)
        for order, (word, stage, is_active) in enumerate(rules)
    ]
    customers = []
    for bits, is_followed, added, talked, is_held in people:
        customer = make_customer(
            corp,
            staff=alice if is_followed else (),
            tags=[tag for bit, tag in enumerate(tags) if bits & 1 << bit],
            added_at=LATER - timedelta(days=added) if is_followed else None,
            last_interaction_at=LATER - timedelta(days=talked) if talked else None,
            stage_held_until=LATER + timedelta(days=1) if is_held else None,
        )
        if not is_followed:
            make_follow(customer, alice, status="gone", ended_at=NOW)
        customers.append(customer)

    run(corp)

    for customer in customers:
        expected = None
        for rule in saved if customer.stage_held_until is None else ():
            if rule.is_active and explain(rule.rule, customer, now=LATER)["tree"]["matched"]:
                expected = rule.stage.key
                break
        assert stage_of(customer) == expected
