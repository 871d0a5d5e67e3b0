"""Automatic tags: simulated, given and taken by rules, with the rule and its version named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customers.actions.contact_news import add_follow
from customers.actions.judging import judge_customers
from customers.actions.tag_rules import (
    RUNNING,
    activate_tag_rule,
    create_auto_tag,
    deactivate_tag_rule,
    delete_tag_rule,
    judge_tags,
    problem_of,
    save_tag_rule,
    simulate_tag_rule,
    start_nightly_tag_runs,
)
from customers.actions.tags import delete_tag, set_exclusive
from customers.actions.value import compute_values
from customers.models import (
    Customer,
    CustomerTagSet,
    PastTagAssignment,
    Tag,
    TagAssignment,
    TagRule,
    TimelineEntry,
)
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.factories import (
    NOW,
    make_brand_event,
    make_corp,
    make_customer,
    make_follow,
    make_order,
    make_stage,
    make_tag,
)

LATER = NOW + timedelta(days=1)
BUYERS = {"field": "orders.count", "op": "gte", "value": 1}
EVERYBODY: dict[str, Any] = {"all": []}


def all_of(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"all": list(conditions)}


def make_rule(corp: Corp, *conditions: dict[str, Any], **fields: Any) -> TagRule:
    tag = fields.pop("tag", None) or make_tag(corp, kind="auto")
    given: dict[str, Any] = {"condition": all_of(*conditions), "is_lasting": False, "corp": corp}
    return save_tag_rule(None, tag=tag, actor=SYSTEM, now=NOW, **(given | fields))


def switch_on(rule: TagRule, *, now: datetime = NOW) -> dict[str, Any]:
    """Switch on and run; what the run reports."""
    job = activate_tag_rule(rule, actor=SYSTEM, now=now)
    run_due_jobs(clock=lambda: now)
    job.refresh_from_db()
    assert job.status == "succeeded"
    report: dict[str, Any] = job.report
    return report


def carriers(rule: TagRule) -> set[int]:
    assigned = set(TagAssignment.objects.filter(tag=rule.tag).values_list("customer", flat=True))
    sets = CustomerTagSet.objects.filter(tag_ids__contains=[rule.tag_id])
    assert assigned == set(sets.values_list("pk", flat=True))
    return assigned


def test_who_is_meant_gains_the_tag_and_who_is_not_any_more_loses_it(
    corp: Corp, alice: Staff
) -> None:
    rule = make_rule(corp, BUYERS)
    buyer, other = make_customer(corp, staff=alice), make_customer(corp, staff=alice)
    order = make_order(corp, customer=buyer)

    assert switch_on(rule) == {"rules": 1, "gained": 1, "lost": 0}
    assert carriers(rule) == {buyer.pk}
    given = TagAssignment.objects.get()
    why = {"reason": "tag_rule", "tag_rule": rule.pk, "version": 1}
    assert (given.source, given.why, given.since) == ("rule", why, NOW)

    order.customer = other
    order.save()
    assert switch_on(rule, now=LATER) == {"rules": 1, "gained": 1, "lost": 1}
    assert carriers(rule) == {other.pk}
    past = PastTagAssignment.objects.get()
    assert (past.customer, past.ended_at, past.ended_source) == (buyer, LATER, "rule")
    assert past.why == past.ended_why == why
    facts = TimelineEntry.objects.filter(customer=buyer).order_by("pk")
    assert [fact.type for fact in facts] == ["tag.added", "tag.removed"]
    assert switch_on(rule, now=LATER) == {"rules": 1, "gained": 0, "lost": 0}


def test_it_is_simulated_before_it_is_switched_on(corp: Corp, alice: Staff) -> None:
    rule = make_rule(corp, BUYERS)
    keeps, gains, known_from_a_chat = (
        make_customer(corp, staff=alice, tags=[rule.tag]),
        make_customer(corp, staff=alice, name="Gaining"),
        make_customer(corp),
    )
    loses = make_customer(corp, staff=alice, tags=[rule.tag], name="Losing")
    make_customer(corp, staff=alice)
    for buyer in (keeps, gains, known_from_a_chat):
        make_order(corp, customer=buyer)

    told = simulate_tag_rule(rule, now=NOW)

    assert (told.gain, told.lose, told.keep) == (1, 1, 1)
    assert (told.gaining, told.losing) == (("Gaining",), ("Losing",))
    assert carriers(rule) == {keeps.pk, loses.pk}
    other = simulate_tag_rule(rule, now=NOW, condition=EVERYBODY)
    assert (other.gain, other.lose, other.keep) == (2, 0, 2)
    # What was told comes true.
    report = switch_on(rule)
    assert (report["gained"], report["lost"]) == (told.gain, told.lose)
    assert carriers(rule) == {keeps.pk, gains.pk}


def test_a_lasting_tag_stays(corp: Corp, alice: Staff) -> None:
    rule = make_rule(corp, BUYERS, is_lasting=True)
    customer = make_customer(corp, staff=alice)
    order = make_order(corp, customer=customer)
    switch_on(rule)
    order.delete()

    told = simulate_tag_rule(rule, now=LATER)

    assert (told.gain, told.lose, told.keep) == (0, 0, 1)
    assert switch_on(rule, now=LATER)["lost"] == 0
    assert carriers(rule) == {customer.pk}


def test_a_changed_rule_has_the_next_version(corp: Corp, alice: Staff) -> None:
    rule = make_rule(corp, BUYERS)
    before, after = make_customer(corp, staff=alice), make_customer(corp, staff=alice)
    make_order(corp, customer=before)
    switch_on(rule)
    given: dict[str, Any] = {
        "tag": rule.tag,
        "is_lasting": False,
        "corp": corp,
        "actor": SYSTEM,
        "now": LATER,
    }

    save_tag_rule(rule, condition=all_of(BUYERS), **given)
    assert rule.version == 1
    save_tag_rule(rule, condition=EVERYBODY, **given)
    run_due_jobs(clock=lambda: LATER)

    assert rule.version == 2
    versions = {row.customer_id: row.why["version"] for row in TagAssignment.objects.all()}
    assert versions == {before.pk: 1, after.pk: 2}


def test_a_rule_that_is_off_does_nothing(corp: Corp, alice: Staff) -> None:
    rule = make_rule(corp)
    customer = make_customer(corp, staff=alice)
    assert judge_tags([customer.pk], corp_id=corp.pk, now=NOW) == 0
    switch_on(rule)

    deactivate_tag_rule(rule, actor=SYSTEM, now=NOW)
    newcomer = make_customer(corp, staff=alice)

    assert judge_tags([newcomer.pk], corp_id=corp.pk, now=NOW) == 0
    assert carriers(rule) == {customer.pk}
    verbs = AuditEntry.objects.filter(subject_id=str(rule.pk)).order_by("pk")
    assert [each.action for each in verbs] == [
        "tag_rules.created", "tag_rules.activated", "tag_rules.deactivated"
    ]  # fmt: skip


def test_a_deleted_rule_takes_its_tag_along(corp: Corp, alice: Staff) -> None:
    rule = make_rule(corp)
    customer = make_customer(corp, staff=alice)
    switch_on(rule)
    pk = rule.pk

    assert delete_tag_rule(rule, actor=SYSTEM, now=LATER) == 1

    assert not CustomerTagSet.objects.filter(customer=customer).exists()
    past = PastTagAssignment.objects.get()
    assert past.ended_why == {"reason": "tag_rule_deleted", "tag_rule": pk, "version": 1}


def test_single_customers_are_judged_at_once(corp: Corp, alice: Staff) -> None:
    spring = make_rule(corp, {"field": "live_code", "op": "eq", "value": "spring"})
    new = make_rule(corp, {"field": "added_at", "op": "within_days", "value": 7})
    basket = make_rule(corp, {"field": "events.cart.count", "op": "gte", "value": 1})
    for rule in (spring, new, basket):
        switch_on(rule)

    customer = add_follow(
        "alice", "wm1", corp=corp, happened_at=NOW, now=NOW, state="spring"
    ).customer
    make_brand_event(corp, customer=customer, type="cart")
    judge_customers([customer.pk], corp_id=corp.pk, now=NOW)

    for rule in (spring, new, basket):
        assert carriers(rule) == {customer.pk}
    # Time passes: that is found at night.
    assert simulate_tag_rule(new, now=NOW + timedelta(days=8)).lose == 1


@pytest.mark.parametrize("what", ["stage", "attribute", "silence", "rfm", "amount"])
def test_rules_ask_for_whatever_is_known(corp: Corp, alice: Staff, what: str) -> None:
    stage = make_stage(corp, "repeat")
    meant = make_customer(
        corp,
        staff=alice,
        stage=stage,
        attributes={"city": "上海"},
        last_interaction_at=NOW - timedelta(days=40),
    )
    make_customer(corp, staff=alice, last_interaction_at=NOW)
    make_order(corp, customer=meant, amount_fen=50_000)
    compute_values(corp, now=NOW)
    conditions: dict[str, dict[str, Any]] = {
        "stage": {"field": "stage", "op": "eq", "value": "repeat"},
        "attribute": {"field": "attribute.city", "op": "eq", "value": "上海"},
        "silence": {"field": "last_interaction_at", "op": "not_within_days", "value": 30},
        "rfm": {"field": "rfm.segment", "op": "eq", "value": "important_value"},
        "amount": {"field": "orders.amount", "op": "gte", "value": 50_000, "within_days": 30},
    }
    rule = make_rule(corp, conditions[what])

    switch_on(rule)

    assert carriers(rule) == {meant.pk}


def test_of_an_exclusive_group_the_first_rule_decides(corp: Corp, alice: Staff) -> None:
    gold = make_rule(corp, BUYERS, tag=create_tag_in(corp, "Gold"))
    rest = make_rule(corp, tag=create_tag_in(corp, "Rest"))
    set_exclusive(gold.tag.group, is_exclusive=True, actor=SYSTEM, now=NOW)
    buyer, other = make_customer(corp, staff=alice), make_customer(corp, staff=alice)
    switch_on(rest)
    assert carriers(rest) == {buyer.pk, other.pk}
    make_order(corp, customer=buyer)

    switch_on(gold, now=LATER)
    again = switch_on(gold, now=LATER)

    assert (carriers(gold), carriers(rest)) == ({buyer.pk}, {other.pk})
    assert (again["gained"], again["lost"]) == (0, 0)


def create_tag_in(corp: Corp, name: str) -> Tag:
    return create_auto_tag(name, group="Level", corp=corp, actor=SYSTEM, now=NOW)


def test_nobody_of_another_corp_is_touched(corp: Corp, alice: Staff) -> None:
    elsewhere = make_corp()
    theirs = make_customer(elsewhere)
    make_follow(theirs, alice)

    switch_on(make_rule(corp))

    assert not TagAssignment.objects.filter(customer=theirs).exists()


def test_a_rule_that_lost_its_meaning_is_passed_over_and_told(corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp)
    rule = make_rule(corp, {"field": "tags", "op": "any_of", "value": [vip.pk]})
    customer = make_customer(corp, staff=alice, tags=[vip])
    switch_on(rule)
    delete_tag(vip, actor=SYSTEM, now=NOW)

    assert start_nightly_tag_runs(now=NOW) == 0
    at_night = datetime(2026, 11, 19, 20, tzinfo=UTC)
    assert start_nightly_tag_runs(now=at_night) == 1
    run_due_jobs(clock=lambda: at_night)

    job = Job.objects.filter(kind=RUNNING).latest("pk")
    assert (job.status, len(job.errors)) == ("partial", 1)
    assert problem_of(rule)
    assert carriers(rule) == {customer.pk}


@pytest.mark.parametrize("wrong", ["kind", "corp", "taken", "circular", "rule"])
def test_what_cannot_be_a_rule_is_refused(corp: Corp, wrong: str) -> None:
    tag = make_tag(corp, kind="auto")
    condition: dict[str, Any] = all_of(BUYERS)
    path = "/tag"
    if wrong == "kind":
        tag = make_tag(corp)
    elif wrong == "corp":
        tag = make_tag(make_corp(), kind="auto")
    elif wrong == "taken":
        make_rule(corp, tag=tag)
    elif wrong == "circular":
        condition, path = all_of({"field": "tags", "op": "none_of", "value": [tag.pk]}), "/rule"
    else:
        condition, path = all_of({"field": "moon", "op": "eq", "value": 1}), "/rule/all/0/field"
    count = TagRule.objects.count()

    with pytest.raises(InvalidInput) as refused:
        make_rule(corp, tag=tag, condition=condition)

    assert refused.value.errors[0].path == path
    assert TagRule.objects.count() == count


def test_judging_many_takes_as_many_statements_as_judging_one(
    corp: Corp, alice: Staff, django_assert_max_num_queries: Any
) -> None:
    rule = make_rule(corp)
    deactivate_tag_rule(rule, actor=SYSTEM, now=NOW)
    TagRule.objects.update(is_active=True)
    many = [make_customer(corp, staff=alice).pk for _ in range(30)]

    with django_assert_max_num_queries(8):
        assert judge_tags(many, corp_id=corp.pk, now=NOW) == 30
    assert Customer.objects.filter(tag_set__tag_ids__contains=[rule.tag_id]).count() == 30
