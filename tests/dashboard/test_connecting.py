"""A corp is kept when the platform has accepted its settings, and not before."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from customers.models import Stage
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.common.errors import DomainError
from scrm.dashboard.actions.connecting import Credentials, connect_corp, exchange_credentials
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.actions.corps import CorpExists, CorpSettings
from scrm.tenancy.models import Corp
from tests.admin.conftest import speak
from tests.factories import NOW

# The check of the credentials locks a row and must not run inside the test's transaction.
pytestmark = pytest.mark.django_db(transaction=True)

WRONG = {
    "corp id": ({"corp_id": "ww0000000000000000"}, "corp"),
    "secret": ({"secret": "not-the-secret"}, "secret"),
    "base URL": ({"base_url": "http://127.0.0.1:9/cgi-bin/"}, "base"),
    "AES key": ({"callback_aes_key": "too-short"}, "callback-aes-key"),
    "AES key of 43 letters that is none": ({"callback_aes_key": "!" * 43}, "callback-aes-key"),
    "token": ({"callback_token": "no spaces"}, "callback-token"),
    "time zone": ({"time_zone": "Mars/Olympus"}, "time-zone"),
    "quota mode": ({"quota_mode": "hourly"}, "quota-mode"),
}


def settings_of(sandbox: SandboxServer) -> CorpSettings:
    credentials = sandbox.credentials
    return CorpSettings(
        corp_id=credentials.corp_id,
        secret=credentials.secret,
        agent_id=str(credentials.agent_id),
        callback_token=credentials.callback_token,
        callback_aes_key=credentials.callback_aes_key,
        base_url=sandbox.base_url,
        name="Brand",
    )


def arguments_of(typed: CorpSettings) -> list[str]:
    return [
        part
        for name in ("corp_id", "secret", "agent_id", "callback_token", "callback_aes_key", "base_url", "time_zone", "quota_mode")
        for part in (f"--{name.replace('_', '-')}", getattr(typed, name))
    ]  # fmt: skip


def test_a_corp_the_platform_knows_is_kept_with_stages_and_an_audit_entry(
    sandbox: SandboxServer,
) -> None:
    corp = connect_corp(settings_of(sandbox), actor=SYSTEM, now=NOW)

    assert Corp.objects.get() == corp
    assert Stage.objects.for_corp(corp).count() == 7
    assert AuditEntry.objects.get().action == "corps.connected"


@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_is_kept_of_a_corp_with_a_wrong(sandbox: SandboxServer, wrong: str) -> None:
    changes, named = WRONG[wrong]
    typed = replace(settings_of(sandbox), **changes)

    with pytest.raises(DomainError) as refusal:
        connect_corp(typed, actor=SYSTEM, now=NOW)

    assert refusal.value.errors[0].path == f"/{next(iter(changes))}"
    assert named.partition("-")[0] in refusal.value.detail.lower()
    assert not Corp.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_corp_is_connected_once(sandbox: SandboxServer) -> None:
    connect_corp(settings_of(sandbox), actor=SYSTEM, now=NOW)

    with pytest.raises(CorpExists):
        connect_corp(settings_of(sandbox), actor=SYSTEM, now=NOW)


def test_an_exchanged_secret_is_kept_when_the_platform_accepts_it(sandbox: SandboxServer) -> None:
    corp = connect_corp(settings_of(sandbox), actor=SYSTEM, now=NOW)
    Corp.objects.filter(pk=corp.pk).update(secret="an old one")
    corp.refresh_from_db()

    exchange_credentials(
        corp, typed=Credentials(secret=sandbox.credentials.secret), actor=SYSTEM, now=NOW
    )

    corp.refresh_from_db()
    assert corp.secret == sandbox.credentials.secret
    entry = AuditEntry.objects.get(action="corps.credentials_changed")
    assert entry.data == {"exchanged": ["secret"]}


def test_a_refused_secret_replaces_nothing(sandbox: SandboxServer) -> None:
    corp = connect_corp(settings_of(sandbox), actor=SYSTEM, now=NOW)

    with pytest.raises(DomainError):
        exchange_credentials(corp, typed=Credentials(secret="wrong"), actor=SYSTEM, now=NOW)

    corp.refresh_from_db()
    assert corp.secret == sandbox.credentials.secret


# --- the command ------------------------------------------------------------------------------
def test_the_command_connects_and_says_what_to_enter_in_the_console(
    sandbox: SandboxServer, capsys: Any
) -> None:
    call_command("create_corp", *arguments_of(settings_of(sandbox)), "--name", "Brand")

    corp = Corp.objects.get()
    assert corp.name == "Brand"
    assert f"/wecom/callback/{corp.corp_id}/" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", WRONG)
def test_the_command_fails_with_a_sentence_on_a_wrong(sandbox: SandboxServer, wrong: str) -> None:
    changes, _named = WRONG[wrong]

    with pytest.raises(CommandError) as failure:
        call_command("create_corp", *arguments_of(replace(settings_of(sandbox), **changes)))

    assert len(str(failure.value)) > 15
    assert not Corp.objects.exists()


# --- the pages --------------------------------------------------------------------------------
def form_of(typed: CorpSettings) -> dict[str, str]:
    return {name: str(value) for name, value in vars(typed).items()}


def test_the_form_connects_and_shows_the_callback_address(
    sandbox: SandboxServer, lin: Client
) -> None:
    answer = lin.post(reverse("admin:tenancy_corp_add"), form_of(settings_of(sandbox)), follow=True)

    corp = Corp.objects.get()
    assert f"http://testserver/wecom/callback/{corp.corp_id}/" in answer.content.decode()


@pytest.mark.parametrize("wrong", WRONG)
def test_the_form_shows_beside_the_field_what_is_wrong_with_a(
    sandbox: SandboxServer, lin: Client, wrong: str
) -> None:
    changes, _named = WRONG[wrong]
    typed = replace(settings_of(sandbox), **changes)

    answer = speak(lin, "en").post(reverse("admin:tenancy_corp_add"), form_of(typed))

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == list(changes)
    assert "--" not in re.sub(r"<!--.*?-->", "", str(answer.context["form"].errors))
    assert not Corp.objects.exists()


def test_what_was_typed_as_a_secret_does_not_come_back(sandbox: SandboxServer, lin: Client) -> None:
    typed = replace(settings_of(sandbox), corp_id="ww0000000000000000", secret="typed-secret")

    answer = lin.post(reverse("admin:tenancy_corp_add"), form_of(typed))

    assert "typed-secret" not in answer.content.decode()


def test_the_form_exchanges_a_secret_and_keeps_what_is_left_empty(
    sandbox: SandboxServer, lin: Client
) -> None:
    corp = connect_corp(settings_of(sandbox), actor=SYSTEM, now=NOW)
    Corp.objects.filter(pk=corp.pk).update(secret="an old one")
    address = reverse("admin:tenancy_corp_credentials", args=[corp.pk])

    answer = lin.post(address, {"secret": sandbox.credentials.secret, "base_url": corp.base_url})

    assert answer.status_code == 302
    corp.refresh_from_db()
    assert corp.secret == sandbox.credentials.secret
    assert corp.callback_token == sandbox.credentials.callback_token


def test_the_connection_is_checked_at_a_click(sandbox: SandboxServer, lin: Client) -> None:
    corp = connect_corp(settings_of(sandbox), actor=SYSTEM, now=NOW)
    address = f"{reverse('admin:tenancy_corp_changelist')}{corp.pk}/check_connection/"

    answer = speak(lin, "en").post(address, {"_form_submitted": "True"}, follow=True)

    told = [str(message) for message in answer.context["messages"]]
    assert told == ["The platform accepts the stored secrets."]
