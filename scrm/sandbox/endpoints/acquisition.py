"""Acquisition links, who came through them, and the quota they use up."""

from typing import Any

from scrm.sandbox.acquisition import CORP_WIDE, LISTED, Link
from scrm.sandbox.call import Call, to_integer, to_integers, to_texts
from scrm.sandbox.cursors import make_cursor, read_position, take_page
from scrm.sandbox.days import DAY
from scrm.sandbox.dice import draw_text
from scrm.sandbox.duty import expand, find_unfitness
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.endpoints.spans import read_days
from scrm.sandbox.errors import Refused

NAME_LENGTH = 30
PRIORITY_MEMBERS = 1000
NOT_WRITTEN, WRITTEN = 0, 1


@endpoint("POST", "externalcontact/customer_acquisition/list_link")
def list_links(call: Call) -> Answer:
    limit = call.page_size(default=100, maximum=100, clamp=True)
    after = (read_position(call) or [0])[0]
    links = [link for link in call.world.acquisition.links.values() if link.number > after]
    page = links[:limit]
    more = make_cursor(call, [page[-1].number]) if len(links) > limit else ""
    return {"link_id_list": [link.link_id for link in page], "next_cursor": more}


@endpoint("POST", "externalcontact/customer_acquisition/get")
def get_link(call: Call) -> Answer:
    link = _find(call)
    answer: Answer = {
        "link": _describe(call, link)
        | {"skip_verify": link.skip_verify, "mark_source": link.mark_source},
        "range": {"user_list": link.userids, "department_list": link.departments},
    }
    if link.priority:
        answer["priority_option"] = {
            "priority_type": link.priority,
            "priority_userid_list": link.priority_userids,
        }
    return answer


@endpoint("POST", "externalcontact/customer_acquisition/create_link")
def create_link(call: Call) -> Answer:
    world = call.world
    name = call.text("link_name")
    if "range" not in call.parameters:
        raise Refused(40063, "range")
    link = Link(f"ca{draw_text(world.dice, 16)}", name, call.now, world.next_number())
    _change(call, link)
    if len(world.acquisition.links) >= world.options.acquisition_link_limit:
        raise Refused(41095)
    world.acquisition.links[link.link_id] = link
    _note(call, "created", link)
    return {"link": _describe(call, link)}


@endpoint("POST", "externalcontact/customer_acquisition/update_link")
def update_link(call: Call) -> Answer:
    """Change what is given; range and priorities are overwritten as a whole."""
    link = _find(call)
    _change(call, link)
    _note(call, "updated", link)
    return {}


@endpoint("POST", "externalcontact/customer_acquisition/delete_link")
def delete_link(call: Call) -> Answer:
    link = _find(call)
    del call.world.acquisition.links[link.link_id]
    _note(call, "deleted", link)
    return {}


@endpoint("POST", "externalcontact/customer_acquisition/customer")
def list_link_customers(call: Call) -> Answer:
    link = _find(call)
    limit = call.page_size(default=1000, maximum=1000, clamp=True)
    came = [
        customer
        for customer in call.world.acquisition.customers
        if customer.link_id == link.link_id and customer.came_at is not None
    ]
    page, next_cursor = take_page(call, came, limit, link.link_id)
    rows = [
        {
            "external_userid": customer.external_userid,
            "userid": customer.userid,
            "chat_status": WRITTEN if customer.messages else NOT_WRITTEN,
            "state": customer.state,
        }
        for customer in page
    ]
    return {"customer_list": rows, "next_cursor": next_cursor}


@endpoint("GET", "externalcontact/customer_acquisition_quota")
def get_quota(call: Call) -> Answer:
    book, now = call.world.acquisition, call.world.clock.now()
    return {
        "total": book.used,
        "balance": book.balance(now),
        "quota_list": [
            {"expire_date": batch.expire_date, "balance": batch.balance}
            for batch in book.valid_batches(now)
        ],
    }


@endpoint("POST", "externalcontact/customer_acquisition/statistic")
def count_link(call: Call) -> Answer:
    link, book = _find(call), call.world.acquisition
    days = read_days(call, "start_time", "end_time", with_today=True)
    first, end = days[0], days[-1] + DAY
    came = (c.came_at for c in book.customers if c.link_id == link.link_id)
    return {
        "click_link_customer_cnt": sum(
            link_id == link.link_id and first <= at < end for link_id, at in book.clicks
        ),
        "new_customer_cnt": sum(at is not None and first <= at < end for at in came),
    }


@endpoint("POST", "externalcontact/customer_acquisition/get_chat_info")
def get_chat_info(call: Call) -> Answer:
    key = call.world.acquisition.chat_keys.get(call.text("chat_key"))
    if key is None or call.world.clock.now() > key.until:
        raise Refused(41201)
    customer = key.customer
    return {
        "userid": customer.userid,
        "external_userid": customer.external_userid,
        "chat_info": {
            "recv_msg_cnt": key.messages,
            "link_id": customer.link_id,
            "state": customer.state,
        },
    }


def _find(call: Call) -> Link:
    link = call.world.acquisition.links.get(call.text("link_id"))
    if link is None:
        raise Refused(40058, "link_id")
    return link


def _change(call: Call, link: Link) -> None:
    """Take over what is given, all of it or, when something is wrong, nothing."""
    name = call.limited_text("link_name", NAME_LENGTH)
    users, departments = link.userids, link.departments
    if "range" in call.parameters:
        users, departments = _read_range(call)
    priority = link.priority, link.priority_userids
    if "priority_option" in call.parameters:
        priority = _read_priority(call)
    link.skip_verify = call.flag("skip_verify", default=link.skip_verify)
    link.mark_source = call.flag("mark_source", default=link.mark_source)
    link.name = name or link.name
    link.userids, link.departments = users, departments
    link.priority, link.priority_userids = priority
    link.is_unavailable = False


def _read_range(call: Call) -> tuple[list[str], list[int]]:
    given, allowed = call.mapping("range"), call.world.options.acquisition_link_members
    userids = to_texts(given.get("user_list") or [], "user_list", allowed)
    departments = to_integers(given.get("department_list") or [], "department_list")
    if not (userids or departments):
        raise Refused(40063, "range")
    for department_id in departments:
        if department_id not in call.world.departments:
            raise Refused(60123, str(department_id))
    named = [call.find_member(userid) for userid in userids]
    for member in named:
        errcode = find_unfitness(member)
        if errcode:
            raise Refused(errcode, member.userid)
    if len(expand(call.world, userids, departments)) > allowed:
        raise Refused(40058, f"range exceeds {allowed} members")
    return [member.userid for member in named], departments


def _read_priority(call: Call) -> tuple[int, list[str]]:
    if not call.world.options.acquisition_priorities:
        raise Refused(41200)
    given: dict[str, Any] = call.mapping("priority_option")
    kind = to_integer(given.get("priority_type", 0), "priority_type")
    if kind not in {CORP_WIDE, LISTED}:
        raise Refused(40058, "priority_type")
    userids = to_texts(
        given.get("priority_userid_list") or [], "priority_userid_list", PRIORITY_MEMBERS
    )
    if kind == LISTED and not userids:
        raise Refused(40063, "priority_userid_list")
    return kind, [call.find_member(userid).userid for userid in userids]


def _describe(call: Call, link: Link) -> dict[str, Any]:
    return {
        "link_id": link.link_id,
        "link_name": link.name,
        "url": f"{call.world.root_url}ca/{link.link_id}",
        "create_time": link.create_time,
    }


def _note(call: Call, what: str, link: Link) -> None:
    call.world.ledger.append(
        f"link.{what}",
        link_id=link.link_id,
        name=link.name,
        userids=link.userids,
        departments=link.departments,
    )
