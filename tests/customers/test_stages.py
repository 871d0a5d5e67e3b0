import pytest

from customers.actions.blocking import block_customer, unblock_customer
from customers.actions.stages import HOLD, ensure_stages, move_customers, set_stage
from customers.models import Customer, Stage, TimelineEntry
from scrm.audit.actions.recording import SYSTEM, Actor
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


def test_a_move_is_a_fact_with_its_reason_and_kept_when_a_person_made_it(corp: Corp) -> None:
    by_hand, by_rule = make_customer(corp), make_customer(corp)
    lin = Actor(AuditEntry.ActorKind.USER, "1", "lin")

    set_stage(by_hand, key="aware", actor=lin, now=NOW)
    set_stage(by_hand, key="aware", actor=lin, now=NOW)
    set_stage(by_rule, key="aware", actor=SYSTEM, now=NOW, why={"reason": "sop", "sop": 3})

    first, second = TimelineEntry.objects.order_by("pk")
    assert first.data == {"from": None, "to": "aware", "reason": "by_hand", "by": "lin"}
    assert second.data == {"from": None, "to": "aware", "reason": "sop", "sop": 3}
    assert (first.source, second.source) == ("person", "system")
    held = Customer.objects.order_by("pk").values_list("stage_held_until", flat=True)
    assert list(held) == [NOW + HOLD, None]


def test_moves_many_at_once_and_notes_from_where(corp: Corp) -> None:
    ensure_stages(corp)
    stages = {stage.key: stage for stage in Stage.objects.for_corp(corp)}
    fresh, aware, there, held = (
        make_customer(corp, stage=stages.get(key), stage_held_until=until)
        for key, until in (("", None), ("aware", NOW), ("lost", None), ("aware", NOW + HOLD))
    )

    moved = move_customers(
        [each.pk for each in (fresh, aware, there, held)],
        stages["lost"],
        corp=corp,
        now=NOW,
        source=TimelineEntry.Source.RULE,
        why={"reason": "channel_rule"},
    )

    assert moved == 2
    rows = TimelineEntry.objects.order_by("customer").values_list("customer", "data__from")
    assert list(rows) == [(fresh.pk, None), (aware.pk, "aware")]
    assert Customer.objects.get(pk=held.pk).stage == stages["aware"]
