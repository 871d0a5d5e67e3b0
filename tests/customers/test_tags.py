"""Our own tags are ours to change; the platform's are not."""

from typing import Any

import pytest

from customers.actions.tags import (
    PlatformTagRefused,
    create_tag,
    create_tag_group,
    delete_tag,
    delete_tag_group,
    rename_tag,
    rename_tag_group,
)
from customers.models import CustomerTagSet, TagAssignment, TagKind
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_customer, make_tag

BY: dict[str, Any] = {"actor": SYSTEM, "now": NOW}


def test_makes_groups_and_tags_and_renames_them(corp: Corp) -> None:
    group = create_tag_group(" 服务 ", corp=corp, **BY)
    tag = create_tag("VIP", group=group, **BY)
    rename_tag(tag, name="SVIP", **BY)
    rename_tag_group(group, name="等级", **BY)

    tag.refresh_from_db()
    group.refresh_from_db()
    assert (tag.name, tag.kind, group.name) == ("SVIP", TagKind.SYSTEM, "等级")
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "tags.group_created", "tags.created", "tags.renamed", "tags.group_renamed",
    ]  # fmt: skip


def test_a_name_is_taken_once_and_free_again_when_deleted(corp: Corp) -> None:
    group = create_tag_group("G", corp=corp, **BY)
    tag = create_tag("VIP", group=group, **BY)

    with pytest.raises(InvalidInput, match="VIP is taken") as refusal:
        create_tag("VIP", group=group, **BY)
    assert refusal.value.errors[0].path == "/name"
    delete_tag(tag, **BY)
    assert create_tag("VIP", group=group, **BY).pk != tag.pk
    with pytest.raises(InvalidInput, match="G is taken"):
        create_tag_group("G", corp=corp, **BY)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65])
def test_refuses_names_that_are_none(corp: Corp, name: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 64"):
        create_tag_group(name, corp=corp, **BY)


def test_a_deleted_tag_is_taken_from_everybody(corp: Corp, alice: Staff) -> None:
    tag, other = make_tag(corp), make_tag(corp)
    both = make_customer(corp, staff=alice, tags=[tag, other])
    make_customer(corp, staff=alice, tags=[tag])

    delete_tag(tag, **BY)

    assert list(CustomerTagSet.objects.values_list("customer", "tag_ids")) == [
        (both.pk, [other.pk])
    ]
    assert list(TagAssignment.objects.values_list("tag", flat=True)) == [other.pk]
    delete_tag(tag, **BY)
    assert AuditEntry.objects.filter(action="tags.deleted").count() == 1


def test_a_group_takes_its_tags_along(corp: Corp, alice: Staff) -> None:
    tag = make_tag(corp)
    make_customer(corp, staff=alice, tags=[tag])

    assert delete_tag_group(tag.group, **BY) == 1

    tag.refresh_from_db()
    assert tag.deleted_at == NOW
    assert not CustomerTagSet.objects.exists()
    tag.group.refresh_from_db()
    with pytest.raises(InvalidInput, match="has been deleted"):
        create_tag("late", group=tag.group, **BY)


def test_leaves_the_platforms_tags_to_the_console(corp: Corp) -> None:
    tag = make_tag(corp, kind="wecom")

    for refused in (
        lambda: create_tag("x", group=tag.group, **BY),
        lambda: rename_tag(tag, name="x", **BY),
        lambda: delete_tag(tag, **BY),
        lambda: rename_tag_group(tag.group, name="x", **BY),
        lambda: delete_tag_group(tag.group, **BY),
        lambda: create_tag_group("x", corp=corp, kind=TagKind.WECOM, **BY),
    ):
        with pytest.raises(PlatformTagRefused, match="console of WeCom"):
            refused()
    tag.refresh_from_db()
    assert tag.deleted_at is None
