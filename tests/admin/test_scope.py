"""Nobody sees a row of a corp that is not theirs, on any page of the admin."""

from typing import Any

import pytest
from django.contrib.admin import site
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, Recipient, Task
from customers.models import Customer, Follow, Segment, Tag, TagAssignment
from groups.models import GroupChat, GroupTag, JoinCode
from scrm.tenancy.models import Corp, CorpAccess, Department, Staff
from tests.admin.conftest import Enter
from tests.admin.rows import MARK, rows_of_every_kind
from tests.factories import (
    NOW,
    make_campaign,
    make_customer,
    make_department,
    make_group_chat,
    make_segment,
    make_staff,
    make_tag,
)

REGISTERED = sorted(site._registry, key=lambda model: model._meta.label)
# Access to corps is given by superusers only.
BELONGING = [
    model
    for model in REGISTERED
    if any(field.name == "corp" for field in model._meta.fields) or model is Corp
    if model is not CorpAccess
]


def page(model: type[Model], kind: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


@pytest.fixture
def theirs(corp: Corp) -> dict[type[Model], Model]:
    return rows_of_every_kind(corp)


def test_rows_of_every_registered_kind_are_tried(theirs: dict[type[Model], Model]) -> None:
    assert {model._meta.label for model in BELONGING} == {model._meta.label for model in theirs}


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_another_corps_rows_are_in_no_list(
    theirs: dict[type[Model], Model], mallory: Client, model: type[Model]
) -> None:
    answer = mallory.get(page(model, "changelist"))

    assert answer.status_code in {200, 403}
    if answer.status_code == 200 and model in theirs:
        assert theirs[model] not in list(answer.context["cl"].result_list)
        assert MARK not in answer.content.decode()


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_another_corps_object_is_not_found(
    theirs: dict[type[Model], Model], mallory: Client, model: type[Model]
) -> None:
    key = theirs[model].pk if model in theirs else 1

    for kind in ("change", "history", "delete"):
        assert mallory.get(page(model, kind, key)).status_code in {403, 404}


@pytest.mark.parametrize("model", BELONGING, ids=lambda model: model._meta.label)
def test_one_s_own_rows_are_there(
    theirs: dict[type[Model], Model], corp: Corp, enter: Enter, model: type[Model]
) -> None:
    olga = enter("olga", corp=corp)

    assert theirs[model] in list(
        olga.get(page(model, "changelist"), {"state": "all"} if model is Customer else {})
        .context["cl"]
        .result_list
    )
    assert olga.get(page(model, "change", theirs[model].pk)).status_code == 200


@pytest.mark.parametrize(
    "field",
    [
        TagAssignment._meta.get_field("tag"),
        Follow._meta.get_field("staff"),
        GroupChat._meta.get_field("owner"),
        JoinCode._meta.get_field("chats"),
        Recipient._meta.get_field("campaign"),
        Staff._meta.get_field("departments"),
    ],
    ids=str,
)
def test_autocomplete_offers_nothing_of_another_corp(
    theirs: dict[type[Model], Model], lin: Client, mallory: Client, field: Any
) -> None:
    names = {
        "app_label": field.model._meta.app_label,
        "model_name": field.model._meta.model_name,
        "field_name": field.name,
        "term": MARK,
    }

    def found(client: Client) -> list[Any]:
        results: list[Any] = client.get(reverse("admin:autocomplete"), names).json()["results"]
        return results

    assert found(lin)
    assert not found(mallory)


@pytest.mark.parametrize(("name", "of"), [("tag", Tag), ("staff", Staff)])
def test_a_filter_does_not_name_what_another_corp_has(
    theirs: dict[type[Model], Model], mallory: Client, name: str, of: type[Model]
) -> None:
    answer = mallory.get(page(Customer, "changelist"), {name: theirs[of].pk})

    assert answer.status_code == 200
    assert MARK not in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("tenancy_corp_credentials", Corp),
        ("tenancy_corp_sync_state", Corp),
        ("customers_customer_tags", Customer),
        ("customers_customer_stage", Customer),
        ("customers_segment_count", Segment),
        ("customers_segment_told", Segment),
        ("campaigns_campaign_preflight", Campaign),
        ("campaigns_campaign_picture", Campaign),
        ("campaigns_recipient_file", Campaign),
        ("groups_groupchat_tags", GroupChat),
        ("groups_joincode_picture", JoinCode),
    ],
)
def test_our_own_pages_of_another_corp_are_not_found(
    theirs: dict[type[Model], Model], mallory: Client, name: str, of: type[Model]
) -> None:
    assert mallory.get(reverse(f"admin:{name}", args=[theirs[of].pk])).status_code == 404


def test_a_rule_cannot_be_counted_in_another_corp(
    theirs: dict[type[Model], Model], mallory: Client
) -> None:
    address = f"{reverse('admin:customers_segment_preview')}?corp={theirs[Corp].pk}"

    answer = mallory.post(address, {"rule": {"all": []}}, content_type="application/json")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("model", "action"),
    [
        (Customer, "block"),
        (Campaign, "cancel"),
        (Campaign, "remind"),
        (Segment, "remove"),
        (Tag, "remove"),
        (GroupTag, "remove"),
        (JoinCode, "remove"),
    ],
    ids=str,
)
def test_a_button_cannot_be_pressed_on_another_corps_object(
    theirs: dict[type[Model], Model], mallory: Client, model: type[Model], action: str
) -> None:
    address = page(model, "changelist") + f"{theirs[model].pk}/{action}/"

    assert mallory.post(address, {"_form_submitted": "True"}).status_code == 404
    theirs[model].refresh_from_db()


def test_a_form_takes_no_segment_of_another_corp(
    theirs: dict[type[Model], Model], mallory: Client
) -> None:
    form = {
        "name": "Mine",
        "content": "Hello",
        "attachments": "[]",
        "segment": theirs[Segment].pk,
        "sender_policy": "last_chat",
        "send_at_0": "",
        "send_at_1": "",
    }

    answer = mallory.post(page(Campaign, "add"), form)

    assert answer.status_code == 200
    assert "segment" in answer.context["adminform"].form.errors
    assert not Campaign.objects.filter(name="Mine").exists()


# --- departments ------------------------------------------------------------------------------
@pytest.fixture
def shops(corp: Corp) -> dict[str, Department]:
    east = make_department(corp, name="East")
    return {
        "east": east,
        "harbour": make_department(corp, parent=east, name="Harbour"),
        "west": make_department(corp, name="West"),
    }


def test_a_department_lead_sees_what_lies_below_her_department(
    corp: Corp, shops: dict[str, Department], enter: Enter
) -> None:
    near = make_staff(corp, departments=[shops["harbour"]], name="Near")
    far = make_staff(corp, departments=[shops["west"]], name="Far")
    mine, not_mine = make_customer(corp, staff=near), make_customer(corp, staff=far)
    my_chat, other_chat = make_group_chat(corp, owner=near), make_group_chat(corp, owner=far)
    dora = enter("dora", corp=corp, departments=[shops["east"]])

    def seen(model: type[Model]) -> list[Model]:
        return list(dora.get(page(model, "changelist")).context["cl"].result_list)

    assert seen(Staff) == [near]
    assert seen(Customer) == [mine]
    assert seen(GroupChat) == [my_chat]
    assert {department.name for department in seen(Department)} == {"East", "Harbour"}  # type: ignore[attr-defined]
    assert dora.get(page(Customer, "change", not_mine.pk)).status_code == 404
    assert dora.get(page(GroupChat, "change", other_chat.pk)).status_code == 404


def test_a_department_lead_sees_no_ledger_of_the_whole_corp(
    theirs: dict[type[Model], Model], corp: Corp, enter: Enter
) -> None:
    dora = enter("dora", corp=corp, departments=[make_department(corp)])

    for name in ("channels_inboundevent", "channels_operation", "audit_auditentry", "jobs_job"):
        answer = dora.get(reverse(f"admin:{name}_changelist"))
        assert list(answer.context["cl"].result_list) == []


def test_a_customer_s_page_names_only_followers_in_scope(
    corp: Corp, shops: dict[str, Department], enter: Enter
) -> None:
    near = make_staff(corp, departments=[shops["east"]], name="Nearby")
    far = make_staff(corp, departments=[shops["west"]], name="Faraway")
    shared = make_customer(corp, staff=[near, far])
    dora = enter("dora", corp=corp, departments=[shops["east"]])

    text = dora.get(page(Customer, "change", shared.pk)).content.decode()

    assert "Nearby" in text
    assert "Faraway" not in text


def test_figures_of_a_campaign_are_those_of_the_departments_in_scope(
    corp: Corp, shops: dict[str, Department], enter: Enter
) -> None:
    near = make_staff(corp, departments=[shops["east"]])
    far = make_staff(corp, departments=[shops["west"]])
    campaign = make_campaign(corp, status="asked")
    Campaign.objects.filter(pk=campaign.pk).update(planned_at=campaign.created_at)
    for staff, count in ((near, 2), (far, 5)):
        task = campaign.tasks.create(corp=corp, staff=staff, status="asked")
        for _ in range(count):
            customer = make_customer(corp, staff=staff)
            campaign.recipients.create(
                corp=corp, customer=customer, staff=staff, task=task, status="asked"
            )
    dora = enter("dora", corp=corp, departments=[shops["east"]])

    picture = dora.get(page(Campaign, "change", campaign.pk)).context["picture"]

    assert picture.is_partial
    assert [step.count for step in picture.steps] == [2, 2, 0, 0]
    recipients = dora.get(page(Recipient, "changelist"), {"campaign": campaign.pk})
    assert len(recipients.context["cl"].result_list) == 2


def test_a_count_of_a_rule_respects_departments(
    corp: Corp, shops: dict[str, Department], enter: Enter
) -> None:
    near = make_staff(corp, departments=[shops["east"]])
    make_customer(corp, staff=near)
    make_customer(corp, staff=make_staff(corp, departments=[shops["west"]]))
    dora = enter("dora", corp=corp, departments=[shops["east"]])
    address = f"{reverse('admin:customers_segment_preview')}?corp={corp.pk}"

    told = dora.post(address, {"rule": {"all": []}}, content_type="application/json").json()

    assert told["count"] == 1


def test_tags_of_the_corp_are_there_for_everybody_who_works_for_it(
    corp: Corp, enter: Enter
) -> None:
    tag = make_tag(corp)
    dora = enter("dora", corp=corp, departments=[make_department(corp)])

    assert list(dora.get(page(Tag, "changelist")).context["cl"].result_list) == [tag]


def test_a_department_lead_sees_a_corps_campaign_and_does_not_conduct_it(
    enter: Enter, corp: Corp, shops: dict[str, Department]
) -> None:
    near = make_staff(corp, departments=[shops["harbour"]])
    campaign = make_campaign(corp, status="asked", planned_at=NOW, segment=make_segment(corp))
    Task.objects.create(corp=corp, campaign=campaign, staff=near, msgid="m1", status="asked")
    dora = enter("dora", corp=corp, departments=[shops["east"]])

    assert dora.get(page(Campaign, "change", campaign.pk)).status_code == 200
    for button in ("cancel", "remind", "copy"):
        address = f"{page(Campaign, 'changelist')}{campaign.pk}/{button}/"
        assert dora.post(address, {"_form_submitted": "True"}).status_code == 403
