"""What members and customers say to each other, as the chat archive hears it."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from scrm.sandbox.archived_kinds import CALL_IDS, SAMPLES, body_name, make_body
from scrm.sandbox.conversations import SaidInGroup
from scrm.sandbox.credentials import HEX
from scrm.sandbox.dice import draw_text
from scrm.sandbox.events import Event
from scrm.sandbox.interception import InterceptType
from scrm.sandbox.people.acting import Actor, ActRefused, act, undisturbed
from scrm.sandbox.records import Member

ARCHIVE_AGENT = 2_000_004


class TalkActs(Actor):
    @act
    def staff_says(
        self,
        userid: str,
        external_userid: str = "",
        text: str = "",
        *,
        room: str = "",
        kind: str = "text",
        body: Mapping[str, Any] | None = None,
    ) -> str:
        """Let a member write to a customer (or colleague), or into a group or room.

        Returns the msgid, "" if not archived. What an intercept rule stops is not said.
        """
        member = self.member(userid)
        receivers = self._receivers(member.userid, external_userid, room)
        said = self._make_body(kind, text, body)
        if self._is_stopped(member, said, room or external_userid):
            return ""
        self._note(member.userid, external_userid, room, by_customer=False)
        plain = {"from": member.userid, "tolist": receivers, "roomid": room}
        return self._archive(plain, said, is_heard=member.is_archived)

    @act
    def customer_says(
        self,
        external_userid: str,
        userid: str = "",
        text: str = "",
        *,
        room: str = "",
        kind: str = "text",
        body: Mapping[str, Any] | None = None,
    ) -> str:
        """Let a customer write to a member or into a group; return the msgid, "" if not archived."""
        person = self.person(external_userid)
        receivers = self._receivers(person.external_userid, userid, room)
        self._note(userid, external_userid, room, by_customer=True)
        agreed = self.world.archive.has_agreed(
            room or receivers[0], external_userid, default=self.world.options.archive_agreed
        )
        plain = {"from": external_userid, "tolist": receivers, "roomid": room}
        is_heard = agreed and self._is_in_scope(receivers)
        return self._archive(plain, self._make_body(kind, text, body), is_heard=is_heard)

    @act
    def recall_message(self, msgid: str) -> str:
        """Let its sender take an archived message back; the archive keeps both."""
        recalled = self.world.archive.find(msgid)
        if recalled is None or recalled.plain["action"] != "send":
            raise ActRefused(f"nothing archived as {msgid!r}")
        plain = {name: recalled.plain[name] for name in ("from", "tolist", "roomid")}
        body = {"msgtype": "revoke", "revoke": {"pre_msgid": msgid}}
        return self._archive(plain | {"action": "recall"}, body, is_heard=True)

    @act
    def replies_to_message(self, sender: str, msgid: str, text: str) -> str:
        """Let somebody quote an archived message; the archive has words only, quote and answer."""
        quoted = self.world.archive.find(msgid)
        if quoted is None or "from" not in quoted.plain:
            raise ActRefused(f"nothing archived as {msgid!r}")
        plain = quoted.plain
        said = plain.get("text", {}).get("content", f"[{quoted.kind}]")
        heard = {plain["from"], *plain["tolist"]}
        if sender not in heard:
            raise ActRefused(f"{sender!r} has not heard {msgid!r}")
        content = f"这是一条引用/回复消息：\n“{plain['from']}：\n{said}”\n------\n{text}"
        head = {"from": sender, "tolist": sorted(heard - {sender}), "roomid": plain["roomid"]}
        body = {"msgtype": "text", "text": {"content": content}}
        return self._archive(head, body, is_heard=True)

    @act
    def robot_says(self, robot_id: str, room: str, text: str) -> str:
        """Let a robot write into its room; return the msgid."""
        opened = self.world.rooms.rooms.get(room)
        if opened is None or robot_id not in self.world.rooms.robots.keys() & opened.members.keys():
            raise ActRefused(f"no robot {robot_id!r} in {room!r}")
        receivers = [member_id for member_id in opened.members if member_id != robot_id]
        plain = {"from": robot_id, "tolist": receivers, "roomid": room}
        body = {"msgtype": "text", "text": {"content": text}}
        return self._archive(plain, body, is_heard=self._is_in_scope(receivers))

    @act
    def switches_corp(self, userid: str) -> str:
        """Let a member go to another corp in the client; the archive keeps a line of another form."""
        member, at = self.member(userid), self.world.clock.now()
        if not member.is_archived or not self.world.options.archive_enabled:
            self.world.ledger.append("archive.unheard", sender=member.userid)
            return ""
        msgid = f"{self.world.next_number():020d}"
        line = {"msgid": msgid, "action": "switch", "time": int(at * 1000), "user": member.userid}
        self._keep(msgid, at, line, sender=member.userid, text="")
        return msgid

    @act
    def keep_file(self, content: str) -> dict[str, Any]:
        """Shelve a file (base64) in the archive; return the fields a message's body names it by."""
        return self.world.archive_files.keep(base64.b64decode(content))

    @act
    def agrees_to_archiving(
        self, external_userid: str, userid: str = "", *, room: str = ""
    ) -> None:
        """Let a customer agree that his chat with a member, or what he says in a group, is kept."""
        self._decide(external_userid, userid, room, agreed=True)
        if not room:
            relation = self.relation(userid, external_userid)
            code = self.issue_welcome(relation)
            self.emit_change("msg_audit_approved", relation, WelcomeCode=code)

    @act
    def disagrees_to_archiving(
        self, external_userid: str, userid: str = "", *, room: str = ""
    ) -> None:
        """Let a customer refuse; what he says from now on is not archived."""
        self._decide(external_userid, userid, room, agreed=False)

    @act
    def rotate_archive_key(self) -> int:
        """Seal what is said from now on with a new key; return its version."""
        self.world.archive.key_version += 1
        version = self.world.archive.key_version
        self.world.ledger.append("archive.key_rotated", version=version)
        return version

    @act
    def set_archived(self, userid: str, *, enabled: bool) -> None:
        """Put a member into or out of the archive's scope."""
        member = self.member(userid)
        member.is_archived = enabled
        self.world.ledger.append("staff.archived", userid=member.userid, enabled=enabled)

    def _is_stopped(self, member: Member, said: dict[str, Any], where: str) -> bool:
        """Warn the member of what he must not write, or keep him from it."""
        hits = self.world.interception.hits(self.world, member, said)
        is_stopped = any(hit.rule.type == InterceptType.STOP for hit in hits)
        for hit in hits:
            self.world.ledger.append(
                "interception.stopped" if is_stopped else "interception.warned",
                rule_id=hit.rule.rule_id,
                userid=member.userid,
                where=where,
                what=hit.what,
            )
        return is_stopped

    def _receivers(self, sender: str, receiver: str, room: str) -> list[str]:
        """Return who hears it: the other one, or everybody else in the group."""
        if room:
            members = self._members_with(sender, room)
            return [member_id for member_id in members if member_id != sender]
        colleague = self._find_colleague(sender, receiver)
        if colleague is not None:
            return [colleague.userid]
        pair = (sender, receiver) if self.world.find_member(sender) else (receiver, sender)
        relation = self.relation(*pair)
        return [relation.external_userid if pair[0] == sender else relation.userid]

    def _find_colleague(self, sender: str, receiver: str) -> Member | None:
        """Return the receiver when both are members."""
        return self.world.find_member(receiver) if self.world.find_member(sender) else None

    def _members_with(self, member_id: str, room: str) -> Iterable[str]:
        """Return who is in a group or room, which must be the one spoken in too."""
        opened = self.world.rooms.rooms.get(room)
        members: Iterable[str] = opened.members if opened else self.chat(room).members
        if member_id not in members:
            raise ActRefused(f"{member_id!r} is not in {room!r}")
        return members

    def _is_in_scope(self, receivers: list[str]) -> bool:
        members: list[Member | None] = [self.world.find_member(r) for r in receivers]
        return any(member is not None and member.is_archived for member in members)

    def _note(self, userid: str, external_userid: str, room: str, *, by_customer: bool) -> None:
        if room in self.world.chats:
            sender = external_userid if by_customer else userid
            said = SaidInGroup(self.world.clock.now(), room, sender)
            self.world.conversations.said_in_groups.append(said)
        elif not room and self._find_colleague(userid, external_userid) is None:
            self.note_said(self.relation(userid, external_userid), by_customer=by_customer)

    def _decide(self, external_userid: str, userid: str, room: str, *, agreed: bool) -> None:
        person = self.person(external_userid)
        receivers = self._receivers(person.external_userid, userid, room)
        where, at = room or receivers[0], self.world.clock.now()
        self.world.archive.agreements[where, external_userid] = agreed, at
        word = "agree" if agreed else "disagree"
        self.world.ledger.append(f"archive.{word}d", where=where, external_userid=external_userid)
        plain = {"from": external_userid, "tolist": receivers, "roomid": room}
        said = {"userid": external_userid, f"{word}_time": int(at * 1000)}
        self._archive(plain, {"msgtype": word, word: said}, is_heard=True)

    def _archive(self, plain: dict[str, Any], body: dict[str, Any], *, is_heard: bool) -> str:
        """Keep a message and tell of it; return its msgid, or nothing when nobody may keep it."""
        if not is_heard or not self.world.options.archive_enabled:
            self.world.ledger.append("archive.unheard", sender=plain["from"])
            return ""
        at = self.world.clock.now()
        # That outsiders are there shows in the id.
        suffix = "_external" if self._has_outsiders([plain["from"], *plain["tolist"]]) else ""
        msgid = f"{self.world.next_number():020d}_{int(at)}{suffix}"
        head = {"msgid": msgid, "action": "send"} | plain | {"msgtime": int(at * 1000)}
        text = body.get("text", {}).get("content", "")
        self._keep(msgid, at, head | body, sender=plain["from"], text=text)
        return msgid

    def _has_outsiders(self, ids: list[str]) -> bool:
        robots = self.world.rooms.robots
        return any(i not in robots and self.world.find_anybody(i) is None for i in ids)

    def _keep(
        self, msgid: str, at: float, plain: dict[str, Any], *, sender: str, text: str
    ) -> None:
        message = self.world.archive.append(msgid, at, plain)
        self.world.ledger.append(
            "archive.kept",
            seq=message.seq,
            msgid=msgid,
            msgtype=message.kind,
            sender=sender,
            text=text,
        )
        self._notify()

    def _notify(self) -> None:
        """Tell that there is more: at once, or as soon as the last time is long enough ago."""
        archive, now = self.world.archive, self.world.clock.now()
        spacing = self.world.options.archive_notify_seconds
        if archive.notified_at is None or now - archive.notified_at >= spacing:
            archive.notified_at = now
            self.emit(Event("msgaudit_notify", int(now), {"AgentID": ARCHIVE_AGENT}))
        elif not archive.is_notice_waiting:
            archive.is_notice_waiting = True
            self.world.clock.schedule(archive.notified_at + spacing, self._notify_late)

    @undisturbed
    def _notify_late(self) -> None:
        self.world.archive.is_notice_waiting = False
        self._notify()

    def _make_body(self, kind: str, text: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        if body is None and kind not in SAMPLES:
            raise ActRefused(f"no message of kind {kind!r}; there are {', '.join(sorted(SAMPLES))}")
        shelve = self.world.archive_files.make
        content = make_body(kind, text, shelve) if body is None else dict(body)
        fields: dict[str, Any] = {"msgtype": kind, body_name(kind): content}
        if kind in CALL_IDS:
            fields[CALL_IDS[kind]] = f"gr{draw_text(self.world.dice, 32, HEX)}"
        return fields
