"""The demonstration's story: one day of a maternity brand, played on the real product.

Every step acts as a person would and then waits until the product, driven by its own ticks and
callbacks, has done its part. Nothing is called that the product would not call by itself.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from campaigns.actions.approval import submit_campaign
from campaigns.actions.drafts import CampaignDraft, create_campaign
from campaigns.actions.results import refresh_campaign, results_of
from campaigns.models import Campaign
from customers.actions.segments import create_segment
from customers.actions.tagging import tag_customers
from customers.models import Customer, Tag
from groups.actions.sync import start_sync
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import InboundEvent, Operation, Refresh
from scrm.jobs.models import Job
from scrm.sandbox.remote import SandboxRemote
from scrm.tenancy.models import Corp

MESSAGE = (
    "亲爱的准妈妈，本周六下午三点,我们的育婴师会在直播间讲新生儿护理的三个要点，"
    "还有待产包清单可以领取。点开下面的链接就能预约。"
)
AUDIENCE_TAGS = ("孕晚期", "0-6月")
STEP_SECONDS = 90


class StoryStuck(Exception):
    """A step did not come to its end in time; says which and what was seen last."""


@dataclass
class Story:
    """The stage: a corp, the platform behind it, and somebody to tell how it goes."""

    corp: Corp
    sandbox: SandboxRemote
    tell: Callable[[str], None]

    def play(self) -> Campaign:
        self.sync_everything()
        newcomer = self.newcomer_arrives()
        self.tag_newcomer(newcomer)
        campaign = self.plan_campaign()
        self.life_goes_on(campaign)
        self.staff_confirm(campaign)
        self.read_results(campaign)
        self.wait_for_quiet()
        return campaign

    def sync_everything(self) -> None:
        job = start_sync(self.corp, now=timezone.now())
        self._wait(lambda: self._finished(job), what="the first sync", progress=job)
        customers = Customer.objects.for_corp(self.corp).live().count()
        self.tell(f"synced: {customers} customers with their staff, tags and groups")

    def newcomer_arrives(self) -> Customer:
        userid = self._senders()[0]
        external_userid = self.sandbox.people.add_customer(
            userid, {"name": "新手妈妈小满", "gender": 2}, state="store-0001"
        )
        found = Customer.objects.for_corp(self.corp).filter(
            external_userid=external_userid, live_follows=1
        )
        self._wait(lambda: found.exclude(name="").exists(), what="the new customer's callback")
        self.tell("a new customer scanned a store's code; her callback was handled")
        return found.get()

    def tag_newcomer(self, customer: Customer) -> None:
        tag = Tag.objects.for_corp(self.corp).current().get(kind="wecom", name=AUDIENCE_TAGS[0])
        tag_customers(
            Customer.objects.filter(pk=customer.pk),
            add=[tag],
            corp=self.corp,
            actor=SYSTEM,
            now=timezone.now(),
        )
        carried = Customer.objects.filter(pk=customer.pk, tag_set__tag_ids__contains=[tag.pk])
        self._wait(carried.exists, what="the platform to take her tag")
        self.tell(f"she was tagged «{tag.name}», here and on the platform")

    def plan_campaign(self) -> Campaign:
        now = timezone.now()
        tags = Tag.objects.for_corp(self.corp).current().filter(kind="wecom")
        audience = list(tags.filter(name__in=AUDIENCE_TAGS).values_list("pk", flat=True))
        rule = {
            "all": [
                {"field": "tags", "op": "any_of", "value": audience},
                {"field": "gender", "op": "in", "value": [0, 2]},
            ]
        }
        segment = create_segment(
            "孕晚期与新生儿妈妈", corp=self.corp, rule=rule, actor=SYSTEM, now=now
        )
        link = {
            "kind": "link",
            "title": "新生儿护理直播预约",
            "desc": "本周六 15:00，育婴师在线答疑",
            "url": "https://brand.example/live/newborn",
        }
        draft = CampaignDraft(
            name="周六新生儿护理直播",
            segment_id=segment.pk,
            content=MESSAGE,
            attachments=[link],
            send_at=now + timedelta(seconds=1),
        )
        campaign = create_campaign(self.corp, draft=draft, actor=SYSTEM, now=now)
        submit_campaign(campaign, actor=SYSTEM, now=now)
        self._wait(lambda: self._all_asked(campaign), what="staff to be asked")
        asked = results_of(campaign)["asked"]
        self.tell(f"the campaign was planned by a tick; staff were asked for {asked} customers")
        return campaign

    def life_goes_on(self, campaign: Campaign) -> None:
        """Between the question and the answer some leave, and some have had enough messages."""
        asked = campaign.recipients.counted_as("asked").select_related("customer", "staff")
        for number, recipient in enumerate(asked.order_by("pk")):
            external_userid = recipient.customer.external_userid
            if number % 23 == 3 and recipient.staff:
                self.sandbox.people.customer_deletes(external_userid, recipient.staff.userid)
            elif number % 17 == 5:
                self.sandbox.people.use_up_quota(external_userid)
        self.tell("meanwhile some customers left, and some used up their quota of messages")

    def staff_confirm(self, campaign: Campaign) -> None:
        """Four of five confirm; the rest forget."""
        for number, task in enumerate(
            campaign.tasks.asked().select_related("staff").order_by("pk")
        ):
            if number % 5 != 4:
                self.sandbox.people.confirm(task.msgid, task.staff.userid)
        self.tell("most staff confirmed in WeCom; some forgot")

    def read_results(self, campaign: Campaign) -> None:
        job = refresh_campaign(campaign, now=timezone.now())
        self._wait(lambda: self._finished(job), what="the results")
        self.tell("results were read back from the platform")

    def wait_for_quiet(self) -> None:
        """Until every callback the platform sent is dealt with and nothing is half-asked."""
        self.sandbox.callbacks.drain()
        waiting = InboundEvent.objects.for_corp(self.corp).filter(status="received")
        reads = Refresh.objects.for_corp(self.corp)
        asked = Operation.objects.for_corp(self.corp).filter(status__in=Operation.UNFINISHED)

        def is_quiet() -> bool:
            return not (waiting.exists() or reads.exists() or asked.exists())

        self._wait(is_quiet, what="the last callbacks")

    def _senders(self) -> list[str]:
        follows = Q(follows__status="live")
        customers = Customer.objects.for_corp(self.corp).filter(follows)
        userids: Iterable[Any] = customers.values_list("follows__staff__userid", flat=True)
        return sorted(set(userids))

    def _all_asked(self, campaign: Campaign) -> bool:
        campaign.refresh_from_db()
        tasks = campaign.tasks.all()
        return campaign.planned_at is not None and not tasks.filter(status="planned").exists()

    def _finished(self, job: Job) -> bool:
        job.refresh_from_db()
        if job.status == Job.Status.FAILED:
            raise StoryStuck(f"{job.kind} failed: {job.errors}")
        return job.is_finished

    def _wait(self, done: Callable[[], bool], *, what: str, progress: Job | None = None) -> None:
        deadline = time.monotonic() + STEP_SECONDS
        told = 0
        while not done():
            if time.monotonic() > deadline:
                raise StoryStuck(f"Waited {STEP_SECONDS} s for {what}.")
            if progress and progress.done - told >= 1000:
                told = progress.done
                self.tell(f"  … {told} of {progress.total or '?'}")
            time.sleep(0.1)
