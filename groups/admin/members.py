"""Who is in a chat, in pages; customers lead to their own page where the person may see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from customers.admin.pieces import person
from customers.models import Customer
from groups.admin.words import JOIN_SCENES
from groups.models import GroupChat, JoinCode, Membership
from scrm.common.badges import UNKNOWN, badge
from scrm.tenancy.models import Staff
from scrm.tenancy.scoped_admin import rows_of

_A_PAGE = 50


@dataclass(frozen=True)
class Members:
    """One page of members, as they are asked for in the address."""

    rows: list[dict[str, Any]]
    page: Page[Membership]
    words: str
    is_left: bool

    @property
    def is_narrowed(self) -> bool:
        return bool(self.words) or self.is_left


def members_of(chat: GroupChat, request: HttpRequest) -> Members:
    """Who is in the chat, or with `?left=1` who was; `?q=` searches names and ids."""
    words, is_left = request.GET.get("q", "").strip()[:100], request.GET.get("left") == "1"
    chosen = _found(chat.memberships.filter(left_at__isnull=not is_left), words, chat)
    order = ("-left_at", "-id") if is_left else ("-type", "-joined_at", "-id")
    page = Paginator(chosen.select_related("customer").order_by(*order), _A_PAGE).get_page(
        request.GET.get("page")
    )
    return Members(_rows(list(page), chat, request), page, words, is_left)


def _found(rows: QuerySet[Membership], words: str, chat: GroupChat) -> QuerySet[Membership]:
    if not words:
        return rows
    staff = Staff.objects.for_corp(chat.corp).filter(name__icontains=words).values("userid")
    named = Q(name__icontains=words) | Q(customer__name__icontains=words)
    return rows.filter(named | Q(member_id=words) | Q(type="staff", member_id__in=staff))


def _rows(
    memberships: Sequence[Membership], chat: GroupChat, request: HttpRequest
) -> list[dict[str, Any]]:
    userids = {each.member_id for each in memberships if each.type == Membership.Type.STAFF}
    userids |= {each.inviter for each in memberships if each.inviter}
    staff = Staff.objects.for_corp(chat.corp).filter(userid__in=userids)
    names = dict(staff.values_list("userid", "name"))
    customers = {each.customer_id for each in memberships if each.customer_id}
    visible = set(rows_of(Customer, request).filter(pk__in=customers).values_list("pk", flat=True))
    codes = _codes_of(memberships, chat, request)
    return [{**_row(each, names, visible), "code": codes.get(each.state)} for each in memberships]


def _codes_of(
    memberships: Sequence[Membership], chat: GroupChat, request: HttpRequest
) -> dict[str, JoinCode]:
    """The join codes through which they came, by channel; other channels are not ours."""
    states = {each.state for each in memberships if each.state}
    if not states:
        return {}
    codes = rows_of(JoinCode, request).filter(corp=chat.corp, state__in=states, deleted_at=None)
    return {code.state: code for code in codes.only("pk", "name", "state")}


def _row(membership: Membership, names: dict[str, str], visible: set[int]) -> dict[str, Any]:
    is_staff = membership.type == Membership.Type.STAFF
    known = str(membership.customer) if membership.customer else ""
    name = names.get(membership.member_id, "") if is_staff else known
    kind = badge(_("staff"), "blue") if is_staff else badge(_("customer"), "green")
    if not is_staff and membership.customer is None:
        kind = badge(_("nobody's customer"), "grey")
    return {
        "membership": membership,
        "customer_id": membership.customer_id if membership.customer_id in visible else None,
        "who": person(name or membership.name or membership.member_id, seed=membership.member_id),
        "kind": kind,
        "scene": JOIN_SCENES.get(membership.join_scene, UNKNOWN),
        "inviter": names.get(membership.inviter, membership.inviter) or UNKNOWN,
    }
