"""How two become friends: asked for, half done, done."""

from dataclasses import dataclass

from scrm.sandbox.people.acting import Actor, ActRefused
from scrm.sandbox.records import Member, Person, Relation


@dataclass(frozen=True)
class Origin:
    """Where a customer comes from."""

    state: str = ""
    add_way: int = 1


class Befriending(Actor):
    def relate(
        self,
        member: Member,
        person: Person,
        origin: Origin,
        *,
        half: bool = False,
        requested: bool = False,
    ) -> Relation:
        """Record that the customer adds the member, without telling anybody."""
        known = self.world.find_relation(member.userid, person.external_userid)
        if known is not None and known.is_friendship:
            raise ActRefused(
                f"{person.external_userid!r} is a customer of {member.userid!r} already"
            )
        return self.world.add_relation(
            Relation(
                userid=member.userid,
                external_userid=person.external_userid,
                number=self.world.next_number(),
                createtime=self.world.now(),
                state=origin.state,
                add_way=origin.add_way,
                oper_userid=person.external_userid,
                last_chat_at=self.world.clock.now(),
                is_half=half or requested,
                is_requested=requested,
            )
        )

    def come_by_code(
        self,
        member: Member,
        person: Person,
        origin: Origin,
        *,
        skip_verify: bool,
        confirmed: bool,
    ) -> Relation:
        """Let a person add a member by a code or link; `confirmed` is that the member agrees at once."""
        if not skip_verify and not confirmed:
            relation = self.relate(member, person, origin, requested=True)
            self.note_contact("requested", relation, state=origin.state)
            return relation
        half = skip_verify and (self.world.options.skip_verify_halves or not confirmed)
        relation = self.relate(member, person, origin, half=half)
        if not half:
            self.announce(relation)
            return relation
        self.announce_half(relation)
        if confirmed:
            self.confirm_relation(relation)
        return relation

    def confirm_relation(self, relation: Relation) -> None:
        """Let the member agree to what was half done, or only asked for."""
        was_requested = relation.is_requested
        relation.is_half = relation.is_requested = False
        if was_requested:
            self.announce(relation)
        else:
            self._tell_of_friend("added", "add_external_contact", relation)

    def announce(self, relation: Relation) -> None:
        """Tell of a friendship that nobody was told of before."""
        self._tell_of_friend("added", "add_external_contact", relation)
        self._settle_friend(relation)

    def announce_half(self, relation: Relation) -> None:
        """Tell of a friendship that the member has still to confirm."""
        self._tell_of_friend("half_added", "add_half_external_contact", relation)
        self._settle_friend(relation)

    def _tell_of_friend(self, what: str, change: str, relation: Relation) -> None:
        self.note_contact(what, relation, state=relation.state)
        code = self.issue_welcome(relation)
        self.emit_change(change, relation, State=relation.state, WelcomeCode=code)

    def _settle_friend(self, relation: Relation) -> None:
        for settle in self.world.on_befriended:
            settle(relation)
