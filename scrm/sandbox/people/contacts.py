"""Members and customers making, changing and ending relations."""

from collections.abc import Mapping, Sequence
from typing import Any

from scrm.sandbox.people.acting import ActRefused, act
from scrm.sandbox.people.befriending import Befriending, Origin


class ContactActs(Befriending):
    @act
    def add_customer(
        self,
        userid: str,
        person: str | Mapping[str, Any] | None = None,
        *,
        state: str = "",
        add_way: int = 1,
        half: bool = False,
    ) -> str:
        """Make `person` (an external_userid, facts of a new one, or anybody) a customer.

        With `half` the member has still to confirm (`accept_customer`). Returns the id.
        """
        member = self.follower(userid)
        someone = self.meet(person)
        relation = self.relate(member, someone, Origin(state, add_way), half=half)
        if half:
            self.announce_half(relation)
        else:
            self.announce(relation)
        return someone.external_userid

    @act
    def accept_customer(self, userid: str, external_userid: str) -> None:
        """Let the member confirm a half-added customer, or one who only asked."""
        relation = self.relation(userid, external_userid)
        if not relation.is_half:
            raise ActRefused(f"{external_userid!r} is not waiting for {userid!r}")
        self.confirm_relation(relation)

    @act
    def customer_deletes(self, external_userid: str, userid: str) -> None:
        """Let the customer delete the member; the member still sees the customer."""
        relation = self.relation(userid, external_userid)
        if relation.deleted_by_customer_at is not None:
            raise ActRefused(f"{external_userid!r} has deleted {userid!r} already")
        relation.deleted_by_customer_at = self.world.clock.now()
        self.note_contact("deleted_by_customer", relation)
        self.emit_change("del_follow_user", relation)

    @act
    def member_deletes(self, userid: str, external_userid: str) -> None:
        """Let the member delete the customer."""
        relation = self.relation(userid, external_userid)
        relation.deleted_by_member_at = self.world.clock.now()
        self.note_contact("deleted_by_member", relation)
        self.emit_change("del_external_contact", relation)

    @act
    def retag_in_client(
        self,
        userid: str,
        external_userid: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> None:
        """Let the member change the customer's corp tags (given by id)."""
        relation = self.relation(userid, external_userid)
        unknown = [tag_id for tag_id in add if not self.world.tags.can_carry(tag_id)]
        if unknown:
            raise ActRefused(f"no tag {unknown[0]!r}")
        relation.tag_ids = (relation.tag_ids - set(remove)) | set(add)
        self.note_contact("retagged", relation, add=list(add), remove=list(remove))
        self.emit_change("edit_external_contact", relation)

    @act
    def remark_in_client(self, userid: str, external_userid: str, remark: str) -> None:
        """Let the member change how he calls the customer."""
        relation = self.relation(userid, external_userid)
        relation.remark = remark
        self.note_contact("remarked", relation, remark=remark)
        self.emit_change("edit_external_contact", relation)

    @act
    def rename_customer(self, external_userid: str, name: str) -> None:
        """Let a customer change his nickname, of which no event tells."""
        person = self.person(external_userid)
        person.name = name
        self.world.ledger.append("contact.renamed", external_userid=external_userid, name=name)

    @act
    def talk(self, userid: str, external_userid: str) -> None:
        """Let the two chat, which makes the member the one who is asked next; no event."""
        relation = self.relation(userid, external_userid)
        for by_customer in (True, False):
            self.note_said(relation, by_customer=by_customer)
        self.note_contact("talked", relation)
