"""The page of a corp: secrets stay in, the sync is started and watched."""

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from scrm.audit.models import AuditEntry
from scrm.jobs.models import Job
from scrm.tenancy.models import ApiKey, Corp
from tests.admin.conftest import Enter, speak
from tests.admin.rows import rows_of_every_kind
from tests.admin.test_scope import REGISTERED, page
from tests.factories import NOW, make_corp

SECRETS = {
    "secret": "app-secret-in-clear",
    "contact_secret": "contact-secret-in-clear",
    "archive_secret": "archive-secret-in-clear",
    "callback_token": "tokeninclear",
    "callback_aes_key": "aesKeyInClear0000000000000000000000000000000",
}


@pytest.fixture
def secretive(db: None) -> Corp:
    return make_corp(**SECRETS)


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_no_page_shows_a_secret(lin: Client, secretive: Corp, model: type[Model]) -> None:
    rows = rows_of_every_kind(secretive)
    pages = [lin.get(page(model, "changelist"))]
    if model in rows:
        pages.append(lin.get(page(model, "change", rows[model].pk)))
    if model is Corp:
        pages.append(lin.get(reverse("admin:tenancy_corp_credentials", args=[secretive.pk])))

    text = "".join(answer.content.decode() for answer in pages)

    assert not [name for name, value in SECRETS.items() if value in text]
    assert secretive.secret not in text


def test_the_form_for_secrets_says_that_empty_keeps_them(lin: Client, secretive: Corp) -> None:
    address = reverse("admin:tenancy_corp_credentials", args=[secretive.pk])

    assert speak(lin, "en").get(address).content.decode().count('placeholder="unchanged"') == 5


def test_settings_are_changed_with_their_former_values_in_the_audit_log(
    lin: Client, corp: Corp
) -> None:
    form = {
        "name": "New name",
        "time_zone": "Asia/Singapore",
        "quota_mode": "week",
        "approval_threshold": "500",
    }

    lin.post(page(Corp, "change", corp.pk), form)

    former = corp.name
    corp.refresh_from_db()
    assert (corp.name, corp.quota_mode, corp.approval_threshold) == ("New name", "week", 500)
    assert AuditEntry.objects.get().data["name"] == {"before": former, "after": "New name"}


def test_a_sync_is_started_once_however_often_it_is_clicked(lin: Client, corp: Corp) -> None:
    address = f"{page(Corp, 'changelist')}{corp.pk}/sync_now/"

    for _ in range(2):
        assert lin.post(address, {"_form_submitted": "True"}).status_code == 302

    assert Job.objects.get().kind == "sync"


def test_a_running_sync_is_watched_and_a_finished_one_compared(lin: Client, corp: Corp) -> None:
    job = Job.objects.create(
        corp=corp, kind="sync", created_at=NOW, due_at=NOW, status="running", done=200, total=1000
    )
    address = reverse("admin:tenancy_corp_sync_state", args=[corp.pk])
    running = lin.get(address).content.decode()
    Job.objects.filter(pk=job.pk).update(
        status="succeeded",
        finished_at=NOW,
        report={
            "customers": {"platform": 5000, "local": 5000},
            "tags": {"platform": 3, "local": 2},
        },
    )

    finished = lin.get(address).content.decode()

    assert "width:20%" in running
    assert "every 2s" in running
    assert "every 2s" not in finished
    assert finished.count("= ✓") == 1
    assert finished.count("≠") == 1


def test_a_corp_cannot_be_deleted_in_the_admin(lin: Client, corp: Corp) -> None:
    assert lin.post(page(Corp, "delete", corp.pk), {"post": "yes"}).status_code == 403


def test_only_those_who_see_everything_connect_a_corp(corp: Corp, enter: Enter) -> None:
    assert enter("olga", corp=corp).get(page(Corp, "add")).status_code == 403


# --- keys -------------------------------------------------------------------------------------
def test_a_new_key_is_shown_once(lin: Client, corp: Corp) -> None:
    form = {"name": "Shop", "scopes": ["customers:read", "campaigns:send"]}

    answer = lin.post(page(ApiKey, "add"), form)

    key = ApiKey.objects.get()
    text = answer.context["text"]
    assert text.startswith(key.prefix)
    assert text in answer.content.decode()
    assert key.scopes == ["campaigns:send", "customers:read"]
    assert text not in lin.get(page(ApiKey, "change", key.pk)).content.decode()
    assert AuditEntry.objects.get().action == "api_keys.created"


def test_a_key_is_revoked(lin: Client, corp: Corp) -> None:
    lin.post(page(ApiKey, "add"), {"name": "Shop", "scopes": ["*"]})
    key = ApiKey.objects.get()

    lin.post(f"{page(ApiKey, 'changelist')}{key.pk}/revoke/", {"_form_submitted": "True"})

    key.refresh_from_db()
    assert key.revoked_at
    assert AuditEntry.objects.filter(action="api_keys.revoked").exists()


def test_a_key_s_rights_are_told_in_words(lin: Client, corp: Corp) -> None:
    lin.post(page(ApiKey, "add"), {"name": "Shop", "scopes": ["tags:read", "tags:write", "*"]})

    text = speak(lin, "en").get(page(ApiKey, "changelist")).content.decode()

    assert "tags: read, write" in text
    assert "everything" in text
