"""What callbacks did not tell is found: on demand, and by itself when they have stopped."""

import io
import json
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from groups.actions.reconciling import reconcile_silent_corps
from scrm.channels.models import InboundEvent
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_corp

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db


def reconcile(corp: Corp) -> dict[str, object]:
    out = io.StringIO()
    call_command("reconcile", corp=corp.corp_id, json=True, stdout=out, stderr=io.StringIO())
    answer: dict[str, object] = json.loads(out.getvalue().splitlines()[-1])
    return answer


def heard(corp: Corp, at: datetime, number: int = 1) -> None:
    InboundEvent.objects.create(
        corp=corp, digest=number.to_bytes(32, "big"), event="e", body="", status="handled",
        received_at=at, next_attempt_at=at,
    )  # fmt: skip


def test_finds_and_repairs_what_an_outage_hid(synced_brand: Corp, sandbox: SandboxServer) -> None:
    userid = next(each.userid for each in sandbox.world.present_members() if each.can_follow)
    relation = sandbox.world.customers_of(userid)[0]
    sandbox.people.member_deletes(userid, relation.external_userid)
    sandbox.people.add_customer(userid, {"name": "新", "gender": 1})

    first, second = reconcile(synced_brand), reconcile(synced_brand)

    assert first["ok"] is second["ok"] is True
    follows = first["kinds"]["follows"]  # type: ignore[index]
    assert follows["repaired"] == 2
    assert follows["platform"] == follows["local"]
    assert set(first["kinds"]) == {  # type: ignore[call-overload]
        "staff", "tags", "customers", "follows", "groups", "members",
    }  # fmt: skip
    assert {each["repaired"] for each in second["kinds"].values()} == {0}  # type: ignore[attr-defined]


def test_says_why_the_platform_cannot_be_read(synced_brand: Corp, sandbox: SandboxServer) -> None:
    sandbox.stop()

    with pytest.raises(CommandError, match="cannot be reached"):
        reconcile(synced_brand)


def test_callbacks_that_stop_start_a_sync_once(synced_brand: Corp, sandbox: SandboxServer) -> None:
    evening = NOW + 8 * HOUR
    heard(synced_brand, at=NOW + HOUR)
    assert reconcile_silent_corps(now=NOW + 6 * HOUR) == 0

    assert reconcile_silent_corps(now=evening) == 1
    run_due_jobs(clock=lambda: evening)
    assert Job.objects.filter(kind="sync", status="succeeded").count() == 2
    # Silent still: looked at again after as long a time, not with each tick.
    assert reconcile_silent_corps(now=evening + HOUR) == 0
    assert reconcile_silent_corps(now=evening + 7 * HOUR) == 1


def test_a_corp_that_never_had_callbacks_is_left_alone() -> None:
    quiet, forgotten = make_corp(), make_corp()
    heard(forgotten, at=NOW - timedelta(days=30))

    assert reconcile_silent_corps(now=NOW) == 0
    assert not Job.objects.filter(corp__in=[quiet, forgotten]).exists()
