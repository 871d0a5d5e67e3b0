"""What people are known by, what waits for them, and what moves when it was somebody else."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from customers.actions.contact_news import add_follow
from customers.actions.follows import apply_relations
from customers.actions.identities import (
    IdentityTaken,
    adopt_lately_arrived,
    adopt_waiting,
    digest_of,
    find_customers,
    link_identity,
    mask,
    normalise,
    unlink_identity,
)
from customers.actions.merging import NothingToUndo, move_identity, undo_move
from customers.actions.orders import put_orders
from customers.models import BrandEvent, Customer, Identity, IdentityMove, Order, TimelineEntry
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels.base import CustomerRecord, FollowRecord
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Scope, Staff
from tests.factories import NOW, make_brand_event, make_corp, make_customer, make_order

PHONE = "+8613812345678"
KEYS = [
    "nxHcD-8eyzE0nDY94wGKqTgj1R8D4sXvRuaXm3Q0x1Y=",
    "7G0yVsK0vUXB0uPqGrZ2x6oUQtRb1w3o3ryCqk2V8pA=",
]


def link(customer: Customer, value: str = PHONE, kind: str = "phone") -> Identity:
    return link_identity(customer, kind=kind, value=value, actor=SYSTEM, now=NOW)


def told(order_no: str = "1", **who: str) -> dict[str, object]:
    moment = (NOW - timedelta(days=30)).isoformat()
    return {
        "shop_id": "s",
        "order_no": order_no,
        "status": "paid",
        "amount_fen": 100,
        "paid_at": moment,
        "changed_at": moment,
    } | who


def wait_for(corp: Corp, **who: str) -> Order:
    """An order of somebody who is not known."""
    (answer,) = put_orders([told(**who)], corp=corp, actor=SYSTEM, now=NOW)
    assert not answer.matched
    return Order.objects.get()


@pytest.mark.parametrize(
    "written",
    [
        "13812345678",
        "+86 138-1234-5678",
        "8613812345678",
        "008613812345678",
        " １３８１２３４５６７８ ",
    ],
)
def test_a_phone_is_one_however_it_is_written(written: str) -> None:
    assert normalise("phone", written) == PHONE


def test_phones_of_other_countries_and_landlines_are_phones() -> None:
    assert normalise("phone", "+1 415 555 2671") == "+14155552671"
    assert normalise("phone", "010-8888 9999") == "+861088889999"


@pytest.mark.parametrize("written", ["", "12345", "12345678901", "abc", "1" * 50, "138123456789"])
def test_what_is_no_phone_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        normalise("phone", written)

    assert refusal.value.errors[0].code == "invalid_phone"
    assert not written or written not in refusal.value.detail


@pytest.mark.parametrize("kind", ["phone", "member_id"])
def test_a_number_that_a_spreadsheet_shortened_is_named_so(kind: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        normalise(kind, "1.2E+29")

    assert refusal.value.errors[0].code == "shortened_number"


def test_the_value_is_encrypted_and_found_by_its_digest(corp: Corp) -> None:
    customer = make_customer(corp)
    identity = link(customer, "138 1234 5678")

    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM customers_identity WHERE id = %s", [identity.pk])
        assert "1381234" not in cursor.fetchone()[0]
    assert Identity.objects.get().value == PHONE
    ref = ("phone", "13812345678")
    assert find_customers([ref, ("phone", "13900000000")], corp=corp) == {ref: customer.pk}
    assert find_customers([ref], corp=make_corp()) == {}


def test_the_phone_is_in_no_log_and_not_in_the_audit_log(
    corp: Corp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    customer, other = make_customer(corp), make_customer(corp)
    identity = link(customer)
    with pytest.raises(IdentityTaken):
        link(other)
    move_identity(identity, to=other, actor=SYSTEM, now=NOW)
    unlink_identity(identity, actor=SYSTEM, now=NOW)

    logged = "".join(
        record.getMessage() for record in caplog.records if "django.db" not in record.name
    )
    entries = "".join(str(entry.data) for entry in AuditEntry.objects.all())
    assert AuditEntry.objects.count() == 4
    assert "1381234" not in logged + entries


def test_digests_outlast_a_new_key_and_not_the_loss_of_the_oldest(corp: Corp) -> None:
    with override_settings(FIELD_KEYS=KEYS[1:]):
        before = digest_of("phone", PHONE, corp=corp)
    with override_settings(FIELD_KEYS=KEYS):
        assert digest_of("phone", PHONE, corp=corp) == before
    with override_settings(FIELD_KEYS=KEYS[:1]):
        assert digest_of("phone", PHONE, corp=corp) != before


def test_corps_and_kinds_have_digests_of_their_own(corp: Corp) -> None:
    ours = digest_of("member_id", "1", corp=corp)

    assert len(ours) == 32
    assert digest_of("member_id", "1", corp=make_corp()) != ours
    assert digest_of("unionid", "1", corp=corp) != ours


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [
        ("phone", PHONE, "138****5678"),
        ("phone", "+14155552671", "+14****2671"),
        ("member_id", "M12345", "M****45"),
        ("member_id", "12", "****2"),
    ],
)
def test_masks(kind: str, value: str, masked: str) -> None:
    assert mask(kind, value) == masked


def test_linking_again_changes_nothing(corp: Corp) -> None:
    customer = make_customer(corp)

    assert link(customer).pk == link(customer, "138-1234-5678").pk
    assert AuditEntry.objects.filter(action="identities.linked").count() == 1


def test_somebody_else_s_is_refused_and_named_only_to_whom_she_is_shown(corp: Corp) -> None:
    holder, other = make_customer(corp), make_customer(corp)
    link(holder)

    def refused(scope: Scope | None) -> str:
        with pytest.raises(IdentityTaken) as refusal:
            link_identity(other, kind="phone", value=PHONE, actor=SYSTEM, now=NOW, seen_by=scope)
        assert (refusal.value.code, refusal.value.status) == ("identity_taken", 409)
        return refusal.value.detail

    assert holder.external_userid in refused(Scope(corp_ids=frozenset({corp.pk})))
    assert holder.external_userid not in refused(Scope())
    assert holder.external_userid not in refused(None)
    assert Identity.objects.get().customer == holder


def test_a_unionid_that_the_platform_says_is_another_s_is_taken(corp: Corp) -> None:
    make_customer(corp, unionid="o1")

    with pytest.raises(IdentityTaken):
        link(make_customer(corp), "o1", "unionid")


def test_what_waited_comes_with_the_link(corp: Corp) -> None:
    order = wait_for(corp, phone="13812345678")
    customer, stranger = make_customer(corp), make_customer(corp)

    link(stranger, "13900000000")
    order.refresh_from_db()
    assert order.customer is None
    link(customer)

    order.refresh_from_db()
    assert order.customer == customer


def test_what_waited_comes_with_the_first_news_of_the_customer(corp: Corp, alice: Staff) -> None:
    order = wait_for(corp, external_userid="wm1")

    add_follow("alice", "wm1", corp=corp, happened_at=NOW, now=NOW)

    order.refresh_from_db()
    assert order.customer is not None
    assert order.customer.external_userid == "wm1"


def relation(
    unionid: str = "", external_userid: str = "wm1"
) -> tuple[CustomerRecord, FollowRecord]:
    return (
        CustomerRecord(external_userid, "Wang", type=1, gender=0, unionid=unionid),
        FollowRecord(userid="alice", added_at=NOW - timedelta(days=1)),
    )


def test_what_waited_comes_with_a_sync_and_with_a_unionid_that_is_learnt(
    corp: Corp, alice: Staff
) -> None:
    order = wait_for(corp, unionid="o1")

    apply_relations([relation()], corp=corp, now=NOW, read_at=NOW)
    order.refresh_from_db()
    assert order.customer is None
    later = NOW + timedelta(minutes=1)
    apply_relations([relation("o1")], corp=corp, now=later, read_at=later)

    order.refresh_from_db()
    assert order.customer == Customer.objects.get(external_userid="wm1")


def test_a_page_of_a_sync_costs_as_much_for_many_as_for_one(corp: Corp, alice: Staff) -> None:
    wait_for(corp, external_userid="nobody")

    def statements(first: int, count: int) -> int:
        rows = [relation(external_userid=f"wm{number}") for number in range(first, first + count)]
        with CaptureQueriesContext(connection) as queries:
            apply_relations(rows, corp=corp, now=NOW, read_at=NOW)
        return len(queries)

    assert statements(1, 1) == statements(2, 40)


def test_adopting_costs_one_look_when_nothing_waits(corp: Corp) -> None:
    customer = make_customer(corp)

    with CaptureQueriesContext(connection) as queries:
        adopt_waiting([customer.pk], corp=corp, now=NOW)

    assert len(queries) == 1


def test_what_was_written_at_the_same_moment_is_matched_later(corp: Corp) -> None:
    """The order was told before the customer was committed, and adopted nothing after it."""
    by_phone = make_order(
        corp, awaited_kind="phone", awaited_digest=digest_of("phone", PHONE, corp=corp)
    )
    customer = make_customer(corp)
    Identity.objects.create(
        corp=corp,
        customer=customer,
        kind="phone",
        value=PHONE,
        digest=digest_of("phone", PHONE, corp=corp),
        linked_at=NOW,
    )
    digest = digest_of("external_userid", customer.external_userid, corp=corp)
    by_id = make_brand_event(corp, awaited_kind="external_userid", awaited_digest=digest)

    adopt_lately_arrived(now=NOW + timedelta(minutes=5))

    by_phone.refresh_from_db()
    by_id.refresh_from_db()
    assert by_phone.customer == by_id.customer == customer


def test_nothing_that_waited_is_a_fresh_fact(corp: Corp, alice: Staff) -> None:
    wait_for(corp, external_userid="wm1")
    add_follow("alice", "wm1", corp=corp, happened_at=NOW, now=NOW)

    fresh = TimelineEntry.objects.filter(is_fresh=True).values_list("type", flat=True)
    assert set(fresh) == {"follow.added"}


def test_moving_takes_what_came_by_it_and_undoing_gives_exactly_that_back(corp: Corp) -> None:
    giver, taker = make_customer(corp), make_customer(corp)
    identity = link(giver)
    put_orders(
        [
            told("by phone", phone=PHONE),
            told("by id", external_userid=giver.external_userid),
            told("the taker's", external_userid=taker.external_userid),
        ],
        corp=corp,
        actor=SYSTEM,
        now=NOW,
    )
    digest = digest_of("phone", PHONE, corp=corp)
    event = make_brand_event(
        corp, customer=giver, awaited_kind="phone", awaited_digest=digest, status="quarantined"
    )

    def orders_of(customer: Customer) -> set[str]:
        return set(Order.objects.filter(customer=customer).values_list("order_no", flat=True))

    move_identity(identity, to=taker, actor=SYSTEM, now=NOW)
    assert orders_of(giver) == {"by id"}
    assert orders_of(taker) == {"by phone", "the taker's"}
    assert BrandEvent.objects.get(pk=event.pk).customer == taker
    put_orders([told("later", phone=PHONE)], corp=corp, actor=SYSTEM, now=NOW)

    undo_move(identity, actor=SYSTEM, now=NOW)

    assert orders_of(giver) == {"by id", "by phone"}
    assert orders_of(taker) == {"the taker's", "later"}
    assert BrandEvent.objects.get(pk=event.pk).customer == giver
    assert Identity.objects.get().customer == giver
    assert IdentityMove.objects.get().undone_at == NOW


def test_undoing_twice_undoes_once(corp: Corp) -> None:
    giver, taker = make_customer(corp), make_customer(corp)
    identity = link(giver)
    move_identity(identity, to=taker, actor=SYSTEM, now=NOW)
    undo_move(identity, actor=SYSTEM, now=NOW)

    with pytest.raises(NothingToUndo):
        undo_move(identity, actor=SYSTEM, now=NOW)


def test_an_identity_moves_only_to_another_customer_of_the_corp(corp: Corp) -> None:
    giver = make_customer(corp)
    identity = link(giver)

    for taker in (giver, make_customer(make_corp())):
        with pytest.raises(InvalidInput):
            move_identity(identity, to=taker, actor=SYSTEM, now=NOW)
    assert Identity.objects.get().customer == giver


def test_both_customers_audit_entries_tell_of_the_move(corp: Corp) -> None:
    giver, taker = make_customer(corp), make_customer(corp)
    move_identity(link(giver), to=taker, actor=SYSTEM, now=NOW)

    moved = AuditEntry.objects.filter(action="identities.moved")
    assert set(moved.values_list("subject_id", flat=True)) == {str(giver.pk), str(taker.pk)}
