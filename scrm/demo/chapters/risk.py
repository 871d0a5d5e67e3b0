"""Risk: a message that should not have been, a forbidden promise, a customer deleted by staff."""

from typing import Any

from django.utils import timezone

from campaigns.actions.approval import submit_campaign
from campaigns.actions.drafts import CampaignDraft, create_campaign
from customers.models import Follow
from risk.actions.incidents import decide_incident
from risk.actions.lexicons import LexiconDraft, create_lexicon
from risk.models import ArchivedMessage, Incident
from scrm.audit.actions.recording import SYSTEM
from scrm.common.errors import DomainError
from scrm.demo.chapters.main_job import some_staff
from scrm.demo.scene import Scene, StoryStuck

SMALL_TALK = (
    "在吗？宝宝最近总是夜醒",
    "在的，您家宝宝多大啦？",
    "快六个月了",
    "可能在长牙，您摸摸牙龈",
)
POACHING = "这边不方便说，加我私人微信 ＶⅩ：xiaoman_88，给您内部价"
THANKS = "好的，谢谢你"
PROMISE = "吃了我们的奶粉，保 证 治 愈 湿疹，全网最低价！"
LEXICONS = (
    LexiconDraft("飞单", "私下交易", "high", words=["加我私人微信", "私人vx", "内部价转账"]),
    LexiconDraft("夸大承诺", "广告法", "high", words=["保证治愈", "全网最低价"]),
)


class Review:
    name = "risk"

    def play(self, scene: Scene) -> None:
        for lexicon in LEXICONS:
            create_lexicon(lexicon, corp=scene.corp, actor=SYSTEM, now=timezone.now())
        self._talk(scene)
        self._a_promise_is_stopped(scene)
        self._a_customer_is_deleted(scene)
        self._decide(scene)

    def ours(self, scene: Scene) -> dict[str, Any]:
        incidents = Incident.objects.for_corp(scene.corp)
        return {
            "messages": ArchivedMessage.objects.for_corp(scene.corp).count(),
            "hits": incidents.filter(kind=Incident.Kind.MESSAGE).count(),
            "incidents": incidents.count(),
            "blocked_sends": incidents.filter(kind=Incident.Kind.STOPPED_SEND).count(),
        }

    def truth(self, scene: Scene) -> dict[str, Any]:
        """From what was said, who was deleted, and what never left."""
        said = scene.sandbox.entries("archive.kept")
        hits = sum(entry.data["text"] == POACHING for entry in said)
        deletions = len(scene.sandbox.entries("contact.deleted_by_member"))
        # Written down once, and never seen on the platform.
        stopped = 0 if scene.sandbox.texts(PROMISE)["messages"] else 1
        return {
            "messages": scene.sandbox.archive()["messages"],
            "hits": hits,
            "incidents": hits + deletions + stopped,
            "blocked_sends": stopped,
        }

    def _talk(self, scene: Scene) -> None:
        follow = self._follow(scene, 0)
        people, customer, staff = scene.sandbox.people, follow.customer, follow.staff
        pair = (customer.external_userid, staff.userid)
        for number, text in enumerate(SMALL_TALK):
            if number % 2:
                people.staff_says(staff.userid, customer.external_userid, text)
            else:
                people.customer_says(*pair, text)
        people.staff_says(staff.userid, customer.external_userid, POACHING)
        people.customer_says(*pair, THANKS)
        caught = Incident.objects.for_corp(scene.corp).filter(kind=Incident.Kind.MESSAGE)
        scene.wait(caught.exists, what="the chat archive to be taken in and screened")
        scene.tell(f"«{POACHING}» was found in the chat archive")

    def _a_promise_is_stopped(self, scene: Scene) -> None:
        now = timezone.now()
        customer = self._follow(scene, 1).customer
        draft = CampaignDraft(
            name="奶粉大促", external_userids=[customer.external_userid], content=PROMISE
        )
        campaign = create_campaign(scene.corp, draft=draft, actor=SYSTEM, now=now)
        try:
            submit_campaign(campaign, actor=SYSTEM, now=now)
        except DomainError as error:
            scene.tell(f"a campaign with a forbidden promise was stopped ({error.code})")
        else:
            raise StoryStuck("A campaign with a forbidden promise was let go.")

    def _a_customer_is_deleted(self, scene: Scene) -> None:
        follow = self._follow(scene, 2)
        scene.sandbox.people.member_deletes(follow.staff.userid, follow.customer.external_userid)
        raised = Incident.objects.for_corp(scene.corp).filter(kind=Incident.Kind.DELETION)
        scene.wait(raised.exists, what="the news that a customer was deleted")
        scene.tell("a member of staff deleted a customer: an incident was raised")

    def _decide(self, scene: Scene) -> None:
        caught = Incident.objects.for_corp(scene.corp).filter(kind=Incident.Kind.MESSAGE)
        decide_incident(
            caught.get(),
            decision=Incident.Decision.SERIOUS,
            note="引导客户私下交易，已约谈。",
            actor=SYSTEM,
            now=timezone.now(),
        )
        scene.tell("it was reviewed with its context and decided")

    def _follow(self, scene: Scene, number: int) -> Follow:
        live = Follow.objects.for_corp(scene.corp).live().filter(staff=some_staff(scene, 4))
        return live.select_related("customer", "staff").order_by("pk")[number]
