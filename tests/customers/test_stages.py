import pytest

from customers.actions.blocking import block_customer, unblock_customer
from customers.actions.stages import ensure_stages, set_stage
from customers.models import Customer, Stage
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_customer


def test_a_corp_gets_the_default_stages_once(corp: Corp) -> None:
    ensure_stages(corp)
    Stage.objects.filter(key="lost").delete()
    Stage.objects.filter(key="aware").update(name="新客")

    ensure_stages(corp)

    assert list(Stage.objects.order_by("order").values_list("key", "name")) == [
        ("aware", "新客"),
        ("interest", "兴趣"),
        ("purchase", "购买"),
        ("repeat", "复购"),
        ("advocate", "推广者"),
        ("at_risk", "流失预警"),
    ]


def test_moves_a_customer_and_records_where_from(corp: Corp) -> None:
    customer = make_customer(corp)

    set_stage(customer, key="aware", actor=SYSTEM, now=NOW)
    set_stage(customer, key="aware", actor=SYSTEM, now=NOW)
    set_stage(customer, key=None, actor=SYSTEM, now=NOW)

    assert Customer.objects.get().stage is None
    assert list(AuditEntry.objects.order_by("pk").values_list("data", flat=True)) == [
        {"from": None, "to": "aware"},
        {"from": "aware", "to": None},
    ]


def test_refuses_a_stage_that_does_not_exist(corp: Corp) -> None:
    with pytest.raises(InvalidInput, match="no stage vip; there are: advocate, at_risk"):
        set_stage(make_customer(corp), key="vip", actor=SYSTEM, now=NOW)


def test_blocks_and_unblocks_once(corp: Corp) -> None:
    customer = make_customer(corp)

    assert block_customer(customer, actor=SYSTEM, now=NOW)
    assert not block_customer(customer, actor=SYSTEM, now=NOW)
    assert Customer.objects.get().is_blocked
    assert unblock_customer(customer, actor=SYSTEM, now=NOW)
    assert not Customer.objects.get().is_blocked
    assert AuditEntry.objects.count() == 2
