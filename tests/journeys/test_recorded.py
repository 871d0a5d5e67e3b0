"""The main job on the platform's own documented records, where they are at hand."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from campaigns.actions.approval import submit_campaign
from campaigns.actions.planning import plan_due_campaigns
from campaigns.actions.results import refresh_campaign, results_of
from campaigns.models import Campaign
from customers.models import Customer, Follow, Tag
from groups.actions.sync import start_sync
from groups.models import GroupChat
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.outbox import run_due_operations
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.sandbox.recorded import load_recorded
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Staff
from tests.factories import connect_to, make_campaign, make_segment

RECORDS = Path(__file__).resolve().parents[3] / "shared/wecom/fixtures"
pytestmark = pytest.mark.skipif(
    not RECORDS.is_dir(), reason=f"the platform's documented records are not at {RECORDS}"
)


@pytest.mark.django_db
def test_recorded_staff_customers_and_groups_go_through_to_results(now: datetime) -> None:
    with SandboxServer(load_recorded(str(RECORDS))) as platform:
        corp = connect_to(platform)
        platform.clock.set(now.timestamp())
        start_sync(corp, now=now)
        run_due_jobs(clock=lambda: now)
        summary = platform.summary()
        assert Job.objects.get(kind="sync").status == Job.Status.SUCCEEDED
        assert {
            "staff": Staff.objects.employed().count(),
            "customers": Customer.objects.live().count(),
            "follows": Follow.objects.live().count(),
            "groups": GroupChat.objects.existing().count(),
        } == {key: summary[key] for key in ("staff", "customers", "follows", "groups")}
        assert Customer.objects.filter(live_follows__gt=1).exists()
        assert Tag.objects.filter(kind="wecom").exists()

        campaign = make_campaign(corp, segment=make_segment(corp))
        submit_campaign(campaign, actor=SYSTEM, now=now)
        plan_due_campaigns(now=now)
        run_due_operations(now=now + timedelta(seconds=1))
        for task in campaign.tasks.exclude(msgid="").select_related("staff"):
            platform.people.confirm(task.msgid, task.staff.userid)
        refresh_campaign(campaign, now=now)
        run_due_jobs(clock=lambda: now + timedelta(minutes=1))

        results = results_of(Campaign.objects.get(pk=campaign.pk))
        truth = platform.campaign()
        assert {word: results[word] for word in truth} == truth
        assert truth["delivered"] > 0
