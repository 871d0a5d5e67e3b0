"""A colleague resigns: her customers and groups find new owners, after the platform's day.

Played first, while the platform's clock is still two days behind: one day for the first takers,
one for those whose taker was full.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from customers.actions.handover.executing import execute_plan
from customers.actions.handover.plans import PlanWish, create_plan
from customers.actions.handover.polling import refresh_plan
from customers.actions.handover.results import results_of
from customers.actions.leaving import mark_leaving
from customers.models import HandoverItem, HandoverPlan
from groups.models import GroupChat
from scrm.audit.actions.recording import SYSTEM
from scrm.demo.scene import Scene
from scrm.tenancy.models import Staff

DAYS = 2
CUSTOMERS, GROUPS, TAKERS = 230, 3, 4
FIGURES = ("planned", "succeeded", "rejected", "over_capacity", "failed", "groups")


class Resignation:
    name = "handover"
    plan: HandoverPlan

    def play(self, scene: Scene) -> None:
        leaver = self._leaver(scene)
        takers = self._takers(leaver, scene)
        self._leave(leaver, scene)
        self._plan_and_ask(leaver, takers, scene)
        self._some_refuse(scene)
        self._one_has_no_room(takers[0], scene)
        for _ in range(DAYS):
            self._a_day_passes(scene)
        results = results_of(self.plan)
        scene.tell(
            f"two of the platform's days later {results['succeeded']} customers and"
            f" {results['groups']} groups have new owners, {results['rejected']} refused"
        )

    def ours(self, scene: Scene) -> dict[str, Any]:
        results = results_of(self.plan)
        return {word: results[word] for word in FIGURES}

    def truth(self, scene: Scene) -> dict[str, Any]:
        told = scene.sandbox.handover(self.plan.from_staff.userid)
        truth = {word: told[word] for word in FIGURES if word != "planned"}
        return {"planned": told["asked"], **truth}

    def _leaver(self, scene: Scene) -> Staff:
        """Whoever has nearly as many customers and groups as the story wants."""
        staff = Staff.objects.for_corp(scene.corp).available()
        counted = staff.annotate(customers=Count("follows", filter=Q(follows__status="live")))

        def is_far(one: Any) -> tuple[int, int]:
            chats = GroupChat.objects.existing().filter(owner=one).count()
            return abs(chats - GROUPS), abs(one.customers - CUSTOMERS)

        return min(counted.order_by("userid"), key=is_far)

    def _takers(self, leaver: Staff, scene: Scene) -> list[Staff]:
        others = Staff.objects.for_corp(scene.corp).available().exclude(pk=leaver.pk)
        fit = others.filter(has_customer_contact=True).order_by("userid")
        near = fit.in_departments(leaver.departments.values_list("pk", flat=True))
        return [*near, *fit.exclude(pk__in=near.values("pk"))][:TAKERS]

    def _leave(self, leaver: Staff, scene: Scene) -> None:
        mark_leaving(leaver, actor=SYSTEM, now=timezone.now())
        scene.sandbox.people.member_leaves(leaver.userid)
        gone = Staff.objects.filter(pk=leaver.pk, status=Staff.Status.LEFT)
        scene.wait(gone.exists, what="the news that she left")
        scene.tell(f"{leaver.name} was marked as leaving; then her account was deleted")

    def _plan_and_ask(self, leaver: Staff, takers: list[Staff], scene: Scene) -> None:
        now = timezone.now()
        wish = PlanWish("resigned", leaver.userid, [taker.userid for taker in takers])
        self.plan = create_plan(wish, corp=scene.corp, actor=SYSTEM, now=now)
        execute_plan(self.plan, actor=SYSTEM, now=now)
        scene.wait(self._is_asked, what="the platform to take the handover up")
        figures = results_of(self.plan)
        scene.tell(
            f"{figures['planned']} customers and {figures['groups']} groups were given to"
            f" {len(takers)} colleagues, ≤ 100 a call"
        )

    def _is_asked(self) -> bool:
        early = HandoverItem.objects.filter(plan=self.plan, status__in=["planned", "asked"])
        return not early.exists()

    def _some_refuse(self, scene: Scene) -> None:
        waiting = HandoverItem.objects.filter(plan=self.plan, status="waiting")
        for number, item in enumerate(waiting.select_related("customer").order_by("pk")):
            if number % 20 == 7 and item.customer:
                scene.sandbox.people.customer_refuses_transfer(item.customer.external_userid)

    def _one_has_no_room(self, taker: Staff, scene: Scene) -> None:
        """She has room for a dozen more; for the others the next colleague is asked."""
        customers = taker.follows.filter(status="live").count()
        scene.sandbox.people.set_capacity(taker.userid, customers + 12)

    def _a_day_passes(self, scene: Scene) -> None:
        scene.sandbox.clock.advance(timedelta(days=1, minutes=1).total_seconds())
        scene.wait_for_quiet()
        scene.wait_for_job(
            refresh_plan(self.plan, now=timezone.now()), what="what became of the handover"
        )
        scene.wait(self._is_asked, what="those whose taker was full to be asked for again")
