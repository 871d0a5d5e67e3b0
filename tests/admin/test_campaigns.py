"""Campaigns in the admin: written, checked, let go, watched."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.actions.results import FIGURES, results_of
from campaigns.models import Campaign, Recipient, Sop, Step, Task
from groups.models import GroupTag
from risk.models import Incident
from scrm.audit.models import AuditEntry
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import Enter, speak
from tests.admin.test_scope import page
from tests.factories import (
    NOW,
    make_campaign,
    make_corp,
    make_customer,
    make_group_chat,
    make_lexicon,
    make_material,
    make_segment,
    make_staff,
)

LINK = {"kind": "link", "title": "Sale", "url": "https://example.com"}


def form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Sale",
        "content": "Hello",
        "attachments": "[]",
        "segment": "",
        "sender_policy": "last_chat",
        "send_at_0": "",
        "send_at_1": "",
    } | changes


def press(client: Client, campaign: Campaign, button: str) -> list[str]:
    """Confirm a button's dialog; what the person is told then."""
    address = f"{page(Campaign, 'changelist')}{campaign.pk}/{button}/"
    answer = speak(client, "en").post(address, {"_form_submitted": "True"}, follow=True)
    campaign.refresh_from_db()
    return [str(message) for message in answer.context["messages"]]


@pytest.fixture
def asked(corp: Corp, alice: Staff, bob: Staff) -> Campaign:
    """Alice confirmed and Bob did not; one of each outcome."""
    campaign = make_campaign(
        corp, status="partly_confirmed", planned_at=NOW, segment=make_segment(corp), asked_at=NOW
    )
    outcomes = {alice: ("delivered", "delivered", "not_friend", "quota"), bob: ("asked", "failed")}
    for staff, statuses in outcomes.items():
        is_done = staff == alice
        task = Task.objects.create(
            corp=corp, campaign=campaign, staff=staff, msgid=f"m{staff.pk}", asked_at=NOW,
            status="confirmed" if is_done else "asked", confirmed_at=NOW if is_done else None,
        )  # fmt: skip
        for status in statuses:
            add_recipient(campaign, task, status)
    campaign.recipients.create(
        corp=corp, customer=make_customer(corp), status="excluded", reason="blocked"
    )
    return campaign


def add_recipient(campaign: Campaign, task: Task, status: str) -> None:
    customer = make_customer(campaign.corp, staff=task.staff)
    campaign.recipients.create(
        corp=campaign.corp, customer=customer, staff=task.staff, task=task, status=status
    )


# --- writing ----------------------------------------------------------------------------------
def test_a_draft_is_kept_as_it_was_written(lin: Client, corp: Corp, alice: Staff) -> None:
    segment = make_segment(corp)
    written = form(
        segment=segment.pk,
        attachments=json.dumps([LINK | {"desc": ""}]),
        sender_policy="named",
        senders=[alice.pk],
        send_at_0="2027-01-05",
        send_at_1="09:30",
    )

    lin.post(page(Campaign, "add"), written)

    campaign = Campaign.objects.get()
    assert (campaign.segment, campaign.attachments) == (segment, [LINK])
    assert list(campaign.senders.all()) == [alice]
    # Half past nine in Shanghai.
    assert campaign.send_at == datetime(2027, 1, 5, 1, 30, tzinfo=UTC)
    assert campaign.status == Campaign.Status.DRAFT
    assert AuditEntry.objects.get().action == "campaigns.created"


def test_the_time_is_that_of_the_corp_s_zone(lin: Client, corp: Corp) -> None:
    Corp.objects.filter(pk=corp.pk).update(time_zone="Europe/Berlin")

    given = form(segment=make_segment(corp).pk, send_at_0="2027-01-05", send_at_1="09:30")
    lin.post(page(Campaign, "add"), given)

    campaign = Campaign.objects.get()
    assert campaign.send_at == datetime(2027, 1, 5, 8, 30, tzinfo=UTC)
    text = lin.get(page(Campaign, "change", campaign.pk)).content.decode()
    assert 'value="09:30' in text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"content": "字" * 1334}, "content"),
        ({"attachments": json.dumps([LINK] * 10)}, "attachments"),
        ({"attachments": json.dumps([{"kind": "link", "title": "x"}])}, "attachments"),
        ({"attachments": '{"kind": "link"}'}, "attachments"),
        ({"attachments": "{"}, "attachments"),
        ({"name": ""}, "name"),
        ({"sender_policy": "nobody"}, "sender_policy"),
        ({"segment": ""}, "segment"),
    ],
)
def test_what_cannot_be_sent_is_refused_beside_the_field(
    lin: Client, corp: Corp, changes: dict[str, str], field: str
) -> None:
    answer = lin.post(page(Campaign, "add"), form(segment=make_segment(corp).pk) | changes)

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Campaign.objects.exists()


def test_the_place_of_a_wrong_attachment_reaches_the_composer(lin: Client, corp: Corp) -> None:
    wrong = json.dumps([LINK, LINK | {"url": "ftp://example.com"}])

    answer = lin.post(page(Campaign, "add"), form(attachments=wrong))

    composer = answer.context["adminform"].form.composer()
    assert [problem["path"] for problem in composer["problems"]] == ["/attachments/1/url"]
    assert len(composer["attachments"]) == 2


def test_names_chosen_before_the_policy_was_changed_mean_nothing(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    lin.post(
        page(Campaign, "add"),
        form(segment=make_segment(corp).pk, sender_policy="owner", senders=[alice.pk]),
    )

    assert not Campaign.objects.get().senders.exists()


def test_a_list_a_brand_made_is_kept_when_the_text_is_changed(lin: Client, corp: Corp) -> None:
    customer = make_customer(corp, staff=make_staff(corp))
    campaign = make_campaign(corp, external_userids=[customer.external_userid])

    lin.post(page(Campaign, "change", campaign.pk), form(content="Changed"))

    campaign.refresh_from_db()
    assert campaign.content == "Changed"
    assert campaign.external_userids == [customer.external_userid]


def test_a_submitted_campaign_is_no_form_any_more(lin: Client, asked: Campaign) -> None:
    answer = lin.post(page(Campaign, "change", asked.pk), form(content="Changed"))

    asked.refresh_from_db()
    assert answer.status_code == 403
    assert asked.content != "Changed"


# --- letting go -------------------------------------------------------------------------------
def test_the_check_shows_who_is_left_out_and_submits(lin: Client, corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice)
    make_customer(corp, staff=alice, is_blocked=True)
    lin.post(page(Campaign, "add"), form(segment=make_segment(corp).pk, _check="1"))
    campaign = Campaign.objects.get()
    address = reverse("admin:campaigns_campaign_preflight", args=[campaign.pk])

    shown = lin.get(address).context
    lin.post(address)

    campaign.refresh_from_db()
    assert shown["checked"].planned == 1
    assert [count for _reason, count in shown["reasons"]] == [1]
    assert shown["audience"] == 2
    assert campaign.status == Campaign.Status.SCHEDULED


def test_a_campaign_without_audience_stays_a_draft_and_says_why(lin: Client, corp: Corp) -> None:
    campaign = make_campaign(corp)
    address = reverse("admin:campaigns_campaign_preflight", args=[campaign.pk])

    answer = speak(lin, "en").post(address)

    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT
    assert "no audience" in str(next(iter(answer.context["messages"])))


def test_nobody_approves_her_own_campaign(
    lin: Client, enter: Enter, corp: Corp, alice: Staff
) -> None:
    Corp.objects.filter(pk=corp.pk).update(approval_threshold=1)
    make_customer(corp, staff=alice)
    campaign = make_campaign(corp, segment=make_segment(corp))
    lin.post(reverse("admin:campaigns_campaign_preflight", args=[campaign.pk]))

    own = press(lin, campaign, "approve")
    status_after_own = campaign.status
    press(enter("olga", corp=corp), campaign, "approve")

    assert "yourself" in own[-1]
    assert status_after_own == Campaign.Status.PENDING_APPROVAL
    assert campaign.status == Campaign.Status.SCHEDULED


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        ("draft", {"open_preflight", "discard"}),
        ("pending_approval", {"approve", "cancel"}),
        ("scheduled", {"cancel"}),
        ("asked", {"remind", "refresh", "cancel"}),
        ("done", {"refresh", "copy"}),
        ("cancelled", {"refresh", "copy"}),
    ],
)
def test_a_campaign_has_the_buttons_of_its_status(
    lin: Client, corp: Corp, status: str, buttons: set[str]
) -> None:
    campaign = make_campaign(corp, status=status)

    shown = lin.get(page(Campaign, "change", campaign.pk)).context["actions_detail"]

    assert {each["path"].rstrip("/").rpartition("/")[2] for each in shown} == buttons


def test_staff_are_reminded_three_times_a_day(lin: Client, asked: Campaign) -> None:
    told = [press(lin, asked, "remind")[0] for _ in range(4)]

    assert told[:3] == ["1 member of staff is being reminded."] * 3
    assert "no more" in told[3]


def test_cancelling_says_what_it_cannot_do_before_and_cancels_after(
    lin: Client, asked: Campaign
) -> None:
    address = f"{page(Campaign, 'changelist')}{asked.pk}/cancel/"

    dialog = speak(lin, "en").get(address).content.decode()
    before = Campaign.objects.get(pk=asked.pk).status
    press(lin, asked, "cancel")

    assert "cannot recall" in dialog
    assert before == Campaign.Status.PARTLY_CONFIRMED
    assert asked.status == Campaign.Status.CANCELLED


def test_a_refresh_reads_the_platform_in_a_job(lin: Client, asked: Campaign) -> None:
    press(lin, asked, "refresh")

    assert Job.objects.get().kind == "campaigns.refresh"


def test_a_campaign_is_copied_as_a_draft(lin: Client, asked: Campaign) -> None:
    Campaign.objects.filter(pk=asked.pk).update(status="done")

    press(lin, asked, "copy")

    copy = Campaign.objects.exclude(pk=asked.pk).get()
    assert (copy.status, copy.content, copy.segment) == ("draft", asked.content, asked.segment)


# --- watching ---------------------------------------------------------------------------------
def test_the_funnel_and_the_losses_are_those_of_the_results(lin: Client, asked: Campaign) -> None:
    picture = lin.get(page(Campaign, "change", asked.pk)).context["picture"]

    results = results_of(asked)
    steps = {step.word: step.count for step in picture.steps}
    assert steps == {word: results[word] for word in steps} == {
        "planned": 6, "asked": 5, "confirmed": 4, "delivered": 2,
    }  # fmt: skip
    assert sorted(loss.count for loss in picture.losses) == [1, 1, 1, 1]
    assert [loss.count for loss in picture.excluded] == [1]


def test_laggards_come_first_and_what_is_not_known_is_no_zero(
    lin: Client, asked: Campaign, alice: Staff, bob: Staff
) -> None:
    first, second = lin.get(page(Campaign, "change", asked.pk)).context["picture"].rows

    assert (first.task.staff, first.delivered, first.lost, first.unsent) == (bob, None, None, 1)
    assert (second.task.staff, second.delivered, second.lost) == (alice, 2, 2)


def test_before_planning_every_figure_is_a_dash(lin: Client, corp: Corp) -> None:
    campaign = make_campaign(corp, status="scheduled", send_at=NOW + timedelta(days=400))

    answer = lin.get(page(Campaign, "change", campaign.pk))

    assert [step.count for step in answer.context["picture"].steps] == [None] * 4
    assert answer.content.decode().count('<div class="scrm-figure">—</div>') == 4


@pytest.mark.parametrize("word", [*FIGURES, "excluded"])
def test_every_figure_leads_to_as_many_recipients(lin: Client, asked: Campaign, word: str) -> None:
    results = results_of(asked)
    expected = sum(results["excluded"].values()) if word == "excluded" else results[word]

    figure: dict[str, str | int] = {"campaign": asked.pk, "figure": word}

    answer = lin.get(page(Recipient, "changelist"), figure)

    assert len(answer.context["cl"].result_list) == expected


def test_recipients_are_exported_and_it_is_noted(lin: Client, asked: Campaign) -> None:
    answer = lin.get(reverse("admin:campaigns_recipient_file", args=[asked.pk]))

    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 1 + asked.recipients.count()
    assert AuditEntry.objects.get().action == "recipients.exported"


def test_a_running_campaign_is_watched_and_an_ended_one_is_not(
    lin: Client, asked: Campaign
) -> None:
    running = lin.get(page(Campaign, "change", asked.pk)).content.decode()
    Campaign.objects.filter(pk=asked.pk).update(status="done")

    ended = lin.get(page(Campaign, "change", asked.pk)).content.decode()

    assert "every 10s" in running
    assert "every 10s" not in ended


def test_the_list_shows_figures_once_they_are_known(lin: Client, asked: Campaign) -> None:
    draft = make_campaign(asked.corp)

    rows = {row.pk: row for row in lin.get(page(Campaign, "changelist")).context["cl"].result_list}

    assert rows[asked.pk].progress["delivered"] == 2
    assert rows[draft.pk].progress is None


# --- to chats ---------------------------------------------------------------------------------
def test_a_draft_to_chats_is_kept_as_it_was_chosen(lin: Client, corp: Corp, alice: Staff) -> None:
    chats = [make_group_chat(corp, owner=alice) for _ in range(2)]
    chat_ids = [chat.chat_id for chat in chats]
    # What was filled in before the kind was changed means nothing.
    given = form(
        kind="groups", chat_ids=json.dumps(chat_ids), segment=make_segment(corp).pk,
        sender_policy="named", senders=[alice.pk],
    )  # fmt: skip

    lin.post(page(Campaign, "add"), given)

    campaign = Campaign.objects.get()
    assert (campaign.kind, campaign.chat_ids, campaign.segment) == ("groups", chat_ids, None)
    answer = lin.get(page(Campaign, "change", campaign.pk))
    composer = answer.context["adminform"].form.composer()
    assert [chat["id"] for chat in composer["chosen"]] == chat_ids
    assert (composer["kindOfCampaign"], answer.status_code) == ("groups", 200)


@pytest.mark.parametrize("chat_ids", ["", "[]", '["nothing"]', "{", '{"a": 1}', "[1]"])
def test_chats_that_cannot_be_meant_are_refused_beside_the_picker(
    lin: Client, corp: Corp, chat_ids: str
) -> None:
    answer = lin.post(page(Campaign, "add"), form(kind="groups", chat_ids=chat_ids))

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["chat_ids"]
    assert not Campaign.objects.exists()


def test_the_picker_finds_chats_by_name_owner_and_tag(
    lin: Client, corp: Corp, alice: Staff, bob: Staff
) -> None:
    mothers = make_group_chat(corp, owner=alice, name="Mothers")
    make_group_chat(corp, owner=bob, name="Fathers")
    make_group_chat(corp, owner=alice, name="Mothers of old", status="dismissed")
    make_group_chat(make_corp(), name="Mothers elsewhere")
    vip = GroupTag.objects.create(corp=corp, name="vip")
    mothers.tags.add(vip)
    address = reverse("admin:campaigns_campaign_chats")

    def names(**wanted: Any) -> list[str]:
        parameters: dict[str, Any] = {"corp": corp.pk, **wanted}
        told = lin.get(address, parameters).json()
        assert told["count"] == len(told["chats"])
        return [chat["name"] for chat in told["chats"]]

    assert names() == ["Fathers", "Mothers"]
    assert names(q="moth") == names(q="alice") == names(tag=vip.pk) == ["Mothers"]
    assert names(q="nobody") == names(q="moth", tag="99") == []
    assert names(all="1") == ["Fathers", "Mothers"]


def test_the_picker_shows_nothing_of_another_corp(enter: Enter, corp: Corp) -> None:
    make_group_chat(corp, name="Mothers")
    mallory = enter("mallory", corp=make_corp())

    answer = mallory.get(reverse("admin:campaigns_campaign_chats"), {"corp": corp.pk})

    assert answer.status_code == 404


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_result_of_chats_shows_each_and_why(
    lin: Client, corp: Corp, alice: Staff, language: str
) -> None:
    sent, gone = (make_group_chat(corp, owner=alice) for _ in range(2))
    campaign = make_campaign(
        corp, kind="groups", chat_ids=[sent.chat_id, gone.chat_id], status="done", planned_at=NOW
    )
    rows = {sent: ("delivered", ""), gone: ("asked", "chat_dismissed")}
    for chat, (status, reason) in rows.items():
        campaign.recipients.create(
            corp=corp, chat=chat, staff=alice, status=status, reason=reason, settled_at=NOW
        )

    answer = speak(lin, language).get(page(Campaign, "change", campaign.pk))
    search: dict[str, Any] = {"campaign": campaign.pk, "q": gone.name}
    listed = lin.get(page(Recipient, "changelist"), search)
    export = lin.get(reverse("admin:campaigns_recipient_file", args=[campaign.pk]))

    picture = answer.context["picture"]
    assert [row.recipient.chat for row in picture.chats] == [gone, sent]
    assert sum(loss.count for loss in picture.losses) == 1
    assert gone.name in answer.content.decode()
    assert [row.chat for row in listed.context["cl"].result_list] == [gone]
    text = b"".join(export.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert sent.chat_id in text


def test_a_copy_leaves_out_chats_that_were_dismissed_since(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    kept = make_group_chat(corp, owner=alice)
    gone = make_group_chat(corp, owner=alice, status="dismissed")
    campaign = make_campaign(
        corp, kind="groups", chat_ids=[gone.chat_id, kept.chat_id], status="done"
    )

    press(lin, campaign, "copy")

    assert Campaign.objects.exclude(pk=campaign.pk).get().chat_ids == [kept.chat_id]


# --- screened, with materials -----------------------------------------------------------------
def test_a_forbidden_text_is_marked_and_stays_a_draft(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    make_lexicon(corp, ["根治"])
    make_customer(corp, staff=alice)
    campaign = make_campaign(corp, segment=make_segment(corp), content="<i>一周根治</i>")
    address = reverse("admin:campaigns_campaign_preflight", args=[campaign.pk])

    answers = [lin.get(address), lin.get(page(Campaign, "change", campaign.pk)), lin.post(address)]

    for answer in answers:
        assert "&lt;i&gt;一周<mark>根治</mark>&lt;/i&gt;" in answer.content.decode()
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT
    assert Incident.objects.get().data["campaign"] == campaign.pk


def test_a_draft_with_a_material_shows_what_stands_in_it(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    make_customer(corp, staff=alice)
    material = make_material(corp, content=LINK | {"title": "Spring sale"})
    text = make_material(corp, kind="text", content={"text": "Hello again"})
    attachments = json.dumps([{"material": material.pk}])
    lin.post(page(Campaign, "add"), form(segment=make_segment(corp).pk, attachments=attachments))
    campaign = Campaign.objects.get()

    composer = lin.get(page(Campaign, "change", campaign.pk)).context["adminform"].form.composer()
    checked = lin.get(reverse("admin:campaigns_campaign_preflight", args=[campaign.pk]))

    assert campaign.attachments == [{"material": material.pk}]
    offered = {each["id"]: each for each in composer["materials"]}
    assert offered[material.pk]["shown"]["title"] == "Spring sale"
    assert offered[text.pk]["text"] == "Hello again"
    assert "Spring sale" in checked.content.decode()


def test_campaigns_of_sops_are_listed_apart(lin: Client, corp: Corp) -> None:
    sop = Sop.objects.create(corp=corp, name="s", trigger={}, created_at=NOW, updated_at=NOW)
    step = Step.objects.create(sop=sop, position=1, action={"kind": "message"})
    by_sop, by_people = make_campaign(corp, sop_step=step), make_campaign(corp)

    def listed(**filters: str) -> list[Campaign]:
        return list(lin.get(page(Campaign, "changelist"), filters).context["cl"].result_list)

    assert (listed(), listed(origin="sops")) == ([by_people], [by_sop])
    assert lin.get(page(Campaign, "change", by_sop.pk)).status_code == 200
