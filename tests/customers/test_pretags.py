"""Tags for people who have not arrived: they wait, and are given once."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.actions.identities import adopt_waiting, link_identity
from customers.actions.pretags import PretagRow, count_waiting, give_pretags, save_pretags
from customers.models import Customer, PreTag, TagAssignment, TagGroup
from scrm.audit.actions.recording import SYSTEM, Actor
from scrm.audit.models import AuditEntry
from scrm.channels.models import Operation
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_customer, make_tag

BY: dict[str, Any] = {"actor": SYSTEM, "now": NOW}
PHONE = "13800138000"


def save(corp: Corp, *rows: PretagRow, actor: Actor = SYSTEM) -> list[int]:
    save_pretags(rows, corp=corp, actor=actor, now=NOW)
    return [row.status for row in rows]


def carried() -> set[tuple[int, int]]:
    return set(TagAssignment.objects.values_list("customer", "tag"))


def test_waits_for_a_phone_and_is_given_when_it_is_known(corp: Corp) -> None:
    vip, customer = make_tag(corp), make_customer(corp)

    assert save(corp, PretagRow("phone", PHONE, [vip.pk])) == [202]
    assert count_waiting(corp) == {"phone": 1}
    link_identity(customer, kind="phone", value=f"+86 {PHONE}", **BY)

    assert carried() == {(customer.pk, vip.pk)}
    assert TagAssignment.objects.get().why["reason"] == "pretag"
    assert not PreTag.objects.exists()
    assert AuditEntry.objects.get(action="pretags.given").data == {"tags": 1, "customers": 1}


def test_waits_for_a_unionid_and_keeps_who_said_so(corp: Corp) -> None:
    vip = make_tag(corp)
    save(corp, PretagRow("unionid", "u1", [vip.pk]))
    PreTag.objects.update(source="api", why={"by": "shop"})
    customer = make_customer(corp, unionid="u1")

    adopt_waiting([customer.pk], corp=corp, now=NOW)

    row = TagAssignment.objects.get()
    assert (row.source, row.why) == ("api", {"by": "shop", "reason": "pretag"})
    assert give_pretags([customer.pk], corp=corp, now=NOW) == 0


def test_who_is_known_is_given_them_at_once(corp: Corp) -> None:
    vip, customer = make_tag(corp), make_customer(corp, external_userid="wm1")

    row = PretagRow("external_userid", "wm1", [vip.pk])
    assert save(corp, row) == [200]

    assert row.is_known
    assert carried() == {(customer.pk, vip.pk)}
    assert not PreTag.objects.exists()


def test_saying_it_twice_waits_once(corp: Corp) -> None:
    vip = make_tag(corp)

    for _time in range(2):
        save(corp, PretagRow("phone", PHONE, [vip.pk]), PretagRow("phone", f"+86{PHONE}", [vip.pk]))

    assert PreTag.objects.count() == 1


def test_another_corps_people_get_nothing(corp: Corp) -> None:
    save(corp, PretagRow("unionid", "u1", [make_tag(corp).pk]))
    other = make_corp()
    theirs = make_customer(other, unionid="u1")

    adopt_waiting([theirs.pk], corp=other, now=NOW)

    assert carried() == set()
    assert PreTag.objects.count() == 1


def test_of_tags_that_exclude_each_other_the_last_said_is_given(corp: Corp) -> None:
    silver = make_tag(corp)
    level = TagGroup.objects.create(corp=corp, name="Level", is_exclusive=True)
    silver.group = level
    silver.save()
    gold = make_tag(corp)
    gold.group = level
    gold.save()
    save(corp, PretagRow("unionid", "u1", [silver.pk]))
    save(corp, PretagRow("unionid", "u1", [gold.pk]))
    customer = make_customer(corp, unionid="u1")

    adopt_waiting([customer.pk], corp=corp, now=NOW)

    assert carried() == {(customer.pk, gold.pk)}
    assert not PreTag.objects.exists()


def test_a_platform_tag_waits_until_somebody_follows(corp: Corp, alice: Staff) -> None:
    gold = make_tag(corp, kind="wecom")
    lead, friend = make_customer(corp, unionid="u1"), make_customer(corp, staff=alice, unionid="u2")
    save(corp, PretagRow("phone", PHONE, [gold.pk]), PretagRow("phone", "13800138001", [gold.pk]))

    link_identity(lead, kind="phone", value=PHONE, **BY)
    link_identity(friend, kind="phone", value="13800138001", **BY)

    assert PreTag.objects.count() == 1
    assert Operation.objects.get().payload["external_userid"] == friend.external_userid


@pytest.mark.parametrize(
    ("kind", "value", "path"),
    [("phone", "12", "/phone"), ("phone", "1.38E+10", "/phone"), ("unionid", " ", "/unionid")],
)
def test_refuses_who_cannot_be_anybody(corp: Corp, kind: str, value: str, path: str) -> None:
    row = PretagRow(kind, value, [make_tag(corp).pk])

    assert save(corp, row) == [422]

    assert row.problems[0].path == path
    assert not PreTag.objects.exists()


def test_a_refused_row_does_not_hold_up_the_others(corp: Corp) -> None:
    vip, theirs = make_tag(corp), make_tag(make_corp())
    auto = make_tag(corp, kind="auto")

    statuses = save(
        corp,
        PretagRow("unionid", "u1", [theirs.pk]),
        PretagRow("unionid", "u1", [auto.pk]),
        PretagRow("unionid", "u1", [vip.pk]),
    )

    assert statuses == [422, 422, 202]
    assert PreTag.objects.get().tag == vip


def test_many_arrive_in_as_many_statements_as_one(corp: Corp) -> None:
    vip = make_tag(corp)
    counts = []
    for size in (1, 25):
        names = [f"u{size}-{number}" for number in range(size)]
        save(corp, *(PretagRow("unionid", name, [vip.pk]) for name in names))
        people = [make_customer(corp, unionid=name) for name in names]
        with CaptureQueriesContext(connection) as queries:
            assert give_pretags([each.pk for each in people], corp=corp, now=NOW) == size
        counts.append(len(queries))

    # Who is the only one is read for the audit entry.
    assert counts[0] - 1 == counts[1] <= 17
    assert Customer.objects.count() == len(carried()) == 26
