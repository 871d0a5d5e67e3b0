"""Customers and the members who follow them."""

from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.cursors import make_cursor, read_position, take_page
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import ContactType, Person, Relation
from scrm.sandbox.world import World

FOLLOWERS_PER_PAGE = 500
REMARK_FIELDS = ("remark", "description", "remark_company", "remark_mobiles", "remark_pic_mediaid")


@endpoint("GET", "externalcontact/get_follow_user_list")
def list_followers(call: Call) -> Answer:
    members = call.world.present_members()
    shown = (member for member in members if member.can_follow and call.world.sees(member))
    return {"follow_user": [member.userid for member in shown]}


@endpoint("GET", "externalcontact/list")
def list_customers(call: Call) -> Answer:
    relations = call.world.customers_of(call.member().userid)
    if not relations:
        raise Refused(84061)
    return {"external_userid": [relation.external_userid for relation in relations]}


@endpoint("GET", "externalcontact/get")
def get_customer(call: Call) -> Answer:
    person = call.person()
    followers = call.world.followers_of(person.external_userid)
    if not followers:
        raise Refused(84061)
    page, next_cursor = take_page(call, followers, FOLLOWERS_PER_PAGE, person.external_userid)
    answer: Answer = {
        "external_contact": describe_person(person),
        "follow_user": [_describe_follow(call.world, relation) for relation in page],
    }
    return answer | ({"next_cursor": next_cursor} if next_cursor else {})


@endpoint("POST", "externalcontact/batch/get_by_user")
def list_customers_by_member(call: Call) -> Answer:
    userids = call.texts("userid_list", at_most=100)
    if not userids:
        raise Refused(40063, "userid_list")
    limit = call.page_size(default=50, maximum=100, clamp=True)
    members = list({call.find_member(userid).userid: None for userid in userids})
    start, after = read_position(call, userids) or [0, 0]
    rows: list[tuple[int, Relation]] = []
    for index in range(start, len(members)):
        floor = after if index == start else 0
        own = call.world.customers_of(members[index])
        rows.extend((index, relation) for relation in own if relation.number > floor)
        if len(rows) > limit:
            break
    next_cursor = ""
    if len(rows) > limit:
        index, last = rows[limit - 1]
        next_cursor = make_cursor(call, [index, last.number], userids)
    page = [relation for _, relation in rows[:limit]]
    return {
        "external_contact_list": [_describe_row(call.world, relation) for relation in page],
        "next_cursor": next_cursor,
        "fail_info": {"unlicensed_userid_list": []},
    }


@endpoint("POST", "externalcontact/remark")
def remark_customer(call: Call) -> Answer:
    relation = find_relation(call)
    if not any(name in call.parameters for name in REMARK_FIELDS):
        raise Refused(40058, "nothing to change")
    remark = call.limited_text("remark", 20)
    description = call.limited_text("description", 150)
    company = call.limited_text("remark_company", 20)
    mobiles = call.texts("remark_mobiles")
    relation.remark = relation.remark if remark is None else remark
    relation.description = relation.description if description is None else description
    is_wechat = call.world.persons[relation.external_userid].type == ContactType.WECHAT
    if company is not None and is_wechat:
        relation.remark_corp_name = company
    if mobiles:
        relation.remark_mobiles = [mobile for mobile in mobiles if mobile]
    call.world.ledger.append(
        "api.remarked",
        userid=relation.userid,
        external_userid=relation.external_userid,
        remark=relation.remark,
        description=relation.description,
    )
    return {}


def find_relation(call: Call) -> Relation:
    """Return the relation named by userid and external_userid, in the platform's order of errors."""
    userid = call.text("userid")
    external_userid = call.text("external_userid", missing=41035)
    member, person = call.find_member(userid), call.world.persons.get(external_userid)
    if person is None:
        raise Refused(40096, external_userid)
    relation = call.world.find_relation(member.userid, person.external_userid)
    if relation is None or not call.world.is_shown(relation):
        raise Refused(84061)
    return relation


def describe_person(person: Person) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "external_userid": person.external_userid,
        "name": person.name,
        "avatar": person.avatar,
        "type": int(person.type),
        "gender": person.gender,
    }
    if person.unionid:
        fields["unionid"] = person.unionid
    if person.type == ContactType.WECOM:
        fields["corp_name"] = person.corp_name
    return fields | person.extra


def _describe_row(world: World, relation: Relation) -> dict[str, Any]:
    follow_info = _describe_relation(relation)
    follow_info["tag_id"] = world.tags.carried(relation.tag_ids)
    person = world.persons[relation.external_userid]
    return {"external_contact": describe_person(person), "follow_info": follow_info}


def _describe_follow(world: World, relation: Relation) -> dict[str, Any]:
    fields = _describe_relation(relation)
    tags = _describe_tags(world, relation)
    return fields | ({"tags": tags} if tags else {})


def _describe_relation(relation: Relation) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "userid": relation.userid,
        "remark": relation.remark,
        "description": relation.description,
        "createtime": relation.createtime,
        "oper_userid": relation.oper_userid,
        "add_way": relation.add_way,
    }
    optional = {
        "remark_corp_name": relation.remark_corp_name,
        "remark_mobiles": relation.remark_mobiles,
        "state": relation.state,
        "wechat_channels": relation.wechat_channels,
    }
    return fields | {name: value for name, value in optional.items() if value}


def _describe_tags(world: World, relation: Relation) -> list[dict[str, Any]]:
    rows = [_describe_tag(world, tag_id) for tag_id in world.tags.carried(relation.tag_ids)]
    rows += [{"group_name": g, "tag_name": name, "type": 2} for g, name in relation.personal_tags]
    return rows


def _describe_tag(world: World, tag_id: str) -> dict[str, Any]:
    if (rule_tag := world.tags.rule_tags.get(tag_id)) is not None:
        group_name, name, kind = rule_tag.group_name, rule_tag.name, 3
    else:
        tag = world.tags.tags[tag_id]
        group_name, name, kind = world.tags.groups[tag.group_id].name, tag.name, 1
    return {"group_name": group_name, "tag_name": name, "tag_id": tag_id, "type": kind}
