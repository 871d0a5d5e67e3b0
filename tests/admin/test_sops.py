"""The pages of SOPs: written as rows, watched as a funnel, followed customer by customer."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.actions.sops.dispatching import run_due_steps
from campaigns.models import Enrolment, Sop
from risk.models import Incident
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import Enter, speak
from tests.campaigns.sops import enrol, forbid, make_sop, message, tag, task
from tests.factories import (
    NOW,
    make_customer,
    make_department,
    make_enrolment,
    make_staff,
    make_tag,
)

ADD = "/admin/campaigns/sop/add/"
PRESSED = {"_form_submitted": "True"}


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:campaigns_{name}", args=args)


def definition(*steps: Any, **fields: Any) -> dict[str, Any]:
    defaults = {
        "trigger": {"type": "manual"},
        "exit": None,
        "quiet_hours": {"start": "21:00", "end": "09:00"},
        "late_policy": "skip",
        "grace_minutes": 60,
    }
    return {**defaults, "steps": list(steps), **fields}


def form(name: str, *steps: Any, **fields: Any) -> dict[str, str]:
    return {"name": name, "definition": json.dumps(definition(*steps, **fields))}


def test_writes_a_draft(lin: Client, corp: Corp) -> None:
    answer = lin.post(ADD, form("Newborn", message(days=1, at="10:00")) | {"_continue": "1"})

    sop = Sop.objects.get()
    assert answer.status_code == 302
    assert (sop.name, sop.status, sop.steps.get().offset_days) == ("Newborn", "draft", 1)
    assert sop.quiet_hours == {"start": "21:00", "end": "09:00"}


def test_writes_and_activates(lin: Client, corp: Corp) -> None:
    lin.post(ADD, form("Newborn", message()) | {"_activate": "1"})

    assert Sop.objects.get().status == Sop.Status.ACTIVE


def test_shows_each_problem_at_its_step(lin: Client, corp: Corp) -> None:
    answer = lin.post(ADD, form("Newborn", message(), tag()) | {"_continue": "1"})

    assert answer.status_code == 200
    editor = answer.context["adminform"].form.editor()
    assert [each["path"] for each in editor["problems"]] == ["/steps/1/action/tags"]
    assert len(editor["definition"]["steps"]) == 2


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"trigger": 1, "steps": 7}'])
def test_a_broken_definition_is_refused(lin: Client, corp: Corp, text: str) -> None:
    answer = lin.post(ADD, {"name": "X", "definition": text})

    assert answer.status_code == 200
    assert not Sop.objects.exists()


@pytest.mark.parametrize("preset", ["new_friend", "pregnancy", "birthday", "blank"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_each_preset_can_be_kept(lin: Client, corp: Corp, preset: str, language: str) -> None:
    page = speak(lin, language).get(f"{ADD}?preset={preset}")
    begun = page.context["adminform"].form.editor()["definition"]

    lin.post(ADD, {"name": preset, "definition": json.dumps(begun), "_continue": "1"})

    # The blank one waits for its first text.
    assert Sop.objects.exists() is (preset != "blank")


def test_a_forbidden_text_is_refused_and_kept_in_mind(
    lin: Client, corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, "治愈")

    lin.post(ADD, form("Newborn", message("保证治愈")) | {"_activate": "1"})
    sop = Sop.objects.get()
    assert sop.status == Sop.Status.DRAFT
    assert Incident.objects.get().data["sop"] == sop.pk


def test_a_running_sop_is_edited_by_rows(lin: Client, corp: Corp) -> None:
    sop = make_sop(corp, [message("Old")], now=NOW)
    page = lin.get(url("sop_change", sop.pk) + "?edit=1")
    kept = page.context["adminform"].form.editor()["definition"]
    kept["steps"][0]["action"]["content"] = "New"

    answer = lin.post(url("sop_change", sop.pk), {"name": sop.name, "definition": json.dumps(kept)})

    assert answer.status_code == 302
    step = sop.steps.current().get()
    assert (step.pk, step.action["content"]) == (kept["steps"][0]["id"], "New")


def test_tells_how_far_each_step_came(lin: Client, corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp, "VIP")
    gold = {"all": [{"field": "tags", "op": "any_of", "value": [vip.pk]}]}
    sop = make_sop(corp, [tag(vip.pk), message("Gold", days=1, condition=gold)], now=NOW)
    for customer in (make_customer(corp, staff=alice), make_customer(corp, staff=alice)):
        enrol(sop, customer, now=NOW)
    run_due_steps(now=NOW)

    picture = lin.get(url("sop_change", sop.pk)).context["picture"]

    first, second = picture.rows
    assert {part.word: part.count for part in first.parts if part.count} == {"done": 2}
    assert {part.word: part.count for part in second.parts if part.count} == {"pending": 2}
    assert "VIP" in first.words
    assert "VIP" in second.condition
    assert [count for _name, _tone, count, _link in picture.counts] == [2, 0, 0, 0]


def test_lists_who_has_no_date(lin: Client, corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice, name="Ann", attributes={"due": "soon"})
    trigger = {"type": "attribute_date", "attribute": "due"}
    sop = make_sop(corp, [message()], now=NOW, trigger=trigger)

    page = lin.get(url("sop_change", sop.pk)).content.decode()

    assert "Ann" in page
    assert "soon" in page


def test_pauses_and_goes_on(lin: Client, corp: Corp) -> None:
    sop = make_sop(corp, [message()], now=NOW)

    lin.post(url("sop_pause", sop.pk), PRESSED)
    sop.refresh_from_db()
    assert sop.status == Sop.Status.PAUSED
    lin.post(url("sop_activate", sop.pk), PRESSED)
    sop.refresh_from_db()

    assert sop.status == Sop.Status.ACTIVE


def test_takes_a_customer_in_and_out(lin: Client, corp: Corp, alice: Staff) -> None:
    sop = make_sop(corp, [message(days=1)], now=NOW)
    customer = make_customer(corp, staff=alice)

    lin.post(url("sop_enrol", sop.pk), PRESSED | {"external_userid": customer.external_userid})
    enrolment = Enrolment.objects.get()
    assert enrolment.customer == customer
    lin.post(url("sop_enrol", sop.pk), PRESSED | {"external_userid": "nobody"})
    lin.post(url("enrolment_remove", enrolment.pk), PRESSED)
    enrolment.refresh_from_db()

    assert enrolment.status == Enrolment.Status.CANCELLED


def test_tells_the_way_of_a_customer(lin: Client, corp: Corp, alice: Staff) -> None:
    sop = make_sop(corp, [message("Early"), task("Later", days=3)], now=NOW)
    enrolment = enrol(sop, make_customer(corp, staff=alice), now=NOW)
    run_due_steps(now=NOW)

    lines = lin.get(url("enrolment_change", enrolment.pk)).context["lines"]

    assert [(line.words, line.is_asked) for line in lines] == [("Early", True), ("Later", False)]
    assert lines[0].reached


def test_simulates_without_doing_anything(lin: Client, corp: Corp, alice: Staff) -> None:
    sop = make_sop(corp, [message("Hello", days=2)], now=NOW)
    customer = make_customer(corp, staff=alice, name="Ann")

    page = lin.get(url("sop_simulation", sop.pk), {"customer": customer.external_userid})

    assert [run.words for run in page.context["simulation"]["runs"]] == ["Hello"]
    assert "Ann" in page.content.decode()
    assert not Enrolment.objects.exists()


def test_a_lead_of_a_department_sees_hers_and_writes_nothing(
    corp: Corp, alice: Staff, enter: Enter
) -> None:
    store = make_department(corp)
    hers = make_staff(corp, departments=[store])
    sop = make_sop(corp, [message()], now=NOW)
    mine = make_enrolment(sop, make_customer(corp, staff=hers))
    other = make_enrolment(sop, make_customer(corp, staff=alice))
    lead = enter("lead", corp=corp, departments=[store])

    picture = lead.get(url("sop_change", sop.pk)).context["picture"]

    assert picture.is_partial
    assert picture.rows[0].total == 1
    assert list(lead.get(url("enrolment_changelist")).context["cl"].result_list) == [mine]
    assert lead.get(url("enrolment_change", other.pk)).status_code == 404
    edited = lead.post(url("sop_change", sop.pk), form("Mine now", message()))
    assert edited.status_code == 403
    assert lead.post(url("sop_pause", sop.pk), PRESSED).status_code in {302, 403}
    sop.refresh_from_db()
    assert (sop.status, sop.name != "Mine now") == (Sop.Status.ACTIVE, True)


def test_pages_cost_the_same_for_many(
    lin: Client, corp: Corp, alice: Staff, django_assert_max_num_queries: Any
) -> None:
    sop = make_sop(corp, [message(days=1), tag(make_tag(corp).pk, days=2)], now=NOW)
    lin.get(url("sop_change", sop.pk))

    def count() -> int:
        with django_assert_max_num_queries(60) as captured:
            lin.get(url("sop_change", sop.pk))
        return len(captured)

    one = count()
    for _ in range(5):
        enrol(sop, make_customer(corp, staff=alice), now=timezone.now())

    assert count() == one
