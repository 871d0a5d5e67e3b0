"""The main job: a newcomer is tagged, a campaign is asked for, confirmed and read back."""

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
from scrm.audit.actions.recording import SYSTEM
from scrm.demo.scene import Scene
from scrm.tenancy.models import Staff

MESSAGE = (
    "亲爱的准妈妈，本周六下午三点,我们的育婴师会在直播间讲新生儿护理的三个要点，"
    "还有待产包清单可以领取。点开下面的链接就能预约。"
)
LINK = {
    "kind": "link",
    "title": "新生儿护理直播预约",
    "desc": "本周六 15:00，育婴师在线答疑",
    "url": "https://brand.example/live/newborn",
}
AUDIENCE_TAGS = ("孕晚期", "0-6月")
FIGURES = (
    "planned", "asked", "confirmed", "delivered", "not_friend", "quota", "unsent", "failed",
)  # fmt: skip


class MainJob:
    name = "campaign"
    campaign: Campaign

    def play(self, scene: Scene) -> None:
        newcomer = self._newcomer_arrives(scene)
        self._tag(newcomer, scene)
        self.campaign = self._plan(scene)
        self._life_goes_on(scene)
        self._staff_confirm(scene)
        job = refresh_campaign(self.campaign, now=timezone.now())
        scene.wait_for_job(job, what="the results")
        scene.tell("results were read back from the platform")

    def ours(self, scene: Scene) -> dict[str, Any]:
        results = results_of(self.campaign)
        return {word: results[word] for word in FIGURES}

    def truth(self, scene: Scene) -> dict[str, Any]:
        sent = scene.sandbox.campaign(list(msgids_of(self.campaign)))
        # Whom we meant to reach is whom the platform was given: taken and refused together.
        planned = {"planned": sent["asked"] + sent["failed"]}
        return planned | {word: sent[word] for word in FIGURES[1:]}

    def _newcomer_arrives(self, scene: Scene) -> Customer:
        external_userid = scene.sandbox.people.add_customer(
            some_staff(scene).userid, {"name": "新手妈妈小满", "gender": 2}, state="store-0001"
        )
        found = Customer.objects.for_corp(scene.corp).filter(
            external_userid=external_userid, live_follows=1
        )
        scene.wait(found.exclude(name="").exists, what="the new customer's callback")
        scene.tell("a new customer scanned a store's code; her callback was handled")
        return found.get()

    def _tag(self, customer: Customer, scene: Scene) -> None:
        tag = Tag.objects.for_corp(scene.corp).current().get(kind="wecom", name=AUDIENCE_TAGS[0])
        tag_customers(
            Customer.objects.filter(pk=customer.pk),
            add=[tag],
            corp=scene.corp,
            actor=SYSTEM,
            now=timezone.now(),
        )
        carried = Customer.objects.filter(pk=customer.pk, tag_set__tag_ids__contains=[tag.pk])
        scene.wait(carried.exists, what="the platform to take her tag")
        scene.tell(f"she was tagged «{tag.name}», here and on the platform")

    def _plan(self, scene: Scene) -> Campaign:
        now = timezone.now()
        tags = Tag.objects.for_corp(scene.corp).current().filter(kind="wecom")
        audience = list(tags.filter(name__in=AUDIENCE_TAGS).values_list("pk", flat=True))
        rule = {
            "all": [
                {"field": "tags", "op": "any_of", "value": audience},
                {"field": "gender", "op": "in", "value": [0, 2]},
            ]
        }
        segment = create_segment(
            "孕晚期与新生儿妈妈", corp=scene.corp, rule=rule, actor=SYSTEM, now=now
        )
        draft = CampaignDraft(
            name="周六新生儿护理直播",
            segment_id=segment.pk,
            content=MESSAGE,
            attachments=[LINK],
            send_at=now + timedelta(seconds=1),
        )
        campaign = submitted(draft, scene)
        asked = results_of(campaign)["asked"]
        scene.tell(f"the campaign was planned by a tick; staff were asked for {asked} customers")
        return campaign

    def _life_goes_on(self, scene: Scene) -> None:
        """Between the question and the answer some leave, and some have had enough messages."""
        asked = self.campaign.recipients.counted_as("asked").select_related("customer", "staff")
        for number, recipient in enumerate(asked.order_by("pk")):
            external_userid = recipient.customer.external_userid if recipient.customer else ""
            if number % 23 == 3 and recipient.staff:
                scene.sandbox.people.customer_deletes(external_userid, recipient.staff.userid)
            elif number % 17 == 5:
                scene.sandbox.people.use_up_quota(external_userid)
        scene.tell("meanwhile some customers left, and some used up their quota of messages")

    def _staff_confirm(self, scene: Scene) -> None:
        """Four of five confirm; the rest forget."""
        tasks = self.campaign.tasks.asked().select_related("staff").order_by("pk")
        for number, task in enumerate(tasks):
            if number % 5 != 4:
                scene.sandbox.people.confirm(task.msgid, task.staff.userid)
        scene.tell("most staff confirmed in WeCom; some forgot")


def submitted(draft: CampaignDraft, scene: Scene) -> Campaign:
    """A campaign that was written down, let go, planned by a tick and asked of staff."""
    now = timezone.now()
    campaign = create_campaign(scene.corp, draft=draft, actor=SYSTEM, now=now)
    submit_campaign(campaign, actor=SYSTEM, now=now)

    def is_asked() -> bool:
        campaign.refresh_from_db()
        unasked = campaign.tasks.filter(status="planned")
        return campaign.planned_at is not None and not unasked.exists()

    scene.wait(is_asked, what="staff to be asked")
    return campaign


def msgids_of(campaign: Campaign) -> list[str]:
    return list(campaign.tasks.asked().values_list("msgid", flat=True))


def some_staff(scene: Scene, number: int = 0) -> Staff:
    """A member of staff with customers, always the same for the same number.

    In a small brand they come round again.
    """
    busy = Staff.objects.for_corp(scene.corp).available().filter(Q(follows__status="live"))
    staff = list(busy.distinct().order_by("userid"))
    return staff[number % len(staff)]
