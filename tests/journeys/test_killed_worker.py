"""`kill -9` of the worker while a campaign is being asked: everybody is asked exactly once."""

import os
import signal

import pytest
from django.utils import timezone

from campaigns.actions.approval import submit_campaign
from campaigns.actions.results import results_of
from campaigns.models import Campaign, Task
from groups.actions.sync import start_sync
from scrm.audit.actions.recording import SYSTEM
from scrm.jobs.models import Job
from scrm.processes import Supervisor
from scrm.sandbox.server import SandboxServer
from tests.factories import connect_to, make_campaign, make_segment
from tests.journeys.conftest import wait_until

SENDING = "externalcontact/add_msg_template"


@pytest.mark.concurrency
@pytest.mark.slow
def test_everybody_is_asked_once_although_the_worker_is_killed(
    product: Supervisor, platform: SandboxServer
) -> None:
    corp = connect_to(platform)
    job = start_sync(corp, now=timezone.now())
    wait_until(lambda: Job.objects.get(pk=job.pk).status == Job.Status.SUCCEEDED)
    platform.faults.delay(SENDING, 0.5, times=100)
    campaign = make_campaign(corp, segment=make_segment(corp))
    submit_campaign(campaign, actor=SYSTEM, now=timezone.now())
    wait_until(lambda: platform.calls().get(SENDING, 0) >= 2)
    assert Task.objects.filter(status=Task.Status.PLANNED).exists(), "it was over before the kill"

    os.kill(product.processes["worker"], signal.SIGKILL)
    wait_until(lambda: not Task.objects.filter(status=Task.Status.PLANNED).exists(), seconds=90)

    campaign = Campaign.objects.get(pk=campaign.pk)
    assert campaign.status == Campaign.Status.ASKED
    assert platform.summary()["asked_more_than_once"] == []
    assert results_of(campaign)["asked"] == platform.campaign()["asked"] > 0
    assert results_of(campaign)["failed"] == 0
