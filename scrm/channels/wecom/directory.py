"""Departments and staff [doc 90208, 90201]."""

from collections.abc import Iterable, Iterator, Sequence

from scrm.channels.base import DepartmentRecord, StaffRecord
from scrm.channels.errors import ChannelError
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.errcodes import DETAILS_WITHHELD


class WeComDirectory:
    def __init__(self, platform: Asker) -> None:
        self._platform = platform

    def departments(self) -> Sequence[DepartmentRecord]:
        try:
            answer = self._platform.get("department/list")
        except ChannelError as error:
            if error.errcode not in DETAILS_WITHHELD:
                raise
            return [self._department(row) for row in self._department_ids()]
        return [parsing.department_of(row) for row in parsing.rows(answer, "department")]

    def staff(self, department_ids: Iterable[int]) -> Sequence[StaffRecord]:
        found: dict[str, StaffRecord] = {}
        for department_id in department_ids:
            for row in self._members_of(department_id):
                record = parsing.staff_of(row)
                # Ids are case-insensitive, and answers differ in case.
                name = record.userid.lower()
                found[name] = _merge(found.get(name), record, department_id)
        return list(found.values())

    def _department_ids(self) -> list[parsing.Json]:
        answer = self._platform.get("department/simplelist")
        return parsing.rows(answer, "department_id")

    def _department(self, row: parsing.Json) -> DepartmentRecord:
        answer = self._platform.get("department/get", {"id": row.get("id")})
        return parsing.department_of({**row, **parsing.part(answer, "department")})

    def _members_of(self, department_id: int) -> Iterator[parsing.Json]:
        params = {"department_id": department_id}
        try:
            answer = self._platform.get("user/list", params)
        except ChannelError as error:
            if error.errcode not in DETAILS_WITHHELD:
                raise
            answer = self._platform.get("user/simplelist", params)
        yield from parsing.rows(answer, "userlist")


def _merge(known: StaffRecord | None, record: StaffRecord, department_id: int) -> StaffRecord:
    before = known.department_ids if known else ()
    ids = dict.fromkeys((*before, *record.department_ids, department_id))
    return StaffRecord(
        userid=known.userid if known else record.userid,
        name=record.name,
        department_ids=tuple(ids),
        status=record.status,
        alias=record.alias,
        position=record.position,
    )
