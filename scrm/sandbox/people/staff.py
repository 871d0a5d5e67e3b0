"""Staff who join, move and leave, and departments that come and go."""

from collections.abc import Sequence

from scrm.sandbox.events import staff_event
from scrm.sandbox.people.acting import Actor, ActRefused, act
from scrm.sandbox.records import Department, Member, MemberStatus

DAY = 24 * 3600


class StaffActs(Actor):
    @act
    def member_joins(
        self,
        userid: str,
        name: str,
        departments: Sequence[int] = (1,),
        *,
        customer_contact: bool = True,
    ) -> str:
        if self.world.find_member(userid) is not None:
            raise ActRefused(f"{userid!r} is here already")
        member = Member(
            userid, name, self._known_departments(departments), customer_contact=customer_contact
        )
        self.world.add_member(member)
        self.world.ledger.append("staff.joined", userid=userid)
        self.emit(
            staff_event(
                "create_user", self.world.now(), UserID=userid, Department=_join(departments)
            )
        )
        return userid

    @act
    def member_moves(self, userid: str, departments: Sequence[int]) -> None:
        member = self.member(userid)
        member.departments = self._known_departments(departments)
        member.leads &= set(departments)
        self.world.ledger.append("staff.moved", userid=member.userid, departments=departments)
        self.emit(
            staff_event(
                "update_user",
                self.world.now(),
                UserID=member.userid,
                Department=_join(departments),
            )
        )

    @act
    def member_leaves(self, userid: str) -> None:
        """Remove a member; his customers and groups wait to be handed over."""
        member = self.member(userid)
        member.status, member.left_at = MemberStatus.LEFT, self.world.clock.now()
        member.left_number = self.world.next_number()
        for department in self.world.departments.values():
            department.leaders = [u for u in department.leaders if u != member.userid]
        for chat in self.world.chats_of(member.userid):
            chat.status = 1
        self.world.ledger.append("staff.left", userid=member.userid)
        self.emit(staff_event("delete_user", self.world.now(), UserID=member.userid))
        self.tell_changed(member)

    @act
    def set_customer_contact(self, userid: str, *, enabled: bool) -> None:
        """Put a member into or out of the customer-contact usage range; no event tells of it."""
        member = self.member(userid)
        member.customer_contact = enabled
        self.world.ledger.append("staff.contact_range", userid=member.userid, enabled=enabled)
        self.tell_changed(member)

    @act
    def set_capacity(self, userid: str, capacity: int | None) -> None:
        """Limit how many customers a member may have; None lifts the limit."""
        member = self.member(userid)
        member.capacity = capacity
        self.world.ledger.append("staff.capacity", userid=member.userid, capacity=capacity)
        self.tell_changed(member)

    @act
    def set_verified(self, userid: str, *, verified: bool) -> None:
        """Say whether a member has shown his real name; who has not takes nobody over."""
        member = self.member(userid)
        member.is_verified = verified
        self.world.ledger.append("staff.verified", userid=member.userid, verified=verified)
        self.tell_changed(member)

    @act
    def set_last_login(self, userid: str, days_ago: float) -> None:
        """Say when a member (or one who has left) last used the client."""
        member = self.world.find_anybody(userid)
        if member is None:
            raise ActRefused(f"no member {userid!r}")
        member.last_login_at = self.world.clock.now() - days_ago * DAY
        self.world.ledger.append("staff.last_login", userid=member.userid, days_ago=days_ago)

    @act
    def department_create(self, name: str, parent_id: int = 1) -> int:
        self._known_departments([parent_id])
        department_id = max(self.world.departments) + 1
        self.world.add_department(Department(department_id, name, parent_id, order=0))
        self.world.ledger.append("staff.department_created", id=department_id, name=name)
        self.emit(
            staff_event("create_party", self.world.now(), Id=department_id, ParentId=str(parent_id))
        )
        return department_id

    @act
    def department_delete(self, department_id: int) -> None:
        """Delete a department without children and members."""
        self._known_departments([department_id])
        is_used = any(department_id in m.departments for m in self.world.present_members())
        if is_used or self.world.children(department_id):
            raise ActRefused(f"department {department_id} is not empty")
        del self.world.departments[department_id]
        self.world.ledger.append("staff.department_deleted", id=department_id)
        self.emit(staff_event("delete_party", self.world.now(), Id=department_id))

    def _known_departments(self, departments: Sequence[int]) -> list[int]:
        unknown = [d for d in departments if d not in self.world.departments]
        if unknown or not departments:
            raise ActRefused(f"no department {unknown}")
        return list(departments)


def _join(departments: Sequence[int]) -> str:
    return ",".join(map(str, departments))
