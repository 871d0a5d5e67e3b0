"""Customers in the admin: found, tagged, moved, barred, exported."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Customer, Follow, Stage, Tag, TagAssignment, TagGroup
from groups.models import GroupChat, Membership
from scrm.audit.models import AuditEntry
from scrm.channels.models import Operation
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import Enter, speak
from tests.admin.test_scope import page
from tests.factories import (
    NOW,
    make_corp,
    make_customer,
    make_department,
    make_follow,
    make_group_chat,
    make_staff,
    make_stage,
    make_tag,
)

LIST = reverse("admin:customers_customer_changelist")


def listed(client: Client, **filters: str | int) -> list[Customer]:
    answer = client.get(LIST, filters)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def test_the_list_shows_those_with_a_friend_unless_asked_otherwise(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    friend, lost = make_customer(corp, staff=alice), make_customer(corp)

    assert listed(lin) == [friend]
    assert listed(lin, state="lost") == [lost]
    assert set(listed(lin, state="all")) == {friend, lost}


def test_customers_are_found_by_name_remark_and_exact_id(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    named = make_customer(corp, staff=alice, name="Zhang San")
    remarked = make_customer(corp, staff=alice)
    Follow.objects.filter(customer=remarked).update(remark="Zhang's sister")
    make_customer(corp, staff=alice, name="Li Si")

    assert set(listed(lin, q="zhang")) == {named, remarked}
    assert listed(lin, q=named.external_userid) == [named]
    assert listed(lin, q=named.external_userid[:-1]) == []


def test_a_customer_with_two_remarks_is_listed_once(
    lin: Client, corp: Corp, alice: Staff, bob: Staff
) -> None:
    customer = make_customer(corp, staff=[alice, bob])
    Follow.objects.filter(customer=customer).update(remark="VIP")

    assert listed(lin, q="vip") == [customer]


def test_the_list_is_narrowed_by_tag_stage_and_staff(
    lin: Client, corp: Corp, alice: Staff, bob: Staff
) -> None:
    tag, stage = make_tag(corp), make_stage(corp, "purchase")
    first = make_customer(corp, staff=alice, tags=[tag])
    second = make_customer(corp, staff=bob, stage=stage)

    assert listed(lin, tag=tag.pk) == [first]
    assert listed(lin, stage=stage.pk) == [second]
    assert listed(lin, stage="none") == [first]
    assert listed(lin, staff=bob.pk) == [second]


def test_both_days_of_a_span_count_in_the_zone_that_is_shown(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    # NOW is midday of the 18th in China.
    customer = make_customer(corp, staff=alice, added_at=NOW)

    assert listed(lin, added_at_from="2026-11-18", added_at_to="2026-11-18") == [customer]
    assert listed(lin, added_at_from="2026-11-19") == []
    assert listed(lin, added_at_from="nonsense") == [customer]


def test_a_page_shows_a_customer_from_all_sides(
    lin: Client, corp: Corp, alice: Staff, bob: Staff
) -> None:
    tag = make_tag(corp, "Gold")
    customer = make_customer(corp, staff=alice, tags=[tag])
    make_follow(customer, bob, status="deleted_by_customer", ended_at=NOW, state="shop7", add_way=1)
    chat = make_group_chat(corp, name="Mothers")
    Membership.objects.create(
        corp=corp, chat=chat, type="customer", member_id="x", customer=customer, joined_at=NOW
    )

    text = speak(lin, "en").get(page(Customer, "change", customer.pk)).content.decode()

    for shown in ("Alice", "Bob", "Gold", "Mothers", "deleted by the customer", "scanned a QR code · shop7"):  # fmt: skip
        assert shown in text


def test_pictures_of_customers_are_not_fetched_from_outside(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    customer = make_customer(corp, staff=alice, avatar="https://wx.qlogo.cn/x/0")

    pages = [lin.get(LIST), lin.get(page(Customer, "change", customer.pk))]

    assert not any("qlogo" in answer.content.decode() for answer in pages)


# --- together ---------------------------------------------------------------------------------
def test_tags_of_ours_are_given_and_taken_from_the_list(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    old, new = make_tag(corp), make_tag(corp)
    customers = [make_customer(corp, staff=alice, tags=[old]) for _ in range(2)]
    chosen = {"action": "tag_chosen", "_selected_action": [each.pk for each in customers]}

    asked = lin.post(LIST, chosen)
    lin.post(LIST, {**chosen, "apply": "1", "add": [new.pk], "remove": [old.pk]})

    assert asked.status_code == 200
    assert set(TagAssignment.objects.values_list("tag", flat=True)) == {new.pk}
    assert AuditEntry.objects.get().action == "customers.tagged"


def test_platform_tags_are_asked_of_the_platform(lin: Client, corp: Corp, alice: Staff) -> None:
    tag = make_tag(corp, kind="wecom")
    customer = make_customer(corp, staff=alice)

    lin.post(reverse("admin:customers_customer_tags", args=[customer.pk]), {"add": [tag.pk]})

    assert Operation.objects.get().payload["add"] == [tag.wecom_id]
    assert not TagAssignment.objects.exists()


def test_a_tag_of_another_corp_is_not_offered(lin: Client, corp: Corp, alice: Staff) -> None:
    foreign = make_tag(make_corp())
    customer = make_customer(corp, staff=alice)
    address = reverse("admin:customers_customer_tags", args=[customer.pk])

    answer = lin.post(address, {"add": [foreign.pk]})

    assert "add" in answer.context["form"].errors


def test_customers_of_two_corps_are_not_tagged_together(lin: Client, corp: Corp) -> None:
    others = make_corp()
    both = [make_customer(each, staff=make_staff(each)) for each in (corp, others)]
    chosen = {"action": "tag_chosen", "_selected_action": [each.pk for each in both]}

    answer = speak(lin, "en").post(LIST, chosen, follow=True)

    assert "one corp at a time" in str(next(iter(answer.context["messages"])))


def test_a_stage_is_set_for_many(lin: Client, corp: Corp, alice: Staff) -> None:
    stage = make_stage(corp, "purchase")
    customers = [make_customer(corp, staff=alice) for _ in range(3)]
    chosen = {"action": "set_stage_of_chosen", "_selected_action": [c.pk for c in customers]}

    lin.post(LIST, {**chosen, "apply": "1", "stage": "purchase"})

    assert set(Customer.objects.values_list("stage", flat=True)) == {stage.pk}


def test_a_customer_is_barred_and_allowed_again(lin: Client, corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice)

    for button, is_blocked in (("block", True), ("unblock", False)):
        lin.post(f"{LIST}{customer.pk}/{button}/", {"_form_submitted": "True"})
        customer.refresh_from_db()
        assert customer.is_blocked is is_blocked


def test_somebody_who_may_only_look_is_offered_no_action(
    corp: Corp, alice: Staff, enter: Enter
) -> None:
    customer = make_customer(corp, staff=alice)
    viewer = enter("viewer", corp=corp)
    user = viewer.get(LIST).context["user"]
    user.user_permissions.set(
        user.user_permissions.filter(codename__in=["view_customer", "view_tag"])
    )

    answer = viewer.get(page(Customer, "change", customer.pk))

    assert answer.context["actions_detail"] == []
    assert viewer.get(reverse("admin:customers_customer_export")).status_code == 403
    assert (
        viewer.get(reverse("admin:customers_customer_tags", args=[customer.pk])).status_code == 403
    )


# --- exports ----------------------------------------------------------------------------------
EXPORT = {"format": "0"}


def test_an_export_has_the_rows_of_the_list_and_is_noted(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    tag = make_tag(corp, "Gold")
    make_customer(corp, staff=alice, tags=[tag], name="Zhang")
    make_customer(corp, staff=alice, name="Li")
    address = f"{reverse('admin:customers_customer_export')}?tag={tag.pk}"

    answer = lin.post(address, EXPORT)

    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 2
    assert {"Zhang", "Gold", "Alice"} < set(rows[1])
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.data) == (
        "customers.exported",
        {"rows": 1, "filter": f"tag={tag.pk}"},
    )


def test_an_export_leaves_out_what_is_beyond_the_scope(corp: Corp, enter: Enter) -> None:
    department = make_department(corp)
    mine = make_customer(corp, staff=make_staff(corp, departments=[department]))
    make_customer(corp, staff=make_staff(corp))
    dora = enter("dora", corp=corp, departments=[department])

    answer = dora.post(reverse("admin:customers_customer_export"), EXPORT)

    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row[0] for row in rows[1:]] == [mine.external_userid]


def test_a_list_too_long_for_a_file_is_refused_and_not_cut(
    lin: Client, corp: Corp, alice: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        make_customer(corp, staff=alice)
    monkeypatch.setattr("customers.admin.customers.MOST_ROWS", 2)

    answer = speak(lin, "en").post(reverse("admin:customers_customer_export"), EXPORT, follow=True)

    assert "at most 2 customers" in str(next(iter(answer.context["messages"])))
    assert not AuditEntry.objects.exists()


def test_a_name_that_looks_like_a_formula_is_made_harmless(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    make_customer(corp, staff=alice, name="=HYPERLINK(1)")

    answer = lin.post(reverse("admin:customers_customer_export"), EXPORT)

    assert "=HYPERLINK" not in answer.content.decode("utf-8-sig")


# --- tags, stages -----------------------------------------------------------------------------
def test_a_tag_of_ours_is_made_renamed_and_deleted(lin: Client, corp: Corp) -> None:
    lin.post(page(TagGroup, "add"), {"name": "Interest"})
    group = TagGroup.objects.get()
    lin.post(page(Tag, "add"), {"group": group.pk, "name": "Toys"})
    tag = Tag.objects.get()
    lin.post(page(Tag, "change", tag.pk), {"name": "Games"})
    renamed = Tag.objects.get().name

    lin.post(f"{page(Tag, 'changelist')}{tag.pk}/remove/", {"_form_submitted": "True"})

    tag.refresh_from_db()
    assert renamed == "Games"
    assert tag.deleted_at
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "tags.group_created",
        "tags.created",
        "tags.renamed",
        "tags.deleted",
    ]


def test_a_name_that_is_taken_is_refused_beside_the_field(lin: Client, corp: Corp) -> None:
    tag = make_tag(corp, "Toys")

    answer = lin.post(page(Tag, "add"), {"group": tag.group_id, "name": "Toys"})

    assert "name" in answer.context["adminform"].form.errors
    assert Tag.objects.count() == 1


def test_a_platform_tag_is_changed_by_asking_the_platform_alone(lin: Client, corp: Corp) -> None:
    tag = make_tag(corp, "Gold", kind="wecom")

    assert lin.post(page(Tag, "change", tag.pk), {"name": "Other"}).status_code == 403


def test_tags_show_how_many_customers_carry_them(lin: Client, corp: Corp, alice: Staff) -> None:
    tag, unused = make_tag(corp, "Gold"), make_tag(corp, "Unused")
    for _ in range(3):
        make_customer(corp, staff=alice, tags=[tag])

    rows = lin.get(page(Tag, "changelist")).context["cl"].result_list

    assert {row.pk: row.customer_count for row in rows} == {tag.pk: 3, unused.pk: 0}


@pytest.mark.parametrize("key", ["purchase", "not a slug"])
def test_a_stage_that_cannot_be_is_refused(lin: Client, corp: Corp, key: str) -> None:
    make_stage(corp, "purchase")

    answer = lin.post(page(Stage, "add"), {"name": "Again", "key": key, "order": "1"})

    assert "key" in answer.context["adminform"].form.errors
    assert Stage.objects.count() == 1


def test_a_stage_is_renamed_and_keeps_its_key(lin: Client, corp: Corp) -> None:
    stage = make_stage(corp, "purchase")

    lin.post(page(Stage, "change", stage.pk), {"name": "Bought", "key": "other", "order": "3"})

    stage.refresh_from_db()
    assert (stage.name, stage.key, stage.order) == ("Bought", "purchase", 3)


def test_a_group_chat_lists_its_members_by_name(lin: Client, corp: Corp, alice: Staff) -> None:
    chat = make_group_chat(corp, owner=alice)
    customer = make_customer(corp, staff=alice, name="Zhang")
    for kind, member, who in (
        ("staff", "alice", None),
        ("customer", "wm1", customer),
        ("customer", "wm2", None),
    ):
        Membership.objects.create(
            corp=corp, chat=chat, type=kind, member_id=member, customer=who, joined_at=NOW,
            name="A stranger" if member == "wm2" else "", join_scene=3,
        )  # fmt: skip

    text = speak(lin, "en").get(page(GroupChat, "change", chat.pk)).content.decode()

    for shown in ("Alice", "Zhang", "A stranger", "scanned the group&#x27;s QR code"):
        assert shown in text
