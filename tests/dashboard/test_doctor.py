"""The doctor: each thing that can be wrong is found, named, and told how to mend."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django_celery_beat.models import PeriodicTask

from groups.actions.sync import start_sync
from risk.models import ArchivedMessage
from scrm.channels.models import ArchiveKey, InboundEvent, Operation
from scrm.dashboard.doctor.examining import examine
from scrm.dashboard.doctor.findings import Finding, Verdict
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job, Tick
from scrm.jobs.ticks import REGISTRY
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import speak
from tests.factories import NOW, connect_to, make_corp, make_message

# Asking for a token locks a row and must not run inside the test's transaction.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def brand(db: None, sandbox: SandboxServer) -> Corp:
    corp = connect_to(sandbox)
    start_sync(corp, now=NOW)
    run_due_jobs(clock=lambda: NOW)
    return corp


def found(corp: Corp, check: str, *, now: datetime = NOW, public_url: str = "") -> Finding:
    findings = examine(corp, now=now, public_url=public_url)
    return next(each for each in findings if each.check == check)


def event(corp: Corp, number: int = 1, **fields: Any) -> InboundEvent:
    defaults = {
        "digest": number.to_bytes(32, "big"),
        "event": "change_external_contact",
        "change_type": "add_external_contact",
        "body": "<xml><WelcomeCode>c</WelcomeCode></xml>",
        "status": "handled",
        "received_at": NOW,
        "next_attempt_at": NOW,
    }
    return InboundEvent.objects.create(corp=corp, **{**defaults, **fields})


def beat_and_worker_run() -> None:
    for name in REGISTRY:
        Tick.objects.create(name=name, slot=1, fired_at=NOW)


def test_a_corp_whose_everything_is_right(brand: Corp, live_server: Any) -> None:
    event(brand)
    beat_and_worker_run()

    findings = examine(brand, now=NOW, public_url=live_server.url)

    assert {each.check: each.verdict for each in findings} == dict.fromkeys(
        [
            "clock", "token", "callable_app", "seats", "range", "archive", "callback_address",
            "callbacks", "welcome", "beat", "worker", "inbox", "outbox", "jobs",
        ],
        Verdict.OK,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "errcode", "check", "said"),
    [
        ("gettoken", 40001, "token", "copy the secret"),
        ("gettoken", 60020, "trusted_ip", "127.0.0.1"),
        ("externalcontact/get_follow_user_list", 48002, "callable_app", "callable apps"),
        ("department/list", 50003, "range", "enable it"),
    ],
)
def test_what_the_platform_refuses(
    brand: Corp, sandbox: SandboxServer, path: str, errcode: int, check: str, said: str
) -> None:
    sandbox.faults.fail(path, errcode, times=5)

    finding = found(brand, check)

    assert finding.verdict == Verdict.WRONG
    assert said in f"{finding.found} {finding.remedy}"


def test_a_platform_out_of_reach_is_asked_nothing_more() -> None:
    corp = make_corp()

    checks = {each.check: each.verdict for each in examine(corp, now=NOW)}

    assert checks["address"] == Verdict.WRONG
    assert not {"token", "callable_app", "archive"} & set(checks)


def test_a_clock_that_is_wrong(brand: Corp, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "scrm.dashboard.doctor.platform.clock_skew"
    monkeypatch.setattr(path, lambda _: timedelta(seconds=-400))
    assert "400" in found(brand, "clock").found
    monkeypatch.setattr(path, lambda _: None)
    assert found(brand, "clock").verdict == Verdict.UNKNOWN


def test_nobody_has_customer_contact(brand: Corp, sandbox: SandboxServer) -> None:
    for staff in Staff.objects.for_corp(brand):
        sandbox.people.set_customer_contact(staff.userid, enabled=False)

    assert found(brand, "seats").verdict == Verdict.WRONG


def test_a_member_outside_the_range_is_named(brand: Corp) -> None:
    staff = Staff.objects.for_corp(brand).active()[0]
    Staff.objects.filter(pk=staff.pk).update(status=Staff.Status.LEFT)

    finding = found(brand, "range")

    assert finding.verdict == Verdict.WARNING
    assert staff.userid in finding.found


def test_callbacks_that_never_came_or_stopped(brand: Corp) -> None:
    assert found(brand, "callbacks").verdict == Verdict.WRONG
    event(brand, received_at=NOW - timedelta(days=3))
    assert found(brand, "callbacks").verdict == Verdict.WARNING


def test_a_welcome_of_the_console_takes_the_codes(brand: Corp) -> None:
    assert found(brand, "welcome").verdict == Verdict.UNKNOWN
    event(brand, body="<xml></xml>")
    assert found(brand, "welcome").verdict == Verdict.WARNING


def test_an_address_that_is_not_ours(brand: Corp, sandbox: SandboxServer) -> None:
    elsewhere = found(brand, "callback_address", public_url=sandbox.root_url)
    nowhere = found(brand, "callback_address", public_url="http://127.0.0.1:9/")

    assert "HTTP 404" in elsewhere.found
    assert "cannot be reached" in nowhere.found
    assert (elsewhere.verdict, nowhere.verdict) == (Verdict.WRONG, Verdict.WRONG)


def test_a_callback_address_with_another_key(brand: Corp, live_server: Any) -> None:
    typed = Corp.objects.get(pk=brand.pk)
    typed.callback_token = "another"  # noqa: S105 (not the stored one)

    assert found(typed, "callback_address", public_url=live_server.url).verdict == Verdict.WRONG


def test_archive_keys(brand: Corp, sandbox: SandboxServer) -> None:
    Corp.objects.filter(pk=brand.pk).update(archive_secret=sandbox.credentials.archive_secret)
    corp = Corp.objects.get(pk=brand.pk)
    assert found(corp, "archive_keys").verdict == Verdict.WRONG

    ArchiveKey.objects.create(corp=corp, version=1, private_key="k", created_at=NOW)
    assert found(corp, "archive_keys").verdict == Verdict.OK

    unreadable = ArchivedMessage.TextState.UNREADABLE
    make_message(corp, key_version=7, text_state=unreadable, text="")
    finding = found(corp, "archive_keys")
    assert (finding.verdict, "7" in finding.found) == (Verdict.WRONG, True)


def test_beat_is_told_from_worker(brand: Corp) -> None:
    assert found(brand, "beat").verdict == Verdict.WRONG

    PeriodicTask.objects.filter(name__in=REGISTRY).update(last_run_at=NOW)
    assert found(brand, "beat").verdict == Verdict.OK
    assert found(brand, "worker").verdict == Verdict.WRONG


def test_a_queue_nobody_listens_to(brand: Corp) -> None:
    beat_and_worker_run()
    Tick.objects.filter(name="inbox").delete()

    finding = found(brand, "worker")

    assert (finding.verdict, "callbacks" in finding.found) == (Verdict.WARNING, True)


def test_queues_that_stand(brand: Corp) -> None:
    event(brand, 1, status="received", next_attempt_at=NOW - timedelta(hours=1))
    assert "1 wait" in found(brand, "inbox").found
    event(brand, 2, status="failed")
    assert "1 event failed" in found(brand, "inbox").found
    Operation.objects.create(
        corp=brand, kind="mark_tags", idempotency_key="k", payload={}, status="parked",
        next_attempt_at=NOW, created_at=NOW,
    )  # fmt: skip
    assert "1 operation is parked" in found(brand, "outbox").found
    Job.objects.for_corp(brand).update(status=Job.Status.FAILED, finished_at=NOW)
    assert found(brand, "jobs").verdict == Verdict.WARNING


def test_the_command_says_it_and_ends_accordingly(
    brand: Corp, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", corp=brand.corp_id, json=True)

    answer = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert answer["ok"] is False
    assert answer["findings"][0]["verdict"] == "wrong"
    with pytest.raises(SystemExit):
        call_command("doctor", corp=brand.corp_id)
    assert "✓ Token" in capsys.readouterr().out


def test_the_command_knows_no_such_corp(brand: Corp) -> None:
    with pytest.raises(CommandError, match=brand.corp_id):
        call_command("doctor", corp="wwnone")


def test_the_page(lin: Client, mallory: Client, brand: Corp) -> None:
    page = reverse("admin:tenancy_corp_doctor", args=[brand.pk])

    speak(lin, "en")
    assert "Examine now" in lin.get(page).content.decode()
    assert "The platform accepts the stored secrets." in lin.post(page).content.decode()
    assert mallory.post(page).status_code == 404
