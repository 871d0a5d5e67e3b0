"""Finding what a rule names by id: tags, staff, departments, stages of the corp."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from customers.actions.stages import DEFAULT_STAGES
from customers.models import Stage, Tag
from customers.segments.nodes import Target
from scrm.tenancy.models import Corp, Department, Staff

Found = dict[Any, Target]


def find_targets(named: Mapping[str, set[Any]], *, corp: Corp) -> dict[str, Found]:
    """For each field and each name used, the rows that it means; one query for each field."""
    return {field: _FINDERS[field](names, corp) for field, names in named.items()}


def _find_tags(ids: set[Any], corp: Corp) -> Found:
    tags = Tag.objects.for_corp(corp).current().filter(pk__in=_storable(ids, bits=31))
    return {pk: Target((pk,), name) for pk, name in tags.values_list("pk", "name")}


def _find_staff(userids: set[Any], corp: Corp) -> Found:
    staff = Staff.objects.for_corp(corp).filter(userid__in=userids)
    rows = staff.values_list("userid", "pk", "name")
    return {userid: Target((pk,), name or userid) for userid, pk, name in rows}


def _find_departments(ids: set[Any], corp: Corp) -> Found:
    """Each with all departments below it: their staff are its staff."""
    departments = list(Department.objects.for_corp(corp).filter(deleted_at__isnull=True))
    below: dict[int, list[Department]] = defaultdict(list)
    for department in departments:
        below[department.parent_id_on_platform].append(department)
    return {
        department.department_id: Target(tuple(_subtree(department, below)), department.name)
        for department in departments
        if department.department_id in ids
    }


def _subtree(department: Department, below: Mapping[int, list[Department]]) -> Iterator[int]:
    seen = {department.pk}
    waiting = [department]
    while waiting:
        node = waiting.pop()
        yield node.pk
        children = [child for child in below.get(node.department_id, ()) if child.pk not in seen]
        seen.update(child.pk for child in children)
        waiting.extend(children)


def _find_stages(keys: set[Any], corp: Corp) -> Found:
    stages = Stage.objects.for_corp(corp).values_list("key", "pk", "name")
    found = {key: Target((pk,), name) for key, pk, name in stages}
    # A corp has the default stages from the first sync on; before it, nobody is in one of them.
    known = found or {key: Target((), name) for key, name in DEFAULT_STAGES.items()}
    return {key: target for key, target in known.items() if key in keys}


def _storable(ids: set[Any], *, bits: int) -> list[int]:
    return sorted(one for one in ids if 0 < one < 2**bits)


_FINDERS: dict[str, Callable[[set[Any], Corp], Found]] = {
    "tags": _find_tags,
    "staff": _find_staff,
    "department": _find_departments,
    "stage": _find_stages,
}
