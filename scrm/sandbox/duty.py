"""Whom a code or link leads to: the members it names and those of its departments."""

from collections.abc import Iterable

from scrm.sandbox.records import Member, MemberStatus
from scrm.sandbox.world import World


def expand(world: World, userids: Iterable[str], departments: Iterable[int]) -> list[Member]:
    """Return the present members, each once: named ones first, then those of the departments."""
    named = [member for userid in userids if (member := world.find_member(userid)) is not None]
    found = {member.userid: member for member in named}
    inside = {
        department.id
        for department_id in departments
        if department_id in world.departments
        for department in world.department_tree(department_id)
    }
    if inside:
        for member in world.present_members():
            if inside.intersection(member.departments):
                found.setdefault(member.userid, member)
    return list(found.values())


def find_unfitness(member: Member) -> int:
    """Return the errcode of what keeps a member from being named, or 0."""
    if not member.can_follow:
        return 84074
    is_ready = member.status == MemberStatus.ACTIVE and member.is_verified
    return 0 if is_ready else 41054


def able(world: World, members: Iterable[Member]) -> list[Member]:
    """Return the members who can add a customer now."""
    return [m for m in members if not find_unfitness(m) and not world.is_full(m)]
