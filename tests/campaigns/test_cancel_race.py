"""Cancelling beside an outbox at work: neither waits for the other."""

from datetime import datetime

import pytest
from django.db import connection

from campaigns.actions.approval import submit_campaign
from campaigns.actions.cancelling import cancel_campaign
from campaigns.actions.planning import plan_due_campaigns
from campaigns.models import Campaign
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import Operation
from tests.factories import make_campaign, make_corp, make_customer, make_segment, make_staff


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_a_cancellation_never_waits_for_an_operation_the_outbox_holds(now: datetime) -> None:
    corp = make_corp()
    for _ in range(2):
        make_customer(corp, staff=make_staff(corp))
    campaign = make_campaign(corp, segment=make_segment(corp))
    submit_campaign(campaign, actor=SYSTEM, now=now)
    plan_due_campaigns(now=now)
    held, free = Operation.objects.order_by("pk")
    outbox = connection.copy()
    try:
        outbox.set_autocommit(False)
        with outbox.cursor() as cursor:
            # As `_finish` holds it, right before it asks for the campaign.
            cursor.execute("SELECT 1 FROM channels_operation WHERE id = %s FOR UPDATE", [held.pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")

        cancel_campaign(campaign, actor=SYSTEM, now=now)
    finally:
        outbox.close()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")

    assert Campaign.objects.get().status == Campaign.Status.CANCELLED
    held.refresh_from_db()
    free.refresh_from_db()
    assert (held.status, free.status) == (Operation.Status.PENDING, Operation.Status.CANCELLED)
