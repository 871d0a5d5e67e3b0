"""Departments and staff, as far as the app may see them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class DepartmentRecord:
    department_id: int
    name: str
    parent_id: int
    order: int


@dataclass(frozen=True)
class StaffRecord:
    userid: str
    name: str
    department_ids: tuple[int, ...]
    status: int  # 1 active, 2 disabled, 4 not activated, 5 left [doc 90196]
    alias: str = ""
    position: str = ""


class Directory(Protocol):
    def departments(self) -> Sequence[DepartmentRecord]: ...
    def staff(self, department_ids: Iterable[int]) -> Sequence[StaffRecord]:
        """Everybody in the departments, once, with all departments they were found in."""
