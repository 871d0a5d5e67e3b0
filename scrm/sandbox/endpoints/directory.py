"""Departments and members."""

from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.oauth import PRIVATE_FIELDS
from scrm.sandbox.records import Department, Member
from scrm.sandbox.world import World


@endpoint("GET", "department/list")
def list_departments(call: Call) -> Answer:
    return {"department": [_describe(department) for department in _tree(call)]}


@endpoint("GET", "department/simplelist")
def list_department_ids(call: Call) -> Answer:
    rows = [{"id": d.id, "parentid": d.parent_id, "order": d.order} for d in _tree(call)]
    return {"department_id": rows}


@endpoint("GET", "department/get")
def get_department(call: Call) -> Answer:
    return {"department": _describe(_find_department(call, call.integer("id")))}


@endpoint("GET", "user/simplelist")
def list_members_briefly(call: Call) -> Answer:
    members = _members_of(call)
    rows = [{"userid": m.userid, "name": m.name, "department": m.departments} for m in members]
    return {"userlist": rows}


@endpoint("GET", "user/list")
def list_members(call: Call) -> Answer:
    members, most = _members_of(call), call.world.options.members_per_list
    if most and len(members) > most:
        raise Refused(45029)
    return {"userlist": [describe_member(call.world, member) for member in members]}


@endpoint("GET", "user/get")
def get_member(call: Call) -> Answer:
    return describe_member(call.world, call.member())


def describe_member(world: World, member: Member) -> dict[str, Any]:
    """Return the fields that an app made after 2022-06-20 may see; an older one sees private ones."""
    fields: dict[str, Any] = {
        "userid": member.userid,
        "name": member.name,
        "department": member.departments,
        "order": [0] * len(member.departments),
        "position": member.position,
        "is_leader_in_dept": [int(d in member.leads) for d in member.departments],
        "direct_leader": [member.direct_leader] if member.direct_leader else [],
        "telephone": member.telephone,
        "alias": member.alias,
        "main_department": member.departments[0],
        "extattr": {"attrs": []},
        "status": int(member.status),
    }
    if member.external_position:
        fields["external_position"] = member.external_position
    fields |= {n: value for n, value in member.extra.items() if n not in PRIVATE_FIELDS}
    if world.options.shows_private_staff:
        facts = world.oauth.describe_privately(member.userid, consents=True)
        facts |= {"thumb_avatar": facts["avatar"]} | member.extra
        fields |= {name: facts[name] for name in PRIVATE_FIELDS}
    return fields


def _describe(department: Department) -> dict[str, Any]:
    return {
        "id": department.id,
        "name": department.name,
        "name_en": department.name_en,
        "department_leader": department.leaders,
        "parentid": department.parent_id,
        "order": department.order,
    }


def _tree(call: Call) -> list[Department]:
    if call.parameters.get("id") in {None, ""}:
        return list(call.world.departments.values())
    department = _find_department(call, call.integer("id"))
    return list(call.world.department_tree(department.id))


def _members_of(call: Call) -> list[Member]:
    """Return the direct members of a department; its children are walked by the caller."""
    department = _find_department(call, call.integer("department_id"))
    members = call.world.present_members()
    return [m for m in members if department.id in m.departments and call.world.sees(m)]


def _find_department(call: Call, department_id: int) -> Department:
    department = call.world.departments.get(department_id)
    if department is None:
        raise Refused(60123, str(department_id))
    return department
