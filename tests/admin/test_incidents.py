"""The queue in the admin: what is seen, by whom, and how it is decided."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from risk.models import ArchiveCursor, Incident
from scrm.channels.models import ArchiveKey
from scrm.tenancy.models import Corp, CorpAccess, Department
from tests.admin.conftest import Enter, speak
from tests.factories import (
    make_corp,
    make_customer,
    make_department,
    make_incident,
    make_message,
    make_staff,
)
from tests.risk.archive import pem

LIST = reverse("admin:risk_incident_changelist")


def page(incident: Incident) -> str:
    return reverse("admin:risk_incident_change", args=[incident.pk])


def text_of(client: Client, address: str, **params: str) -> str:
    answer = speak(client, "en").get(address, params)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def incident(corp: Corp) -> Incident:
    make_customer(corp, external_userid="wm1", name="Mrs Li")
    anna = make_staff(corp, userid="anna", name="Anna")
    make_message(corp, text="Good <b>morning</b>")
    make_message(corp, sender="wm1", is_from_staff=False, text="", text_state="no_consent")
    subject = make_message(corp, text="please add <me> 加微信 now")
    make_message(corp, kind="voice", text="", text_state="no_text")
    hits = [
        {"rule": "private", "category": "d", "severity": "high", "start": 16, "end": 19, "text": "加微信"},
        {"rule": "wechat", "category": "d", "severity": "low", "start": 17, "end": 19, "text": "微信"},
    ]  # fmt: skip
    return make_incident(
        corp,
        staff=anna,
        external_userid="wm1",
        message=subject,
        hits=hits,
        opened_at=timezone.now(),
    )


def test_the_list_names_rules_and_people_and_says_no_word(lin: Client, incident: Incident) -> None:
    text = text_of(lin, LIST)

    assert "Mrs Li" in text
    assert "Anna" in text
    assert "private" in text
    assert "加微信" not in text


def test_the_page_shows_the_conversation_with_the_passage_marked(
    lin: Client, incident: Incident
) -> None:
    text = text_of(lin, page(incident))

    assert (
        'please add &lt;me&gt; <mark class="scrm-mark scrm-red" title="private, wechat">加微信</mark> now'
        in text
    )
    assert "Good &lt;b&gt;morning&lt;/b&gt;" in text
    assert "no consent: not kept" in text
    assert "voice message: not checked" in text


def test_who_may_not_read_messages_sees_none(corp: Corp, incident: Incident) -> None:
    judge = User.objects.create_user("judge", is_staff=True)
    judge.user_permissions.set(Permission.objects.filter(codename__contains="_incident"))
    CorpAccess.objects.create(user=judge, corp=corp)
    client = Client()
    client.force_login(judge)

    text = text_of(client, page(incident))

    assert "not read messages" in text
    assert "加微信" not in text
    assert "morning" not in text


def test_the_most_urgent_comes_first_and_late_ones_can_be_chosen(lin: Client, corp: Corp) -> None:
    now = timezone.now()
    fresh = make_incident(corp, opened_at=now)
    late = make_incident(corp, severity="medium", opened_at=now - timedelta(days=2))
    done = make_incident(corp, status="decided", opened_at=now - timedelta(days=9))

    def listed(**params: str) -> list[Incident]:
        return list(lin.get(LIST, params).context["cl"].result_list)

    assert listed() == [late, fresh, done]
    assert listed(late="yes") == [late]


def test_costs_the_same_however_many_there_are(
    lin: Client, corp: Corp, django_assert_max_num_queries: object
) -> None:
    anna = make_staff(corp)
    for number in range(30):
        make_incident(corp, staff=anna, external_userid=f"wm{number}")

    with django_assert_max_num_queries(14):  # type: ignore[operator]
        lin.get(LIST)


def test_is_decided_on_its_page(lin: Client, incident: Incident) -> None:
    address = f"{LIST}{incident.pk}/decide/"
    typed = {"_form_submitted": "True", "decision": "serious", "note": ""}

    lin.post(address, typed)
    incident.refresh_from_db()
    assert incident.is_open

    lin.post(address, typed | {"note": "Twice this month"})
    incident.refresh_from_db()
    assert (incident.decision, incident.decided_by) == ("serious", "lin")
    assert "Twice this month" in text_of(lin, page(incident))

    reopening = {"_form_submitted": "True", "note": "New facts"}
    lin.post(f"{LIST}{incident.pk}/reopen/", reopening)
    incident.refresh_from_db()
    assert incident.is_open


def test_many_are_decided_together(lin: Client, corp: Corp) -> None:
    rows = [make_incident(corp) for _ in range(3)]
    chosen = {"action": "decide_chosen", "_selected_action": [row.pk for row in rows[:2]]}

    asked = speak(lin, "en").post(LIST, chosen)
    assert "2 incidents are chosen." in asked.content.decode()
    assert Incident.objects.waiting().count() == 3

    typed = {"apply": "1", "decision": "false_alarm", "note": "A brand name"}
    lin.post(LIST, chosen | typed)
    assert list(Incident.objects.waiting()) == rows[2:]
    assert Incident.objects.filter(note="A brand name", decision="false_alarm").count() == 2


def test_nobody_decides_for_another_corp(mallory: Client, corp: Corp, incident: Incident) -> None:
    typed = {"_form_submitted": "True", "decision": "minor", "note": "x"}

    assert mallory.post(f"{LIST}{incident.pk}/decide/", typed).status_code == 404
    chosen = {"action": "decide_chosen", "_selected_action": [incident.pk], "apply": "1"}
    mallory.post(LIST, chosen | {"decision": "minor", "note": "x"})
    incident.refresh_from_db()
    assert incident.is_open


def test_a_department_lead_sees_only_what_concerns_her_people(
    corp: Corp, enter: Enter, incident: Incident
) -> None:
    east: Department = make_department(corp)
    mine = make_incident(corp, staff=make_staff(corp, departments=[east]), external_userid="wm1")
    dora = enter("dora", corp=corp, departments=[east])

    assert list(dora.get(LIST).context["cl"].result_list) == [mine]
    assert dora.get(page(incident)).status_code == 404
    assert dora.get(page(mine)).context["case"]["past"] == []
    archive = dora.get(reverse("admin:risk_archivedmessage_changelist"))
    assert list(archive.context["cl"].result_list) == []


# --- the archive ----------------------------------------------------------------------------------
def test_the_list_of_messages_says_no_word_and_their_pages_do(lin: Client, corp: Corp) -> None:
    message = make_message(corp, text="Good morning", recalled_at=timezone.now())

    assert "Good morning" not in text_of(lin, reverse("admin:risk_archivedmessage_changelist"))
    address = reverse("admin:risk_archivedmessage_change", args=[message.pk])
    assert "Good morning" in text_of(lin, address)


def test_says_how_far_behind_the_archive_is(lin: Client, corp: Corp) -> None:
    cursor = ArchiveCursor.objects.create(corp=corp, caught_up_at=timezone.now())
    address = reverse("admin:risk_archivecursor_changelist")
    assert "caught up 0 s ago" in text_of(lin, address)

    cursor.caught_up_at = timezone.now() - timedelta(days=2)
    cursor.problem = "The archive is not enabled."
    cursor.save()
    text = text_of(lin, address)
    assert "scrm-badge scrm-red" in text
    assert "The archive is not enabled." in text
    assert "none: messages cannot be opened" in text


def test_the_corp_s_page_says_how_it_is_set_up(lin: Client) -> None:
    without, with_secret = make_corp(), make_corp(archive_secret="s")

    def shown(corp: Corp) -> str:
        return text_of(lin, reverse("admin:tenancy_corp_change", args=[corp.pk]))

    assert "which is not part of this product" in shown(without)
    assert "never caught up" in shown(with_secret)


def test_a_key_is_added_and_never_shown(lin: Client, corp: Corp) -> None:
    address = reverse("admin:tenancy_corp_changelist") + f"{corp.pk}/add_key/"
    typed = {"_form_submitted": "True", "version": "2", "private_key": "nonsense"}

    lin.post(address, typed)
    assert not ArchiveKey.objects.exists()

    lin.post(address, typed | {"private_key": pem(1)})
    assert ArchiveKey.objects.get().version == 2
    for each in (address, reverse("admin:tenancy_corp_change", args=[corp.pk])):
        assert "PRIVATE KEY-----\nMII" not in lin.get(each).content.decode()
