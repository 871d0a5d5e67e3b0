"""What a person may see."""

from collections import defaultdict
from collections.abc import Iterable

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

from scrm.tenancy.models import CorpAccess, Department, Scope


def scope_of(user: AbstractBaseUser | AnonymousUser) -> Scope:
    """Superusers see everything; others the corps, or departments with all below, given them."""
    if isinstance(user, User) and user.is_superuser:
        return Scope(everything=True)
    accesses = CorpAccess.objects.filter(user=user.pk).prefetch_related("departments")
    corps: set[int] = set()
    departments: set[int] = set()
    for access in accesses:
        limited_to = list(access.departments.all())
        if limited_to:
            departments |= with_all_below(limited_to)
        else:
            corps.add(access.corp_id)
    return Scope(corp_ids=frozenset(corps), department_ids=frozenset(departments))


def with_all_below(departments: Iterable[Department]) -> set[int]:
    """The ids of the departments and of every department below them, in memory: trees are small."""
    found: set[int] = set()
    for department in departments:
        children: dict[int, list[Department]] = defaultdict(list)
        for other in Department.objects.for_corp(department.corp).filter(deleted_at__isnull=True):
            children[other.parent_id_on_platform].append(other)
        waiting = [department]
        while waiting:
            node = waiting.pop()
            if node.pk not in found:
                found.add(node.pk)
                waiting.extend(children[node.department_id])
    return found
