"""Orders as a brand tells them: once, late, out of order, of people nobody knows yet."""

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.actions.orders import MAX_ROWS, OrderAnswer, Told, fold, put_orders
from customers.actions.timeline import timeline_of
from customers.models import Customer, Order, StageRule, TimelineEntry
from scrm.audit.actions.recording import SYSTEM
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_customer, make_identity, make_stage

DAY = timedelta(days=1)


def row(**fields: Any) -> dict[str, Any]:
    return {
        "shop_id": "tmall",
        "order_no": "1",
        "status": "paid",
        "amount_fen": 10_000,
        "paid_at": (NOW - DAY).isoformat(),
        "changed_at": (NOW - DAY).isoformat(),
        "external_userid": "wm1",
    } | fields


def put(
    corp: Corp, *rows: dict[str, Any], now: datetime = NOW, **options: Any
) -> list[OrderAnswer]:
    return put_orders(rows, corp=corp, actor=SYSTEM, now=now, **options)


def outcomes(answers: list[OrderAnswer]) -> list[str]:
    return [answer.outcome for answer in answers]


@pytest.fixture
def wang(corp: Corp) -> Customer:
    return make_customer(corp, external_userid="wm1", unionid="o1")


def test_takes_an_order_and_says_whose_it_is(corp: Corp, wang: Customer) -> None:
    (answer,) = put(corp, row(items=[{"sku": "A", "quantity": 2}]))

    order = Order.objects.get()
    assert (answer.outcome, answer.matched) == ("created", True)
    assert order.customer == wang
    assert (order.amount_fen, order.refunded_fen, order.received_at) == (10_000, 0, NOW)
    assert order.items == [{"sku": "A", "quantity": 2}]


@pytest.mark.parametrize(
    "who", [{"unionid": "o1"}, {"phone": "138 1234 5678"}, {"member_id": " M1 "}]
)
def test_knows_people_by_what_is_linked(corp: Corp, wang: Customer, who: dict[str, str]) -> None:
    make_identity(wang, "phone", "13812345678")
    make_identity(wang, "member_id", "M1")

    (answer,) = put(corp, row(external_userid=None, **who))

    assert answer.matched
    assert Order.objects.get().customer == wang


def test_of_several_names_the_surest_that_is_known_counts(corp: Corp, wang: Customer) -> None:
    make_identity(wang, "phone", "13812345678")
    other = make_customer(corp)
    make_identity(other, "member_id", "M1")

    put(corp, row(external_userid="nobody", phone="13812345678"))
    put(corp, row(order_no="2", external_userid=None, phone="13812345678", member_id="M1"))

    assert Order.objects.get(order_no="1").customer == wang
    assert Order.objects.get(order_no="2").customer == other


def test_the_same_told_again_changes_nothing(corp: Corp, wang: Customer) -> None:
    put(corp, row())
    before = Order.objects.values().get()

    assert outcomes(put(corp, row(), now=NOW + DAY)) == ["unchanged"]
    assert Order.objects.values().get() == before


def test_told_again_without_a_time_changes_nothing_either(corp: Corp, wang: Customer) -> None:
    first = row(changed_at=None)
    put(corp, first)
    before = Order.objects.values().get()

    assert outcomes(put(corp, first, now=NOW + DAY)) == ["unchanged"]
    assert Order.objects.values().get() == before


def test_an_earlier_state_that_comes_later_changes_nothing(corp: Corp, wang: Customer) -> None:
    put(corp, row(status="completed", changed_at=NOW.isoformat(), amount_fen=9_000))

    (answer,) = put(corp, row(status="shipped"))

    assert answer.outcome == "stale"
    assert Order.objects.get().status == "completed"
    assert Order.objects.get().amount_fen == 9_000


def test_without_a_time_states_only_go_forwards(corp: Corp, wang: Customer) -> None:
    put(corp, row(status="completed", changed_at=None))

    assert outcomes(put(corp, row(status="paid", changed_at=None))) == ["stale"]
    assert outcomes(put(corp, row(status="refunded", changed_at=None))) == ["updated"]
    order = Order.objects.get()
    assert (order.status, order.refunded_fen, order.refunded_at) == ("refunded", 10_000, NOW)


def test_refunds_are_the_total_so_far_and_keep_their_time(corp: Corp, wang: Customer) -> None:
    put(corp, row(refunded_fen=1_000, changed_at=(NOW - 3 * DAY).isoformat()))
    put(corp, row(refunded_fen=1_000, status="shipped", changed_at=(NOW - 2 * DAY).isoformat()))
    assert Order.objects.get().refunded_at == NOW - 3 * DAY

    put(corp, row(refunded_fen=2_500, status="completed", changed_at=NOW.isoformat()))

    order = Order.objects.get()
    assert (order.refunded_fen, order.refunded_at, order.status) == (2_500, NOW, "completed")


def test_an_order_without_a_name_is_taken_only_when_it_is_known(corp: Corp, wang: Customer) -> None:
    nameless = row(external_userid=None, status="shipped", changed_at=NOW.isoformat())

    assert outcomes(put(corp, nameless)) == ["refused"]
    put(corp, row())
    assert outcomes(put(corp, nameless)) == ["updated"]
    assert Order.objects.get().customer == wang


def test_a_later_word_says_whose_it_is_unless_it_names_nobody(corp: Corp, wang: Customer) -> None:
    li = make_customer(corp, external_userid="wm2")
    put(corp, row())
    put(corp, row(external_userid="stranger", changed_at=NOW.isoformat()))
    assert Order.objects.get().customer == wang

    put(corp, row(external_userid="wm2", changed_at=(NOW + timedelta(hours=1)).isoformat()))

    assert Order.objects.get().customer == li


def test_one_number_of_two_shops_is_two_orders(corp: Corp, wang: Customer) -> None:
    put(corp, row(), row(shop_id="jd"))

    assert Order.objects.count() == 2


def test_a_closed_order_need_not_have_been_paid(corp: Corp, wang: Customer) -> None:
    put(corp, row(status="closed", paid_at=None))

    assert Order.objects.get().paid_at is None
    assert list(Order.objects.paid()) == []


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"order_no": None}, "/order_no", "required"),
        ({"order_no": 12}, "/order_no", "invalid"),
        ({"order_no": "x" * 65}, "/order_no", "invalid"),
        ({"order_no": "a\x00b"}, "/order_no", "invalid"),
        ({"shop_id": " "}, "/shop_id", "invalid"),
        ({"status": "lost"}, "/status", "invalid_choice"),
        ({"status": ["paid"]}, "/status", "invalid_choice"),
        ({"amount_fen": None}, "/amount_fen", "required"),
        ({"amount_fen": 10.5}, "/amount_fen", "invalid"),
        ({"amount_fen": "100"}, "/amount_fen", "invalid"),
        ({"amount_fen": True}, "/amount_fen", "invalid"),
        ({"amount_fen": -1}, "/amount_fen", "invalid"),
        ({"amount_fen": 10**30}, "/amount_fen", "invalid"),
        ({"refunded_fen": 10_001}, "/refunded_fen", "too_much"),
        ({"paid_at": "2026-11-17T10:00:00"}, "/paid_at", "invalid"),
        ({"paid_at": "0001-01-01T00:00:00+14:00"}, "/paid_at", "invalid"),
        ({"changed_at": (NOW + 2 * DAY).isoformat()}, "/changed_at", "in_future"),
        ({"items": {}}, "/items", "invalid"),
        ({"items": ["x"]}, "/items/0", "invalid"),
        ({"items": [{"name": "x" * 40_000}]}, "/items", "too_long"),
        ({"items": [{"name": "\x00"}]}, "/items", "invalid_character"),
        ({"items": [{}] * 201}, "/items", "too_many"),
        ({"phone": "123"}, "/phone", "invalid_phone"),
        ({"phone": 13812345678}, "/phone", "invalid"),
        ({"external_userid": None}, "/external_userid", "required"),
        ({"amount": 1}, "/amount", "unknown"),
    ],
)
def test_says_what_is_wrong_and_where(
    corp: Corp, wang: Customer, fields: dict[str, Any], path: str, code: str
) -> None:
    wrong, right = put(corp, row(**fields), row(order_no="2"))

    assert wrong.outcome == "refused"
    assert (path, code) in {(problem.path, problem.code) for problem in wrong.errors}
    assert right.outcome == "created"
    assert [order.order_no for order in Order.objects.all()] == ["2"]


def test_refuses_more_than_a_batch(corp: Corp) -> None:
    with pytest.raises(InvalidInput):
        put(corp, *[row(order_no=str(number)) for number in range(MAX_ROWS + 1)])


def test_several_states_of_one_order_in_one_batch(corp: Corp, wang: Customer) -> None:
    answers = put(
        corp,
        row(status="completed", changed_at=NOW.isoformat()),
        row(),
        row(status="refunded", changed_at=(NOW + timedelta(hours=1)).isoformat()),
    )

    assert outcomes(answers) == ["created", "stale", "updated"]
    assert Order.objects.get().status == "refunded"


def test_a_dry_run_says_the_same_and_writes_nothing(corp: Corp, wang: Customer) -> None:
    put(corp, row())
    later = row(status="shipped", changed_at=NOW.isoformat())

    assert outcomes(put(corp, later, row(order_no="2"), dry_run=True)) == ["updated", "created"]
    assert Order.objects.get().status == "paid"


def test_five_hundred_rows_take_as_many_statements_as_one(corp: Corp, wang: Customer) -> None:
    def statements(first: int, count: int, **fields: Any) -> int:
        rows = [row(order_no=str(number), **fields) for number in range(first, first + count)]
        with CaptureQueriesContext(connection) as queries:
            put(corp, *rows)
        return len(queries)

    assert statements(1000, 500) == statements(1, 1) <= 9
    later = {"status": "shipped", "changed_at": NOW.isoformat(), "phone": "13812345678"}
    assert statements(1000, 500, **later) == statements(1, 1, **later) <= 9
    assert Order.objects.filter(status="shipped").count() == 501


def test_two_corps_have_orders_of_the_same_number(corp: Corp, wang: Customer) -> None:
    other = make_corp()
    put(corp, row())
    (answer,) = put(other, row(amount_fen=1))

    assert (answer.outcome, answer.matched) == ("created", False)
    assert Order.objects.get(corp=corp).amount_fen == 10_000


def test_orders_are_on_the_timeline_and_set_nothing_off(corp: Corp, wang: Customer) -> None:
    put(corp, row(paid_at=(NOW - 40 * DAY).isoformat(), changed_at=(NOW - 40 * DAY).isoformat()))
    put(corp, row(status="refunded", refunded_fen=1234, changed_at=NOW.isoformat(), paid_at=None))

    entries = timeline_of(wang).entries
    assert [(entry.type, entry.at) for entry in entries] == [
        ("order.refunded", NOW),
        ("order.paid", NOW - 40 * DAY),
    ]
    assert entries[0].data == {
        "shop_id": "tmall",
        "order_no": "1",
        "status": "refunded",
        "refunded_fen": 1234,
    }
    assert "¥100.00" in entries[1].title
    assert not TimelineEntry.objects.exists()


def test_stages_are_judged_for_whoever_is_told_of(corp: Corp, alice: Staff) -> None:
    wang = make_customer(corp, staff=alice, external_userid="wm1")
    stage = make_stage(corp, "buyer")
    StageRule.objects.create(corp=corp, stage=stage, rule={"all": []})

    put(corp, row())

    wang.refresh_from_db()
    assert wang.stage == stage


START = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def lives(draw: st.DrawFn) -> list[Told]:
    """The states of one order by the brand's clock: refunds only grow, it is paid once."""
    count = draw(st.integers(1, 6))
    hours = draw(st.lists(st.integers(0, 8), min_size=count, max_size=count))
    refunds = sorted(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    states = []
    for hour, refund in zip(sorted(hours), refunds, strict=True):
        states.append(
            Told(
                key=("s", "1"),
                status=draw(st.sampled_from(sorted(Order.Status.values))),
                amount_fen=100 + hour,
                refunded_fen=refund,
                paid_at=START,
                refunded_at=None,
                changed_at=START + timedelta(hours=hour),
                items=[{"hour": hour}],
            )
        )
    return states


# How fast a busy machine draws is no property of orders.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives(), st.integers(0, 2**32))
def test_whatever_order_the_states_come_in_the_row_is_the_same(life: list[Told], seed: int) -> None:
    def after(states: list[Told]) -> tuple[Any, ...]:
        order = Order(shop_id="s", order_no="1")
        for state in states:
            fold(order, state, now=NOW)
        return (
            order.status, order.amount_fen, order.refunded_fen, order.paid_at,
            order.refunded_at, order.changed_at, order.items,
        )  # fmt: skip

    shuffled = random.Random(seed).sample(life, len(life))  # noqa: S311

    assert after(shuffled) == after(life)


@pytest.mark.django_db(transaction=True)
def test_two_batches_at_once_make_each_order_once() -> None:
    corp = make_corp()
    make_customer(corp, external_userid="wm1")
    numbers = [str(number) for number in range(60)]
    failures: list[BaseException] = []
    gate = threading.Barrier(2)

    def tell(status: str, changed_at: datetime, mine: list[str]) -> None:
        try:
            gate.wait()
            put(
                corp,
                *[row(order_no=n, status=status, changed_at=changed_at.isoformat()) for n in mine],
            )
        except BaseException as error:  # noqa: BLE001 (told in the main thread)
            failures.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=tell, args=("paid", NOW - DAY, numbers)),
        threading.Thread(target=tell, args=("shipped", NOW, numbers[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert list(Order.objects.values_list("status", flat=True).distinct()) == ["shipped"]
    assert Order.objects.count() == 60
