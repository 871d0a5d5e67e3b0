"""The platform's tags, changed from here; which tags mean the same, and who uses them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.actions.platform_catalogue import (
    NewTags,
    NotOurs,
    ask_for_tags,
    ask_to_delete,
    ask_to_edit,
)
from customers.actions.tag_merging import TagInUse, start_merging
from customers.actions.tag_report import count_tags, latest_report, looks_of, start_report
from customers.actions.tag_usage import usage_of_tags
from customers.actions.tagging import tag_customers
from customers.models import (
    ChannelRule,
    CustomerTagSet,
    Follow,
    PastTagAssignment,
    Tag,
    TagAssignment,
    TagGroup,
)
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.models import Operation, Refresh
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_customer, make_segment, make_sop, make_tag
from tests.groups.accounts import account, check_derived, truth

BY: dict[str, Any] = {"actor": SYSTEM, "now": NOW}


def platform_names(sandbox: SandboxServer) -> dict[str, list[str]]:
    tags = sandbox.world.tags
    return {group.name: [tag.name for tag in tags.tags_in(group)] for group in tags.living_groups()}


def make_platform_tags(corp: Corp, *names: str) -> list[Tag]:
    ask_for_tags(NewTags(names, group_name="Level"), corp=corp, **BY)
    run_due_operations(now=NOW)
    rows = {tag.name: tag for tag in Tag.objects.filter(group__name="Level").select_related("corp")}
    return [rows[name] for name in names]


def test_makes_tags_on_the_platform_and_has_them_then(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    ask_for_tags(NewTags(["Gold", "Silver"], group_name="Level"), corp=synced_brand, **BY)
    assert not Tag.objects.filter(name="Gold").exists()

    run_due_operations(now=NOW)

    assert platform_names(sandbox)["Level"] == ["Gold", "Silver"]
    made = Tag.objects.filter(group__name="Level", kind="wecom").exclude(wecom_id="")
    assert set(made.values_list("name", flat=True)) == {"Gold", "Silver"}
    with pytest.raises(InvalidInput, match="Gold is taken"):
        ask_for_tags(NewTags(["Gold"], group=made[0].group), corp=synced_brand, **BY)


def test_renames_places_and_deletes_on_the_platform(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    gold, silver = make_platform_tags(synced_brand, "Gold", "Silver")

    ask_to_edit(gold, name="Platinum", order=7, **BY)
    ask_to_delete(silver, **BY)
    run_due_operations(now=NOW)

    assert platform_names(sandbox)["Level"] == ["Platinum"]
    gold.refresh_from_db()
    assert (gold.name, gold.order) == ("Platinum", 7)
    assert not Tag.objects.current().filter(pk=silver.pk).exists()
    ask_to_delete(gold, **BY)
    run_due_operations(now=NOW)
    assert TagGroup.objects.get(pk=gold.group_id).deleted_at == NOW


def test_what_another_app_made_is_shown_as_not_to_be_changed(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    tag = Tag.objects.filter(kind="wecom").exclude(group__wecom_id="").earliest("pk")
    sandbox.world.tags.tags[tag.wecom_id].made_by_app = False

    ask_to_edit(tag, name="Mine", **BY)
    run_due_operations(now=NOW)

    operation = Operation.objects.get()
    assert (operation.status, operation.errcode) == ("failed", 81011)
    assert Refresh.objects.filter(kind="tags").exists()
    tag.refresh_from_db()
    assert tag.is_foreign
    with pytest.raises(NotOurs):
        ask_to_edit(tag, name="Mine", **BY)


def test_a_lost_answer_is_found_in_the_list(synced_brand: Corp, sandbox: SandboxServer) -> None:
    make_platform_tags(synced_brand, "Gold")
    made = Operation.objects.get()
    Tag.objects.filter(name="Gold").delete()
    Operation.objects.update(status="unknown", next_attempt_at=NOW, result={}, finished_at=None)

    run_due_operations(now=NOW + timedelta(minutes=10))

    made.refresh_from_db()
    assert made.status == "succeeded"
    assert platform_names(sandbox)["Level"] == ["Gold"]
    assert Tag.objects.filter(name="Gold", group__name="Level").exists()


@pytest.mark.parametrize("name", ["", "x" * 31])
def test_refuses_names_that_the_platform_would(corp: Corp, name: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 30"):
        ask_for_tags(NewTags([name], group_name="Level"), corp=corp, **BY)

    assert not Operation.objects.exists()


def test_merging_gives_everybody_the_other_tag(corp: Corp) -> None:
    old, new, end = make_tag(corp), make_tag(corp), NOW + timedelta(days=3)
    people = [make_customer(corp) for _ in range(3)]
    for person, until in zip(people, [None, end, None], strict=True):
        tag_customers([person], corp=corp, add=[old], until=until, **BY)
    tag_customers([people[2]], corp=corp, add=[new], until=end, **BY)

    job = start_merging(old, into=new, **BY)
    run_due_jobs(clock=lambda: NOW)

    job.refresh_from_db()
    assert (job.status, job.report) == ("succeeded", {"customers": 3})
    rows = TagAssignment.objects.order_by("customer").values_list("tag", "until")
    assert list(rows) == [(new.pk, None), (new.pk, end), (new.pk, None)]
    assert set(PastTagAssignment.objects.values_list("tag", flat=True)) == {old.pk}
    assert not Tag.objects.current().filter(pk=old.pk).exists()
    check_derived(corp)


def test_a_tag_that_is_named_somewhere_is_not_merged(corp: Corp, alice: Staff) -> None:
    old, new = make_tag(corp), make_tag(corp)
    make_segment(corp, {"any": [{"field": "tags", "op": "has_any", "value": [old.pk]}]}, name="A")
    ChannelRule.objects.create(corp=corp, name="Fair", state="fair").tags.add(old)

    with pytest.raises(TagInUse) as refusal:
        start_merging(old, into=new, **BY)

    assert {(use.kind, use.name) for use in refusal.value.uses} == {
        ("segment", "A"), ("channel rule", "Fair"),
    }  # fmt: skip
    assert not Job.objects.exists()


def test_tags_of_sops_are_found_whatever_names_them(corp: Corp) -> None:
    first, second, third = make_tag(corp), make_tag(corp), make_tag(corp)
    sop = make_sop(corp, trigger={"type": "tag_added", "tag": first.pk})
    sop.exit = {"all": [{"field": "tags", "op": "has_any", "value": [third.pk]}]}
    sop.save()
    step = sop.steps.earliest("pk")
    step.action = {"kind": "tag", "tags": [second.pk]}
    step.save()

    found = usage_of_tags(corp)

    assert {pk: [use.pk for use in uses] for pk, uses in found.items()} == {
        first.pk: [sop.pk], second.pk: [sop.pk], third.pk: [sop.pk],
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "other"), [("wecom", "system"), ("auto", "auto")])
def test_only_alike_kinds_are_merged(corp: Corp, kind: str, other: str) -> None:
    with pytest.raises(InvalidInput):
        start_merging(make_tag(corp, kind=kind), into=make_tag(corp, kind=other), **BY)


def test_platform_tags_are_merged_by_the_platform(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    gold, silver = make_platform_tags(synced_brand, "Gold", "Silver")
    people = [each.customer for each in _follows(synced_brand)[:2]]
    tag_customers(people, corp=synced_brand, add=[silver], **BY)
    run_due_operations(now=NOW)

    start_merging(silver, into=gold, **BY)
    run_due_jobs(clock=lambda: NOW)
    later = NOW + timedelta(minutes=1)
    assert Job.objects.get(kind="tags.merge").status == "queued"
    run_due_operations(now=later)
    run_due_jobs(clock=lambda: later)
    run_due_operations(now=later)

    assert platform_names(sandbox)["Level"] == ["Gold"]
    carriers = TagAssignment.objects.filter(tag=gold).values_list("customer", flat=True)
    assert set(carriers) == {person.pk for person in people}
    assert account(synced_brand) == truth(sandbox)


def _follows(corp: Corp) -> Any:
    follows = Follow.objects.for_corp(corp).live().filter(customer__live_follows=1)
    return follows.select_related("customer").order_by("pk")


def test_the_report_counts_what_came_and_went(corp: Corp) -> None:
    vip, other, idle = make_tag(corp, "V.I.P"), make_tag(corp, "ｖｉｐ"), make_tag(corp, "Idle")
    people = [make_customer(corp) for _ in range(25)]
    long_ago = NOW - timedelta(days=200)
    tag_customers(people, corp=corp, add=[vip, idle], actor=SYSTEM, now=long_ago)
    tag_customers(people[1:], corp=corp, add=[other], **BY)
    tag_customers(people[:2], corp=corp, remove=[vip], **BY)
    tag_customers(people[:1], corp=corp, add=[vip], **BY)

    start_report(corp, now=NOW)
    run_due_jobs(clock=lambda: NOW)

    report = latest_report(corp)
    assert report is not None
    figures = report.figures[vip.pk]
    assert (figures.customers, figures.gained, figures.lost) == (24, 1, 2)
    assert report.figures[idle.pk].is_unused(NOW)
    assert not report.figures[other.pk].is_unused(NOW)
    assert report.alike == [[vip.pk, other.pk]]
    # 24 carry one, 24 the other, 23 both of 25; idle is carried by all 25.
    assert [(first, second) for first, second, _share in report.overlaps] == [
        (vip.pk, idle.pk), (other.pk, idle.pk),
    ]  # fmt: skip
    assert {share for _first, _second, share in report.overlaps} == {0.96}


def test_the_report_takes_as_many_statements_for_many_tags(corp: Corp) -> None:
    counts = []
    for _round in range(2):
        for _number in range(5):
            make_customer(corp, tags=[make_tag(corp)])
        with CaptureQueriesContext(connection) as queries:
            count_tags(corp, now=NOW)
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 7
    assert CustomerTagSet.objects.count() == 10


def test_looks_leave_out_what_nobody_sees() -> None:
    assert looks_of(" V-I-P ") == looks_of("ＶＩＰ") == "vip"
    assert looks_of("高意向") != looks_of("中意向")
