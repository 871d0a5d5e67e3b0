"""Tags with an end, tags that exclude each other, and what the past of both says."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.actions.tag_catalogue import forget_tags
from customers.actions.tag_expiry import expire_tags
from customers.actions.tag_spans import tags_at
from customers.actions.tagging import Tagged, tag_customers
from customers.actions.tags import SeveralCarried, set_exclusive, set_lasting
from customers.models import (
    Customer,
    CustomerTagSet,
    Follow,
    PastTagAssignment,
    Tag,
    TagAssignment,
    TagGroup,
    TimelineEntry,
)
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.models import Operation
from scrm.common.errors import InvalidInput
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_customer, make_tag
from tests.groups.accounts import account, check_derived, truth

HOUR = timedelta(hours=1)


def give(customer: Customer, *tags: Tag, now: datetime = NOW, **more: Any) -> Tagged:
    return tag_customers([customer], corp=customer.corp, actor=SYSTEM, now=now, add=tags, **more)


def take(customer: Customer, *tags: Tag, now: datetime = NOW) -> Tagged:
    return tag_customers([customer], corp=customer.corp, actor=SYSTEM, now=now, remove=tags)


def carried_by(customer: Customer) -> list[int]:
    return list(
        TagAssignment.objects.filter(customer=customer)
        .order_by("tag")
        .values_list("tag", flat=True)
    )


def exclusive_group(corp: Corp) -> TagGroup:
    number = TagGroup.objects.count()
    return TagGroup.objects.create(corp=corp, name=f"Exclusive {number}", is_exclusive=True)


def tag_in(group: TagGroup) -> Tag:
    name = f"Tag {Tag.objects.count()}"
    return Tag.objects.create(corp=group.corp, group=group, name=name, kind=group.kind)


@pytest.fixture
def levels(corp: Corp) -> tuple[Tag, Tag, Tag]:
    """Three of our tags of which one customer carries one."""
    level = exclusive_group(corp)
    return tag_in(level), tag_in(level), tag_in(level)


def test_who_gave_it_why_and_until_when_is_kept(corp: Corp) -> None:
    customer, vip = make_customer(corp), make_tag(corp)

    give(customer, vip, source=TimelineEntry.Source.RULE, why={"rule": 7}, until=NOW + HOUR)

    row = TagAssignment.objects.get()
    assert (row.source, row.why, row.since, row.until) == ("rule", {"rule": 7}, NOW, NOW + HOUR)


def test_what_is_taken_goes_to_the_past_with_who_took_it(corp: Corp) -> None:
    customer, vip = make_customer(corp), make_tag(corp)
    give(customer, vip, why={"by": "Lin"})

    tag_customers(
        [customer], corp=corp, actor=SYSTEM, now=NOW + HOUR, remove=[vip], why={"by": "Wu"}
    )

    past = PastTagAssignment.objects.get()
    assert (past.since, past.source, past.why) == (NOW, "system", {"by": "Lin"})
    assert (past.ended_at, past.ended_source) == (NOW + HOUR, "system")
    assert past.ended_why == {"by": "Wu"}
    assert tags_at([customer.pk], NOW) == {customer.pk: {vip.pk}}
    assert tags_at([customer.pk], NOW + HOUR) == tags_at([customer.pk], NOW - HOUR) == {}


def test_giving_one_of_an_exclusive_group_ends_the_others(
    corp: Corp, levels: tuple[Tag, Tag, Tag]
) -> None:
    silver, gold, _ = levels
    other = make_tag(corp)
    customers = [make_customer(corp, tags=[silver, other]) for _ in range(3)]

    with CaptureQueriesContext(connection) as queries:
        tagged = tag_customers(customers, corp=corp, actor=SYSTEM, now=NOW, add=[gold])

    assert tagged == Tagged(added=3, removed=3)
    assert {tuple(carried_by(each)) for each in customers} == {tuple(sorted([other.pk, gold.pk]))}
    assert {each.ended_why["reason"] for each in PastTagAssignment.objects.all()} == {"exclusive"}
    assert sum("INSERT INTO customers_tagassignment" in q["sql"] for q in queries) == 1
    assert len(queries) <= 9
    check_derived(corp)


def test_two_of_an_exclusive_group_at_once_are_refused(
    corp: Corp, levels: tuple[Tag, Tag, Tag]
) -> None:
    customer = make_customer(corp)

    with pytest.raises(InvalidInput) as refusal:
        give(customer, levels[0], levels[2])

    assert [(each.path, each.code) for each in refusal.value.errors] == [("/add/1", "exclusive")]
    assert not TagAssignment.objects.exists()


def test_a_group_becomes_exclusive_when_nobody_carries_two(corp: Corp) -> None:
    silver = make_tag(corp)
    gold = tag_in(silver.group)
    customer = make_customer(corp, tags=[silver, gold])

    with pytest.raises(SeveralCarried, match="1 customer carries"):
        set_exclusive(silver.group, is_exclusive=True, actor=SYSTEM, now=NOW)
    take(customer, silver)

    assert set_exclusive(silver.group, is_exclusive=True, actor=SYSTEM, now=NOW).is_exclusive


def test_a_tag_ends_when_its_days_are_over(corp: Corp) -> None:
    trial, vip = make_tag(corp), make_tag(corp)
    set_lasting(trial, lasts_days=2, actor=SYSTEM, now=NOW)
    customer = make_customer(corp)
    give(customer, trial, vip)
    end = NOW + timedelta(days=2)

    assert expire_tags(now=end - HOUR) == 0
    assert expire_tags(now=end) == 1
    assert expire_tags(now=end) == 0

    assert carried_by(customer) == [vip.pk]
    past = PastTagAssignment.objects.get()
    assert (past.ended_at, past.ended_source, past.ended_why) == (
        end, "system", {"reason": "expired"},
    )  # fmt: skip
    fact = TimelineEntry.objects.get(type="tag.removed")
    assert fact.data == {"tag": trial.pk, "reason": "expired"}
    check_derived(corp)


def test_giving_again_sets_the_end_anew(corp: Corp) -> None:
    customer, vip = make_customer(corp), make_tag(corp)
    give(customer, vip, until=NOW + HOUR)

    assert give(customer, vip, until=NOW + 2 * HOUR) == Tagged(renewed=1)
    assert TagAssignment.objects.get().until == NOW + 2 * HOUR
    assert give(customer, vip) == Tagged(renewed=1)
    assert give(customer, vip) == Tagged()

    assert expire_tags(now=NOW + 9 * HOUR) == 0
    assert TimelineEntry.objects.count() == 1


def test_an_end_that_is_past_is_refused(corp: Corp) -> None:
    with pytest.raises(InvalidInput) as refusal:
        give(make_customer(corp), make_tag(corp), until=NOW)

    assert refusal.value.errors[0].path == "/until"


def test_many_ends_take_as_many_statements_as_one(corp: Corp) -> None:
    tags = [make_tag(corp) for _ in range(3)]
    counts = []
    for people in (1, 30):
        customers = [make_customer(corp) for _ in range(people)]
        by: dict[str, Any] = {"corp": corp, "actor": SYSTEM, "now": NOW}
        tag_customers(customers, **by, add=tags, until=NOW + HOUR)
        with CaptureQueriesContext(connection) as queries:
            assert expire_tags(now=NOW + HOUR) == 3 * people
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert not CustomerTagSet.objects.exists()


def test_a_deleted_tag_stays_in_the_past(corp: Corp) -> None:
    customer, vip = make_customer(corp), make_tag(corp)
    give(customer, vip)

    forget_tags([vip.pk], corp=corp, now=NOW + HOUR)

    assert tags_at([customer.pk], NOW) == {customer.pk: {vip.pk}}
    assert PastTagAssignment.objects.get().ended_why == {"reason": "tag_deleted"}


def _single_follow() -> Follow:
    follows = Follow.objects.live().select_related("customer__corp", "staff")
    return follows.filter(customer__live_follows=1).earliest("pk")


def _fresh_tags(customer: Customer, number: int) -> list[Tag]:
    carried = TagAssignment.objects.filter(customer=customer).values("tag")
    tags = Tag.objects.filter(kind="wecom").exclude(pk__in=carried).order_by("-pk")
    return list(tags.select_related("group")[:number])


def test_a_platform_tag_ends_by_asking_the_platform_once(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    follow = _single_follow()
    [tag] = _fresh_tags(follow.customer, 1)
    give(follow.customer, tag, until=NOW + HOUR)
    run_due_operations(now=NOW)
    assert TagAssignment.objects.get(tag=tag, follow=follow).until == NOW + HOUR

    assert expire_tags(now=NOW + HOUR) == 1
    assert expire_tags(now=NOW + HOUR) == 0
    run_due_operations(now=NOW + HOUR)

    assert tag.pk not in carried_by(follow.customer)
    assert PastTagAssignment.objects.get().ended_why == {"reason": "expired"}
    assert account(synced_brand) == truth(sandbox)


def test_an_end_that_the_platform_refuses_is_not_asked_for_for_ever(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    follow = _single_follow()
    tag = Tag.objects.get(pk=carried_by(follow.customer)[0])
    TagAssignment.objects.filter(follow=follow, tag=tag).update(until=NOW)
    sandbox.people.member_deletes(follow.staff.userid, follow.customer.external_userid)

    expire_tags(now=NOW)
    run_due_operations(now=NOW)

    assert Operation.objects.get().status == Operation.Status.FAILED
    assert TagAssignment.objects.get(follow=follow, tag=tag).until is None


def test_platform_tags_that_exclude_each_other_are_exchanged_in_one_call(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    follow = _single_follow()
    first, second = _fresh_tags(follow.customer, 2)
    Tag.objects.filter(pk=second.pk).update(group=first.group)
    first.group.is_exclusive = True
    first.group.save()
    inside = TagAssignment.objects.filter(tag__group=first.group)
    inside.filter(customer=follow.customer).delete()

    give(follow.customer, first)
    # The first is still on its way: the second must know of it all the same.
    give(follow.customer, second, now=NOW + HOUR)
    run_due_operations(now=NOW + HOUR)

    last = Operation.objects.latest("pk")
    assert (last.payload["add"], last.payload["remove"]) == ([second.wecom_id], [first.wecom_id])
    assert second.pk in carried_by(follow.customer)
    assert first.pk not in carried_by(follow.customer)
    assert PastTagAssignment.objects.get(tag=first).ended_why["reason"] == "exclusive"


Act = tuple[str, set[int], int, int | None]
# One act of a random history: what is done, to which customers, with which tag, for how long.
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["give", "give", "give", "take", "expire", "forget"]),
        st.sets(st.integers(0, 2), min_size=1),
        st.integers(0, 4),
        st.sampled_from([None, None, 1, 2, 5]),
    ),
    max_size=14,
)
# Which tags exclude each other, by their places.
RIVALS = {0: {1}, 1: {0}, 2: set(), 3: {4}, 4: {3}}


class Model:
    """Spans of (customer, tag) as plain Python keeps them: [since, until, ended]."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.gone: set[int] = set()

    def live(self, customer: int, tag: int) -> dict[str, Any] | None:
        return next(
            (
                span
                for span in self.spans
                if (span["who"], span["tag"], span["ended"]) == (customer, tag, None)
            ),
            None,
        )

    def give(self, customer: int, tag: int, now: int, until: int | None) -> None:
        for rival in RIVALS[tag]:
            self.end(customer, rival, now)
        if span := self.live(customer, tag):
            span["until"] = until
        else:
            self.spans.append(
                {"who": customer, "tag": tag, "since": now, "until": until, "ended": None}
            )

    def end(self, customer: int, tag: int, now: int) -> None:
        if span := self.live(customer, tag):
            span["ended"] = now

    def expire(self, now: int) -> None:
        for span in self.spans:
            if span["ended"] is None and span["until"] is not None and span["until"] <= now:
                span["ended"] = now

    def at(self, moment: int) -> set[tuple[int, int]]:
        return {
            (span["who"], span["tag"])
            for span in self.spans
            if span["since"] <= moment and (span["ended"] is None or moment < span["ended"])
        }


def play(act: Act, hour: int, *, model: Model, people: list[Customer], tags: list[Tag]) -> None:
    """Do the same to the rows and to the model."""
    what, who, place, hours = act
    now = NOW + hour * HOUR
    by: dict[str, Any] = {"corp": people[0].corp, "actor": SYSTEM, "now": now}
    chosen = [people[each] for each in sorted(who)]
    if what == "expire":
        expire_tags(now=now)
        model.expire(hour)
    elif place in model.gone:
        return
    elif what == "give":
        until = None if hours is None else hour + hours
        end = None if until is None else NOW + until * HOUR
        tag_customers(chosen, **by, add=[tags[place]], until=end)
        for each in who:
            model.give(each, place, hour, until)
    elif what == "take":
        tag_customers(chosen, **by, remove=[tags[place]])
        for each in who:
            model.end(each, place, hour)
    else:
        forget_tags([tags[place].pk], corp=people[0].corp, now=now)
        model.gone.add(place)
        for each in range(3):
            model.end(each, place, hour)


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(acts=ACTS)
def test_the_past_is_that_of_a_plain_model(corp: Corp, acts: list[Act]) -> None:
    Customer.objects.all().delete()
    Tag.objects.all().delete()
    level, mood = exclusive_group(corp), exclusive_group(corp)
    tags = [tag_in(level), tag_in(level), make_tag(corp)]
    tags += [tag_in(mood), tag_in(mood)]
    people = [make_customer(corp) for _ in range(3)]
    model = Model()

    for hour, act in enumerate(acts):
        play(act, hour, model=model, people=people, tags=tags)

    names = {person.pk: place for place, person in enumerate(people)}
    places = {tag.pk: place for place, tag in enumerate(tags)}
    for hour in range(-1, len(acts) + 1):
        told = tags_at(names, NOW + hour * HOUR + HOUR / 2)
        found = {(names[who], places[tag]) for who, carried in told.items() for tag in carried}
        # Nothing happens between two hours; at the very hour the end counts, not the beginning.
        assert found == model.at(hour), hour
        exact = tags_at(names, NOW + hour * HOUR)
        assert {(names[w], places[t]) for w, carried in exact.items() for t in carried} == found
    sets = CustomerTagSet.objects.values_list("customer", "tag_ids")
    carried_now = {(names[who], places[tag]) for who, tag_ids in sets for tag in tag_ids}
    assert carried_now == model.at(len(acts))
