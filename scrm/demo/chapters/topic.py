"""Groups: people come through a code, some leave, and the mothers' groups get their topic."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from campaigns.actions.drafts import CampaignDraft
from campaigns.actions.results import refresh_campaign, results_of
from campaigns.models import Campaign
from groups.actions.group_tags import create_group_tag, tag_chats
from groups.actions.growth import group_figures
from groups.actions.join_codes import JoinCodeDraft, create_join_code
from groups.models import GroupChat, JoinCode, Membership
from scrm.audit.actions.recording import SYSTEM
from scrm.demo.chapters.main_job import msgids_of, submitted
from scrm.demo.scene import Scene

TOPIC = "本周话题：宝宝第一次添加辅食，你家是从什么开始的？欢迎晒图，周五由营养师统一点评。"
TAG = "妈妈群"
NEWCOMERS, LEAVERS, CHATS = 6, 3, 12
FIGURES = ("chats", "members", "joined", "left")


class WeeklyTopic:
    name = "groups"
    campaign: Campaign

    def __init__(self, since: float) -> None:
        # Members who were there before the story began have not joined in it.
        self.since = datetime.fromtimestamp(since, UTC)

    def play(self, scene: Scene) -> None:
        chats = self._tagged_chats(scene)
        self._people_come(chats[:2], scene)
        self._people_leave(chats[-1], scene)
        self._topic(chats, scene)

    def ours(self, scene: Scene) -> dict[str, Any]:
        figures = group_figures(scene.corp, since=self.since)
        topic = results_of(self.campaign)
        return {word: figures[word] for word in FIGURES} | {
            "topic": {word: topic[word] for word in ("asked", "delivered")}
        }

    def truth(self, scene: Scene) -> dict[str, Any]:
        told, sent = scene.sandbox.groups(), scene.sandbox.campaign(msgids_of(self.campaign))
        return {word: told[word] for word in FIGURES} | {
            "topic": {word: sent[word] for word in ("asked", "delivered")}
        }

    def _tagged_chats(self, scene: Scene) -> list[GroupChat]:
        living = GroupChat.objects.for_corp(scene.corp).existing().filter(status="normal")
        chats = list(living.order_by("pk")[:CHATS])
        now = timezone.now()
        tag = create_group_tag(TAG, corp=scene.corp, actor=SYSTEM, now=now)
        tag_chats(chats, corp=scene.corp, add=[tag], actor=SYSTEM, now=now)
        return chats

    def _people_come(self, chats: list[GroupChat], scene: Scene) -> None:
        draft = JoinCodeDraft("门店海报", [chat.chat_id for chat in chats])
        code = create_join_code(draft, corp=scene.corp, actor=SYSTEM, now=timezone.now())
        made = JoinCode.objects.filter(pk=code.pk, picture__isnull=False)
        scene.wait(made.exists, what="the join code and its picture")
        config_id = made.get().config_id
        for number in range(NEWCOMERS):
            scene.sandbox.people.scan_join_code(config_id, {"name": f"扫码妈妈{number + 1}"})
        entered = Membership.objects.filter(corp=scene.corp, state=code.state).present()
        scene.wait(lambda: entered.count() == NEWCOMERS, what="who came through the code")
        scene.tell(f"{NEWCOMERS} people entered groups through a join code")

    def _people_leave(self, chat: GroupChat, scene: Scene) -> None:
        members = Membership.objects.filter(chat=chat, type="customer").present()
        leaving = list(members.order_by("pk").values_list("member_id", flat=True)[:LEAVERS])
        scene.sandbox.people.chat_leave(chat.chat_id, leaving)
        present = members.filter(member_id__in=leaving)
        scene.wait(lambda: not present.exists(), what="who left the group")

    def _topic(self, chats: list[GroupChat], scene: Scene) -> None:
        draft = CampaignDraft(
            name="妈妈群每周话题",
            kind=Campaign.Kind.GROUPS,
            chat_ids=[chat.chat_id for chat in chats],
            content=TOPIC,
        )
        self.campaign = submitted(draft, scene)
        tasks = self.campaign.tasks.asked().select_related("staff").order_by("pk")
        for number, task in enumerate(tasks):
            if number % 4 != 3:
                scene.sandbox.people.confirm(task.msgid, task.staff.userid)
        job = refresh_campaign(self.campaign, now=timezone.now())
        scene.wait_for_job(job, what="what became of the topic")
        told = results_of(self.campaign)
        scene.tell(f"the weekly topic went to {told['delivered']} of {told['asked']} groups")
