"""`group_chat` in rules over customers: the chats somebody is in."""

from collections.abc import Mapping
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from customers.segments.fields.base import Facts, Scene, SetField
from customers.segments.nodes import Condition, Target
from customers.segments.values import SEVERAL, read_text
from groups.models import GroupChat, Membership, MembershipQuerySet
from scrm.tenancy.models import Corp, Scope

_MOST_CHOICES = 500


class ChatField(SetField):
    """Chats by the platform's ids; who has left is in none."""

    label = _("group chat")
    ops = SEVERAL
    names_rows = True
    item_schema: ClassVar[Mapping[str, Any]] = {"type": "string"}
    note = "chat ids"

    def read(self, value: Any, zone: ZoneInfo) -> str:
        return read_text(value, zone)

    def find(self, names: set[Any], corp: Corp) -> Mapping[Any, Target]:
        chats = GroupChat.objects.for_corp(corp).filter(chat_id__in=names)
        return {chat.chat_id: Target((chat.pk,), str(chat)) for chat in chats}

    def held(self, leaf: Condition, facts: Facts) -> Mapping[Any, Any]:
        return {pk: chat_id for pk, (chat_id, _name) in self._chats(facts).items()}

    def any_of(self, ids: list[Any], scene: Scene) -> Q:
        return Q(Exists(self._memberships(scene).filter(chat__in=ids)))

    def some(self, scene: Scene) -> Q:
        return Q(Exists(self._memberships(scene)))

    def actual_in_words(self, leaf: Condition, facts: Facts) -> str:
        names = [f"«{name}»" for _chat_id, name in self._chats(facts).values()]
        return ", ".join(names) or _t("nothing")

    def choices(self, corp: Corp, scope: Scope) -> list[dict[str, Any]]:
        chats = (
            GroupChat.objects.for_corp(corp)
            .existing()
            .in_scope(scope)
            .order_by("name", "pk")[:_MOST_CHOICES]
        )
        return [{"value": chat.chat_id, "label": str(chat)} for chat in chats]

    def _memberships(self, scene: Scene) -> MembershipQuerySet:
        return Membership.objects.for_corp(scene.corp).present().filter(customer=OuterRef("pk"))

    def _chats(self, facts: Facts) -> dict[int, tuple[str, str]]:
        if "chats" not in facts.cache:
            present = Membership.objects.present().filter(customer=facts.customer)
            facts.cache["chats"] = {
                each.chat_id: (each.chat.chat_id, str(each.chat))
                for each in present.select_related("chat")
            }
        chats: dict[int, tuple[str, str]] = facts.cache["chats"]
        return chats
