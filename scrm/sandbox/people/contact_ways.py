"""Customers who scan the codes of members."""

from collections.abc import Mapping
from typing import Any

from scrm.sandbox.contact_ways import ContactWay
from scrm.sandbox.duty import able, expand
from scrm.sandbox.people.acting import ActRefused, act
from scrm.sandbox.people.befriending import Befriending, Origin
from scrm.sandbox.records import Member, Person
from scrm.sandbox.temp_chats import open_temp_chat

SCANNED = 1


class ContactWayActs(Befriending):
    @act
    def scan_contact_way(
        self,
        config_id: str,
        person: str | Mapping[str, Any] | None = None,
        *,
        confirmed: bool = True,
    ) -> dict[str, str]:
        """Let a person (as in `add_customer`) scan a code; return userid and external_userid.

        The code's members are led to in turn. Without `confirmed` the member has still to agree
        (`accept_customer`). Who knows the member already only opens the chat.
        """
        way = self.world.contact_ways.ways.get(config_id)
        if way is None or way.has_expired(self.world.clock.now()):
            raise ActRefused(f"no contact way {config_id!r}, or none any more")
        someone = self.meet(person)
        member = self._choose_by_way(way, someone)
        if way.is_temp:
            self._open_temp_chat(way, member, someone)
        else:
            self._add_by_way(way, member, someone, confirmed=confirmed)
        return {"userid": member.userid, "external_userid": someone.external_userid}

    def _add_by_way(
        self, way: ContactWay, member: Member, someone: Person, *, confirmed: bool
    ) -> None:
        way.lead(someone.external_userid, member.userid)
        self.world.ledger.append(
            "contact_way.scanned",
            config_id=way.config_id,
            userid=member.userid,
            external_userid=someone.external_userid,
            state=way.state,
        )
        known = self.world.find_relation(member.userid, someone.external_userid)
        if known is None or not known.is_friendship:
            self.come_by_code(
                member,
                someone,
                Origin(way.state, SCANNED),
                skip_verify=way.skip_verify,
                confirmed=confirmed,
            )

    def _open_temp_chat(self, way: ContactWay, member: Member, someone: Person) -> None:
        if way.unionid and way.unionid != someone.unionid:
            raise ActRefused(f"{way.config_id!r} is for somebody else")
        pair = member.userid, someone.external_userid
        if self.world.contact_ways.find_temp_chat(*pair) is None:
            open_temp_chat(self.world, way, *pair)

    def _choose_by_way(self, way: ContactWay, someone: Person) -> Member:
        """Return whom the code leads to: who was led to least, or whom an exclusive one must."""
        members = expand(self.world, way.userids, way.departments)
        if way.is_exclusive:
            own = [m for m in members if self._belongs_to(way, m, someone)]
            if own:
                return own[0]
        free = able(self.world, members)
        if not free:
            raise ActRefused(f"nobody of {way.config_id!r} can add anybody")
        return min(free, key=lambda member: way.led_to[member.userid])

    def _belongs_to(self, way: ContactWay, member: Member, someone: Person) -> bool:
        """Whether the person is this member's: by friendship, or because the code said so before."""
        relation = self.world.find_relation(member.userid, someone.external_userid)
        if relation is not None and relation.is_friendship:
            return True
        was_led = way.last_led.get(someone.external_userid) == member.userid
        return was_led and bool(able(self.world, [member]))
