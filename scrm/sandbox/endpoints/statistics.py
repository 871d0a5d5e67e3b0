"""What members and groups did, day by day, counted from what truly happened."""

from collections.abc import Callable, Iterable
from typing import Any

from scrm.sandbox.call import Call, to_texts
from scrm.sandbox.counting import count_behaviour, count_chats
from scrm.sandbox.days import DAY
from scrm.sandbox.duty import expand
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.endpoints.spans import read_days
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import Chat

AT_MOST = 100
ORDERS = {1: "new_chat_cnt", 2: "chat_total", 3: "new_member_cnt", 4: "member_total"}


@endpoint("POST", "externalcontact/get_user_behavior_data")
def list_behaviour(call: Call) -> Answer:
    """Answer a row a day, in which the members asked for are added up."""
    userids = call.texts("userid", at_most=AT_MOST)
    departments = call.integers("partyid", at_most=AT_MOST)
    if not (userids or departments):
        raise Refused(40063, "userid or partyid")
    for userid in userids:
        call.find_member(userid)
    for department_id in departments:
        if department_id not in call.world.departments:
            raise Refused(60123, str(department_id))
    days = read_days(call, "start_time", "end_time", with_today=False)
    members = {member.userid for member in expand(call.world, userids, departments)}
    rows = count_behaviour(call.world, members, days)
    return {"behavior_data": [{"stat_time": day} | rows[day] for day in days]}


@endpoint("POST", "externalcontact/groupchat/statistic")
def list_chat_statistics(call: Call) -> Answer:
    """Answer a row per owner over the days asked for, ordered as asked."""
    days, chats = _read(call)
    order, ascending = call.integer("order_by", 1), call.integer("order_asc", 0)
    offset, limit = call.integer("offset", 0), call.page_size(default=500, maximum=1000, clamp=True)
    if order not in ORDERS or ascending not in {0, 1} or offset < 0:
        raise Refused(40058, "order_by, order_asc or offset")
    span = days[0], days[-1] + DAY
    items = [
        {"owner": owner, "data": count_chats(call.world, owned, span)}
        for owner, owned in _by_owner(chats).items()
    ]
    items.sort(key=_measure(ORDERS[order]), reverse=not ascending)
    page = items[offset : offset + limit]
    return {"total": len(items), "next_offset": offset + len(page), "items": page}


@endpoint("POST", "externalcontact/groupchat/statistic_group_by_day")
def list_chat_statistics_by_day(call: Call) -> Answer:
    days, chats = _read(call)
    rows = [
        {"stat_time": day, "data": count_chats(call.world, chats, (day, day + DAY))} for day in days
    ]
    return {"items": rows}


def _read(call: Call) -> tuple[list[int], list[Chat]]:
    """Return the days, and the groups of the members asked for, dismissed ones included."""
    userids = to_texts(
        call.mapping("owner_filter").get("userid_list") or [], "userid_list", AT_MOST
    )
    if not userids:
        raise Refused(40063, "owner_filter.userid_list")
    owners = {call.find_member(userid).userid for userid in userids}
    days = read_days(call, "day_begin_time", "day_end_time", with_today=False, end_is_optional=True)
    return days, [chat for chat in call.world.chats.values() if chat.owner in owners]


def _by_owner(chats: Iterable[Chat]) -> dict[str, list[Chat]]:
    owned: dict[str, list[Chat]] = {}
    for chat in chats:
        owned.setdefault(chat.owner, []).append(chat)
    return owned


def _measure(name: str) -> Callable[[dict[str, Any]], int]:
    def measure(item: dict[str, Any]) -> int:
        value: int = item["data"][name]
        return value

    return measure
