"""Customers who write to customer service, and servicers who answer in their client."""

from collections.abc import Mapping
from typing import Any

from scrm.sandbox.events import Event
from scrm.sandbox.people.acting import Actor, ActRefused, act
from scrm.sandbox.service import Origin, ServiceMessage, Session, SessionState
from scrm.sandbox.service_kinds import SAMPLES

# What a move of a session is called in its event; some moves are told to nobody.
TAKEN, PASSED_ON, ENDED, TAKEN_AGAIN = 1, 2, 3, 4


class ServiceActs(Actor):
    @act
    def service_account_opens(self, name: str) -> str:
        """Open a customer-service account in the console; return its open_kfid."""
        account = self.world.service.open_account(name)
        self.world.ledger.append("service.opened", open_kfid=account.open_kfid, name=name)
        return account.open_kfid

    @act
    def customer_enters_service(
        self,
        open_kfid: str,
        person: str | Mapping[str, Any] | None = None,
        *,
        scene: str = "",
        scene_param: str = "",
    ) -> dict[str, str]:
        """Let a person (as in `add_customer`) open the chat with an account.

        Returns external_userid and the welcome_code, which is empty for whoever was greeted or
        answered in the last 48 hours.
        """
        session = self._service_session(open_kfid, self.meet(person).external_userid)
        code = self.world.service.mint_welcome_code(session)
        welcome = {"welcome_code": code} if code else {}
        self._tell_service(
            session, "enter_session", {"scene": scene, "scene_param": scene_param} | welcome
        )
        return {"external_userid": session.external_userid, "welcome_code": code}

    @act
    def customer_writes_to_service(
        self,
        external_userid: str,
        open_kfid: str,
        text: str = "",
        *,
        kind: str = "text",
        body: Mapping[str, Any] | None = None,
    ) -> str:
        """Let a person write to an account, which may then answer him; return the msgid."""
        session = self._service_session(open_kfid, self.person(external_userid).external_userid)
        session.written_at, session.answers = self.world.clock.now(), 0
        return self._say_in_service(session, Origin.CUSTOMER, _make_fields(kind, text, body))

    @act
    def servicer_writes(self, userid: str, external_userid: str, open_kfid: str, text: str) -> str:
        """Let the member who has taken a session write in his client; return the msgid."""
        session = self._known_session(open_kfid, external_userid)
        if session.state != SessionState.SERVICER or session.servicer != self.member(userid).userid:
            raise ActRefused(f"{userid!r} has not taken this session")
        fields = _make_fields("text", text, None) | {"servicer_userid": session.servicer}
        return self._say_in_service(session, Origin.SERVICER, fields)

    @act
    def service_session_moves(
        self, external_userid: str, open_kfid: str, state: int, servicer: str = ""
    ) -> str:
        """Bring a session to another state (0 to 4); return the code to say something about it."""
        session = self._known_session(open_kfid, external_userid)
        former, former_servicer = session.state, session.servicer
        session.state = SessionState(state)
        is_taken = session.state == SessionState.SERVICER
        session.servicer = self.member(servicer).userid if is_taken else ""
        code = self.world.service.mint_state_code(session)
        change = _name_change(former, session.state)
        if change is not None:
            more = {"old_servicer_userid": former_servicer} if former_servicer else {}
            more |= {"new_servicer_userid": session.servicer} if session.servicer else {}
            more |= {"msg_code": code} if code and change in {TAKEN, ENDED} else {}
            self._tell_service(session, "session_status_change", {"change_type": change} | more)
        return code

    @act
    def servicer_changes_status(self, userid: str, open_kfid: str, *, accepts: bool) -> None:
        """Let a servicer begin or stop to take sessions."""
        session = Session(self._service_account(open_kfid), "")
        status = {"servicer_userid": self.member(userid).userid, "status": 1 if accepts else 2}
        self._tell_service(session, "servicer_status_change", status)

    @act
    def service_message_fails(self, msgid: str, fail_type: int = 0) -> None:
        """Let a message of the API not reach its customer after all (0 = for unknown reasons)."""
        message = self._sent(msgid, Origin.API)
        session = self._known_session(message.open_kfid, message.external_userid)
        fields = {"fail_msgid": msgid, "fail_type": fail_type}
        self._tell_service(session, "msg_send_fail", fields)

    @act
    def customer_recalls_service_message(self, msgid: str) -> None:
        """Let a customer take back what he wrote."""
        message = self._sent(msgid, Origin.CUSTOMER)
        session = self._known_session(message.open_kfid, message.external_userid)
        self._tell_service(session, "user_recall_msg", {"recall_msgid": msgid})

    @act
    def customer_rejects_service(
        self, external_userid: str, open_kfid: str, *, rejects: bool
    ) -> None:
        """Let a customer refuse (or take again) messages of an account."""
        session = self._known_session(open_kfid, external_userid)
        fields = {"reject_switch": int(rejects)}
        self._tell_service(session, "reject_customer_msg_switch_change", fields)

    def _service_account(self, open_kfid: str) -> str:
        if open_kfid not in self.world.service.accounts:
            raise ActRefused(f"no customer-service account {open_kfid!r}")
        return open_kfid

    def _service_session(self, open_kfid: str, external_userid: str) -> Session:
        return self.world.service.open_session(self._service_account(open_kfid), external_userid)

    def _known_session(self, open_kfid: str, external_userid: str) -> Session:
        session = self.world.service.find_session(open_kfid, external_userid)
        if session is None:
            raise ActRefused(f"{external_userid!r} has no session with {open_kfid!r}")
        return session

    def _sent(self, msgid: str, origin: Origin) -> ServiceMessage:
        message = self.world.service.messages.get(msgid)
        if message is None or message.origin != origin:
            raise ActRefused(f"no message {msgid!r} of the kind")
        return message

    def _tell_service(self, session: Session, event_type: str, fields: Mapping[str, Any]) -> None:
        about = {"event_type": event_type, "open_kfid": session.open_kfid}
        if session.external_userid:
            about["external_userid"] = session.external_userid
        event = about | dict(fields)
        self._say_in_service(session, Origin.SYSTEM, {"msgtype": "event", "event": event})

    def _say_in_service(self, session: Session, origin: Origin, fields: dict[str, Any]) -> str:
        desk, now = self.world.service, self.world.clock.now()
        message = desk.add(
            ServiceMessage(
                desk.mint_msgid(),
                now,
                origin,
                session.open_kfid,
                session.external_userid,
                fields,
            )
        )
        self.world.ledger.append(
            "service.said",
            msgid=message.msgid,
            open_kfid=session.open_kfid,
            external_userid=session.external_userid,
            origin=int(origin),
            msgtype=fields["msgtype"],
        )
        token = desk.mint_token(session.open_kfid)
        names: dict[str, str | int | list[str]] = {"Token": token, "OpenKfId": session.open_kfid}
        without = frozenset({"FromUserName"})
        self.emit(Event("kf_msg_or_event", int(now), names, without=without))
        return message.msgid


def _make_fields(kind: str, text: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    if kind not in SAMPLES:
        raise ActRefused(f"no message of kind {kind!r}; there are {', '.join(sorted(SAMPLES))}")
    return {"msgtype": kind, kind: SAMPLES[kind](text) if body is None else dict(body)}


def _name_change(former: SessionState, state: SessionState) -> int | None:
    if state == SessionState.ENDED:
        return ENDED
    if state != SessionState.SERVICER:
        return None
    if former == SessionState.ENDED:
        return TAKEN_AGAIN
    return PASSED_ON if former == SessionState.SERVICER else TAKEN
