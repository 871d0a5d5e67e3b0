"""A SOP: new mothers enter it as they come; some were here before and are taken in by hand."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from campaigns.actions.sops.drafting import activate_sop, create_sop
from campaigns.actions.sops.enrolling import enrol_customer
from campaigns.actions.sops.grammar import SopDraft
from campaigns.models import Enrolment, Sop, StepRun, Task
from customers.actions.tags import create_tag, create_tag_group
from customers.models import Customer, Follow, Tag
from scrm.audit.actions.recording import SYSTEM
from scrm.demo.chapters.main_job import some_staff
from scrm.demo.scene import Scene

STATE = "hospital-07"
WELCOME = "您好，我是您的孕期顾问。接下来每个重要的产检节点，我都会提前提醒您。"
TASK = "给新来的准妈妈打个招呼，问一下预产期"
SECOND_CHILD = "二胎妈妈专属：大宝情绪安抚小贴士，今晚八点发到群里。"
DAY_THREE = "满三天啦，送您一份待产包清单，需要的话我现在发给您。"
DAY_SEVEN = "孕期营养第一课：铁和叶酸怎么补。明天上午十点，营养师在直播间等您。"
PLATFORM_TAG = "孕早期"
# Steps due as soon as somebody enters; the last of them only for second-time mothers.
AT_ONCE = 4
NEWCOMERS, OLD_FRIENDS, OLD_DAYS = 6, 3, 3


class Maternity:
    name = "sop"
    sop: Sop
    platform_tag: Tag
    # External ids of those who were taken in by hand, counted from three days ago.
    old_friends: list[str]

    def play(self, scene: Scene) -> None:
        tags = Tag.objects.for_corp(scene.corp).current()
        self.platform_tag = tags.get(kind="wecom", name=PLATFORM_TAG)
        self.sop = self._make(scene)
        self._mothers_arrive(scene)
        self._old_friends_enter(scene)
        scene.wait(self._is_up_to_date, what="the steps that are due")
        scene.wait_for_quiet()
        for task in Task.objects.asked().filter(campaign__sop_step__sop=self.sop):
            scene.sandbox.people.confirm_all(task.msgid)
        figures = self.ours(scene)
        scene.tell(
            f"{figures['enrolled']} mothers are in the maternity SOP: {figures['done']} steps done,"
            f" {figures['skipped']} skipped, {figures['missed']} came too late"
        )

    def ours(self, scene: Scene) -> dict[str, Any]:
        runs = StepRun.objects.for_corp(scene.corp).filter(enrolment__sop=self.sop)
        enrolled = Enrolment.objects.filter(sop=self.sop).count()
        words = ("done", "skipped", "missed")
        return {"enrolled": enrolled} | {word: runs.filter(status=word).count() for word in words}

    def truth(self, scene: Scene) -> dict[str, Any]:
        """From who came through the channel, and what was said, told and tagged since."""
        came = self._came(scene)
        done = self._said(scene) + self._told(scene) + self._tagged(scene, came)
        # None of them carries the tag of second-time mothers.
        skipped = len(came) if not scene.sandbox.texts(SECOND_CHILD)["messages"] else 0
        due = len(came) * AT_ONCE + len(self.old_friends) * (AT_ONCE + 1)
        return {
            "enrolled": len(came) + len(self.old_friends),
            "done": done,
            "skipped": skipped,
            "missed": due - done - skipped,
        }

    def _make(self, scene: Scene) -> Sop:
        now = timezone.now()
        group = create_tag_group("孕育阶段", corp=scene.corp, actor=SYSTEM, now=now)
        second = create_tag("二胎", group=group, actor=SYSTEM, now=now)
        is_second = {"field": "tags", "op": "any_of", "value": [second.pk]}
        draft = SopDraft(
            name="孕期关怀",
            trigger={"type": "customer_added", "state": STATE},
            steps=[
                _step(0, {"kind": "message", "content": WELCOME}),
                _step(0, {"kind": "task", "text": TASK}),
                _step(0, {"kind": "tag", "tags": [self.platform_tag.pk]}),
                _step(0, {"kind": "message", "content": SECOND_CHILD}, condition=is_second),
                _step(OLD_DAYS, {"kind": "message", "content": DAY_THREE}),
                _step(7, {"kind": "message", "content": DAY_SEVEN}, at="10:00"),
            ],
        )
        sop = create_sop(scene.corp, draft=draft, actor=SYSTEM, now=now)
        return activate_sop(sop, actor=SYSTEM, now=now)

    def _mothers_arrive(self, scene: Scene) -> None:
        for number in range(NEWCOMERS):
            staff = some_staff(scene, number % 3)
            person = {"name": f"准妈妈{_NAMES[number]}", "gender": 2}
            scene.sandbox.people.add_customer(staff.userid, person, state=STATE)
        enrolled = Enrolment.objects.filter(sop=self.sop)
        scene.wait(lambda: enrolled.count() == NEWCOMERS, what="the mothers to enter the SOP")

    def _old_friends_enter(self, scene: Scene) -> None:
        now = timezone.now()
        live = Follow.objects.for_corp(scene.corp).live().filter(staff=some_staff(scene))
        friends = Customer.objects.filter(
            pk__in=live.exclude(state=STATE).values("customer"), is_blocked=False
        ).order_by("pk")[:OLD_FRIENDS]
        for customer in friends:
            anchor = now - timedelta(days=OLD_DAYS)
            enrol_customer(self.sop, customer, anchor=anchor, actor=SYSTEM, now=now)
        self.old_friends = [customer.external_userid for customer in friends]

    def _is_up_to_date(self) -> bool:
        runs = StepRun.objects.filter(enrolment__sop=self.sop, status="pending")
        return not runs.filter(due_at__lte=timezone.now()).exists()

    def _came(self, scene: Scene) -> list[str]:
        added = scene.sandbox.entries("contact.added")
        return [one.data["external_userid"] for one in added if one.data.get("state") == STATE]

    def _said(self, scene: Scene) -> int:
        texts = (WELCOME, SECOND_CHILD, DAY_THREE, DAY_SEVEN)
        return sum(scene.sandbox.texts(text)["recipients"] for text in texts)

    def _told(self, scene: Scene) -> int:
        """How many of the mothers staff were told of; one message may list several."""
        told = "\n".join(
            entry.data["text"]
            for entry in scene.sandbox.entries("app_message.told")
            if TASK in entry.data["text"]
        )
        return sum(f"准妈妈{name}" in told for name in _NAMES)

    def _tagged(self, scene: Scene, came: list[str]) -> int:
        tagged = scene.sandbox.tagging().get(self.platform_tag.wecom_id, {})
        return len({*tagged.get("added", ())} & {*came})


_NAMES = ("一诺", "子涵", "若曦", "梓萱", "雨桐", "可馨")


def _step(days: int, action: dict[str, Any], **more: Any) -> dict[str, Any]:
    defaults = {"at": None, "condition": None}
    return {"offset": {"days": days, "minutes": 0}, "action": action, **defaults, **more}
