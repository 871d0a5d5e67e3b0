"""A customer's timeline in the admin, notes, and the rules that write onto it."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from customers.actions.timeline import Fact, note_facts
from customers.models import ChannelRule, Customer, StageRule, TimelineEntry
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import Enter, speak
from tests.admin.test_scope import page
from tests.factories import (
    NOW,
    make_corp,
    make_customer,
    make_department,
    make_staff,
    make_stage,
    make_tag,
)


def note(customer: Customer, text: str, *, minutes: int = 0) -> None:
    moment, person = NOW + timedelta(minutes=minutes), TimelineEntry.Source.PERSON
    fact = Fact(customer.pk, TimelineEntry.Type.NOTE, moment, person, {"text": text, "by": "lin"})
    note_facts([fact], corp=customer.corp, now=NOW)


def shown(client: Client, customer: Customer) -> str:
    return speak(client, "en").get(page(Customer, "change", customer.pk)).content.decode()


def part(client: Client, customer: Customer, **asked: str) -> str:
    address = reverse("admin:customers_customer_timeline", args=[customer.pk])
    return speak(client, "en").get(address, asked).content.decode()


def test_a_page_tells_the_timeline_by_day_with_who(lin: Client, corp: Corp, alice: Staff) -> None:
    customer = make_customer(corp, staff=alice)
    note(customer, "wants a <call>")
    note(customer, "the day after", minutes=24 * 60)

    text = shown(lin, customer)

    assert text.index("2026-11-19") < text.index("the day after") < text.index("wants a &lt;call")
    assert "by lin" in text
    assert "12:00" in text


def test_an_empty_timeline_says_so(lin: Client, corp: Corp) -> None:
    assert "Nothing has happened yet" in shown(lin, make_customer(corp))


def test_earlier_entries_follow_part_by_part(lin: Client, corp: Corp) -> None:
    customer = make_customer(corp)
    for number in range(70):
        note(customer, f"note-{number:02}", minutes=number)

    texts = [shown(lin, customer)]
    while match := re.search(r'hx-get="([^"]+before=[^"]+)"', texts[-1]):
        address = match[1].replace("&amp;", "&")
        texts.append(lin.get(address).content.decode())

    told = [re.findall(r"note-\d\d", text) for text in texts]
    assert [len(each) for each in told] == [30, 30, 10]
    assert [each for page_of in told for each in page_of] == [
        f"note-{number:02}" for number in reversed(range(70))
    ]


def test_one_kind_can_be_seen_alone(lin: Client, corp: Corp) -> None:
    customer = make_customer(corp)
    note(customer, "only a note")

    assert "only a note" in part(lin, customer, view="notes")
    assert "only a note" not in part(lin, customer, view="tags")
    # What nobody has written is as if it were not there.
    for nonsense in ({"view": "x"}, {"before": "x"}, {"before": "2026-01-01|fact|1"}):
        assert "only a note" in part(lin, customer, **nonsense)


def test_a_note_is_written_and_an_empty_one_refused(lin: Client, corp: Corp) -> None:
    customer = make_customer(corp)
    address = reverse("admin:customers_customer_note", args=[customer.pk])

    lin.post(address, {"text": "call her back"})
    lin.post(address, {"text": " "})

    assert TimelineEntry.objects.get().data == {"text": "call her back", "by": "lin"}
    assert lin.get(address).status_code == 403


def test_others_neither_read_nor_write(corp: Corp, mallory: Client) -> None:
    customer = make_customer(corp)
    for name in ("timeline", "note"):
        address = reverse(f"admin:customers_customer_{name}", args=[customer.pk])
        assert mallory.get(address).status_code == 404
        assert mallory.post(address, {"text": "x"}).status_code == 404
    assert not TimelineEntry.objects.exists()


def test_a_department_lead_reads_what_concerns_her_people(
    corp: Corp, enter: Enter, alice: Staff
) -> None:
    department = make_department(corp)
    near = make_staff(corp, userid="near", name="Near", departments=[department])
    customer = make_customer(corp, staff=[alice, near])
    for userid in ("alice", "near"):
        fact = Fact(
            customer.pk, TimelineEntry.Type.FOLLOW_ADDED, NOW, TimelineEntry.Source.EVENT,
            {"staff": userid},
        )  # fmt: skip
        note_facts([fact], corp=corp, now=NOW)

    text = shown(enter("dora", corp=corp, departments=[department]), customer)

    assert "Became a friend of Near" in text
    assert "Became a friend of Alice" not in text


def test_the_stages_are_shown_with_why_she_stands_there(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    make_stage(corp, "aware")
    customer = make_customer(corp, staff=alice)
    assert "In no stage yet" in shown(lin, customer)

    lin.post(reverse("admin:customers_customer_stage", args=[customer.pk]), {"stage": "aware"})

    text = shown(lin, customer)
    assert "Came to the stage «Aware» · by lin" in " ".join(text.split())
    assert "rules leave it alone until" in text


def test_a_customer_of_leaving_staff_waits(lin: Client, corp: Corp, alice: Staff) -> None:
    waiting, kept = (
        make_customer(corp, staff=staff, name=name)
        for name, staff in (("Waits", [alice]), ("Kept", [alice, make_staff(corp)]))
    )
    assert "waits for a new" not in shown(lin, waiting)
    Staff.objects.filter(pk=alice.pk).update(leaving_since=NOW)

    assert "waits for a new member of staff" in shown(lin, waiting)
    assert "waits for a new member of staff" not in shown(lin, kept)
    listing = speak(lin, "en").get(reverse("admin:customers_customer_changelist"))
    assert listing.content.decode().count("waits for a new member of staff") == 1


# --- rules --------------------------------------------------------------------------------------
def channel_rule(corp: Corp, **fields: object) -> dict[str, object]:
    return {"name": "Shop", "state": "shop-*", "is_active": "on", **fields}


def test_a_channel_rule_is_made_looked_at_and_applied(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    tag = make_tag(corp)
    customer = make_customer(corp, staff=alice, name="Comes from the shop")
    customer.follows.update(state="shop-7")

    lin.post(page(ChannelRule, "add"), channel_rule(corp, tags=[tag.pk]))
    rule = ChannelRule.objects.get()
    text = speak(lin, "en").get(page(ChannelRule, "change", rule.pk)).content.decode()
    lin.post(f"{page(ChannelRule, 'changelist')}{rule.pk}/apply/", {"_form_submitted": "True"})

    assert (rule.state, list(rule.tags.all()), rule.is_active) == ("shop-*", [tag], True)
    assert "1 customers came through this channel: 1 would get a tag" in text
    assert "Comes from the shop" in text
    assert Job.objects.get().subject_id == str(rule.pk)


def test_a_channel_rule_that_does_nothing_is_refused(lin: Client, corp: Corp) -> None:
    answer = speak(lin, "en").post(page(ChannelRule, "add"), channel_rule(corp))

    assert "the rule would do nothing" in answer.content.decode()
    assert not ChannelRule.objects.exists()


def test_a_channel_rule_is_changed_and_deleted(lin: Client, corp: Corp) -> None:
    tag = make_tag(corp)
    lin.post(page(ChannelRule, "add"), channel_rule(corp, tags=[tag.pk]))
    rule = ChannelRule.objects.get()
    since = rule.active_since

    lin.post(page(ChannelRule, "change", rule.pk), channel_rule(corp, name="N", tags=[tag.pk]))
    rule.refresh_from_db()
    assert (rule.name, rule.active_since) == ("N", since)
    lin.post(f"{page(ChannelRule, 'changelist')}{rule.pk}/remove/", {"_form_submitted": "True"})

    assert not ChannelRule.objects.exists()


def test_a_stage_rule_is_made_counted_and_run(lin: Client, corp: Corp, alice: Staff) -> None:
    stage = make_stage(corp, "aware")
    make_customer(corp, staff=alice)
    given = {"stage": stage.pk, "order": 3, "is_active": "on", "rule": json.dumps({"all": []})}

    lin.post(page(StageRule, "add"), given)
    rule = StageRule.objects.get()
    listing = lin.get(page(StageRule, "changelist"))
    lin.post(f"{page(StageRule, 'changelist')}{rule.pk}/run_now/", {"_form_submitted": "True"})

    (row,) = listing.context["cl"].result_list
    assert (row.counted.customers, row.counted.moving) == (1, 1)
    assert Job.objects.get().kind == "stage-rules.run"
    wrong = {**given, "rule": json.dumps({"all": [{"field": "moon"}]})}
    assert lin.post(page(StageRule, "change", rule.pk), wrong).status_code == 200
    lin.post(f"{page(StageRule, 'changelist')}{rule.pk}/remove/", {"_form_submitted": "True"})
    assert not StageRule.objects.exists()


@pytest.mark.parametrize(("rule", "count"), [({"all": []}, 2), ({"all": [{}]}, None)])
def test_a_stage_rule_is_counted_while_it_is_written(
    lin: Client, corp: Corp, alice: Staff, rule: object, count: int | None
) -> None:
    make_customer(corp, staff=alice)
    lost = make_customer(corp)
    lost.follows.create(corp=corp, staff=alice, added_at=NOW, status="gone", ended_at=NOW)
    make_customer(corp)
    address = f"{reverse('admin:customers_stagerule_preview')}?corp={corp.pk}"

    told = lin.post(address, {"rule": rule}, content_type="application/json").json()

    assert told.get("count") == count
    assert bool(told.get("errors")) is (count is None)


def test_a_stage_rule_is_not_counted_in_another_corp(
    corp: Corp, mallory: Client, enter: Enter
) -> None:
    address = f"{reverse('admin:customers_stagerule_preview')}?corp={corp.pk}"
    lead = enter("dora", corp=corp, departments=[make_department(corp)])

    for client in (mallory, lead):
        answer = client.post(address, {"rule": {"all": []}}, content_type="application/json")
        assert answer.status_code == 404


def test_others_rules_are_not_there(mallory: Client, corp: Corp) -> None:
    stage = make_stage(corp, "aware")
    rule = StageRule.objects.create(corp=corp, stage=stage, rule={"all": []})
    theirs = make_stage(make_corp(), "x")

    assert mallory.get(page(StageRule, "change", rule.pk)).status_code == 404
    assert theirs.corp != corp
