"""What members and customers say to each other, as the chat archive hears it."""

from collections.abc import Mapping
from typing import Any

from scrm.sandbox.archived_kinds import SAMPLES, body_name, make_body
from scrm.sandbox.events import Event
from scrm.sandbox.people.acting import Actor, ActRefused, act, undisturbed
from scrm.sandbox.records import Chat, Member

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
        """Let a member write to a customer or into a group; return the msgid, "" if not archived."""
        member = self.member(userid)
        receivers = self._receivers(member.userid, external_userid, room)
        self._note(member.userid, external_userid, room)
        plain = {"from": member.userid, "tolist": receivers, "roomid": room}
        return self._archive(plain, _make_body(kind, text, body), is_heard=member.is_archived)

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
        self._note(userid, external_userid, room)
        agreed = self.world.archive.has_agreed(
            room or receivers[0], external_userid, default=self.world.options.archive_agreed
        )
        plain = {"from": external_userid, "tolist": receivers, "roomid": room}
        is_heard = agreed and self._is_in_scope(receivers)
        return self._archive(plain, _make_body(kind, text, body), is_heard=is_heard)

    @act
    def recall_message(self, msgid: str) -> str:
        """Let its sender take an archived message back; the archive keeps both."""
        recalled = self.world.archive.find(msgid)
        if recalled is None:
            raise ActRefused(f"nothing archived as {msgid!r}")
        plain = {name: recalled.plain[name] for name in ("from", "tolist", "roomid")}
        body = {"msgtype": "revoke", "revoke": {"pre_msgid": msgid}}
        return self._archive(plain | {"action": "recall"}, body, is_heard=True)

    @act
    def agrees_to_archiving(
        self, external_userid: str, userid: str = "", *, room: str = ""
    ) -> None:
        """Let a customer agree that his chat with a member, or what he says in a group, is kept."""
        self._decide(external_userid, userid, room, agreed=True)
        if not room:
            relation = self.relation(userid, external_userid)
            code = self.mint_welcome(self.person(external_userid))
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

    def _receivers(self, sender: str, receiver: str, room: str) -> list[str]:
        """Return who hears it: the other one, or everybody else in the group."""
        if room:
            chat = self._chat_with(sender, room)
            return [member_id for member_id in chat.members if member_id != sender]
        pair = (sender, receiver) if self.world.find_member(sender) else (receiver, sender)
        relation = self.relation(*pair)
        return [relation.external_userid if pair[0] == sender else relation.userid]

    def _chat_with(self, member_id: str, room: str) -> Chat:
        chat = self.chat(room)
        if member_id not in chat.members:
            raise ActRefused(f"{member_id!r} is not in {room!r}")
        return chat

    def _is_in_scope(self, receivers: list[str]) -> bool:
        members: list[Member | None] = [self.world.find_member(r) for r in receivers]
        return any(member is not None and member.is_archived for member in members)

    def _note(self, userid: str, external_userid: str, room: str) -> None:
        if not room:
            relation = self.relation(userid, external_userid)
            relation.last_chat_at = self.world.clock.now()

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
        # Chats with customers are with outsiders, which the id tells.
        msgid = f"{self.world.next_number():020d}_{int(at)}_external"
        head = {"msgid": msgid, "action": "send"} | plain | {"msgtime": int(at * 1000)}
        message = self.world.archive.append(msgid, at, head | body)
        self.world.ledger.append(
            "archive.kept",
            seq=message.seq,
            msgid=msgid,
            msgtype=message.kind,
            sender=plain["from"],
            text=body.get("text", {}).get("content", ""),
        )
        self._notify()
        return msgid

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


def _make_body(kind: str, text: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    if body is None and kind not in SAMPLES:
        raise ActRefused(f"no message of kind {kind!r}; there are {', '.join(sorted(SAMPLES))}")
    content = make_body(kind, text) if body is None else dict(body)
    return {"msgtype": kind, body_name(kind): content}
