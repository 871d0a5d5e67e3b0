"""A sandbox out of the documented answers, and requests that find there what they name."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.endpoints import ENDPOINTS
from scrm.sandbox.files import Download
from scrm.sandbox.gate import Request
from scrm.sandbox.media import Medium
from scrm.sandbox.options import Options
from scrm.sandbox.recorded import load_recorded
from scrm.sandbox.records import CorpTag, CorpTagGroup, Department, Relation
from scrm.sandbox.server import SandboxServer
from scrm.sandbox.tokens import ARCHIVE, CONTACT_SYNC
from tests.conformance.documented import FOLDER
from tests.factories import NOW

WECHAT_CUSTOMER = "wmqfasd1e1927831123109rBAAAA"
WECOM_CUSTOMER = "woAJ2GCAAAXtWyujaWJHDDGi0mACHAAA"
STAFF = ("zhangsan", "lisi", "wangwu", "tom", "abel", "zhangshan", "zhangyisheng", "XuJinSheng")
# The last day of which the platform has statistics.
YESTERDAY = NOW.astimezone(ZoneInfo("Asia/Shanghai")).replace(hour=0) - timedelta(days=1)


class Stage:
    """The documented corp, with everybody whom the requests name as well."""

    def __init__(self) -> None:
        # Old enough for what the payloads tell to lie in its past.
        clock = VirtualClock(start=NOW.timestamp())
        options = Options(callback_retry_spacing=0, is_delegated_app=True)
        self.world = load_recorded(FOLDER, clock=clock, options=options)
        self.server = SandboxServer(self.world)
        self.people = self.server.people
        for department_id in (2, 3, 1001):
            if department_id not in self.world.departments:
                self.world.add_department(Department(department_id, str(department_id), 1, 0))
        for userid in STAFF:
            if self.world.find_member(userid) is None:
                self.people.member_joins(userid, userid, [1, 2])
            self.people.set_customer_contact(userid, enabled=True)
        for userid in ("zhangsan", "zhangyisheng"):
            for external_userid in (WECHAT_CUSTOMER, WECOM_CUSTOMER):
                self.befriend(userid, external_userid)

    def befriend(self, userid: str, external_userid: str) -> None:
        if self.world.find_relation(userid, external_userid) is None:
            number, now = self.world.next_number(), self.world.now()
            self.world.add_relation(Relation(userid, external_userid, number, now - 86_400))

    def add_corp_tag(self, tag_id: str) -> None:
        tag = self.world.tags.tags.get(tag_id)
        if tag is None:
            group = CorpTagGroup(f"g{tag_id}"[:32], f"Group of {tag_id}", self.world.now())
            self.world.tags.add_group(group)
            tag = CorpTag(tag_id, tag_id, group.id, self.world.now())
            self.world.tags.add_tag(tag)
        tag.is_deleted = False

    def add_medium(self, media_id: str, kind: str, content: bytes = b"bytes") -> None:
        medium = Medium(media_id, kind, media_id, content, self.world.clock.now())
        self.world.media.add(medium, days=3)

    def ask(self, method: str, path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request through the platform's door and return its answer."""
        query = {"access_token": self._token(path)}
        body = b""
        if method == "GET":
            query |= {name: str(value) for name, value in parameters.items()}
        else:
            body = json.dumps(parameters).encode()
        if path not in ENDPOINTS:
            return {"errcode": 404, "errmsg": f"invalid url: {path}"}
        answer = self.server.gate.answer(Request(method, path, query, body, "127.0.0.1"))
        assert not isinstance(answer, Download)
        return answer

    def upload(
        self, path: str, query: Mapping[str, Any], content: bytes, filename: str = "a.png"
    ) -> dict[str, Any]:
        """Send a file as multipart through the platform's door."""
        head = f'--b\r\nContent-Disposition: form-data; name="media"; filename="{filename}"\r\n\r\n'
        body = head.encode() + content + b"\r\n--b--\r\n"
        told = {"access_token": self._token(path)} | {n: str(value) for n, value in query.items()}
        kind = "multipart/form-data; boundary=b"
        answer = self.server.gate.answer(Request("POST", path, told, body, "127.0.0.1", kind))
        assert not isinstance(answer, Download)
        return answer

    def ok(self, path: str, method: str = "POST", /, **parameters: Any) -> dict[str, Any]:
        answer = self.ask(method, path, parameters)
        assert answer["errcode"] == 0, (path, answer)
        return answer

    def stop_next(self, wait: Callable[[float], None]) -> None:
        """Let the next request wait inside of the gate, as long as `wait` does."""
        faults, take = self.server.faults, self.server.faults.take
        waiting = [wait]

        def stop(kind: str, path: str) -> float | str | None:
            if kind == "delay" and waiting:
                waiting.pop()(0)
            return take(kind, path)

        faults.take = stop  # type: ignore[method-assign]

    def close(self) -> None:
        self.server.stop()

    def _token(self, path: str) -> str:
        credentials = self.world.credentials
        secrets = {
            ARCHIVE: credentials.archive_secret,
            CONTACT_SYNC: credentials.contact_sync_secret,
        }
        audience = ENDPOINTS[path].audience if path in ENDPOINTS else ""
        secret = secrets.get(audience, credentials.secret)
        return self.server.gate._tokens.issue(credentials.corp_id, secret)[0]


def fitted(body: Any, ids: Mapping[Any, Any]) -> Any:
    """A documented body with the world's own ids, and its spans of time ending yesterday."""
    if isinstance(body, dict):
        return {name: fitted(value, ids) for name, value in _moved(body).items()}
    if isinstance(body, list):
        return [fitted(value, ids) for value in body]
    return ids.get(body, body)


def _moved(body: dict[str, Any]) -> dict[str, Any]:
    ends = [body[name] for name in ("end_time", "day_end_time") if name in body]
    if not ends:
        return body
    shift = int(YESTERDAY.timestamp()) - ends[0]
    names = {"start_time", "end_time", "day_begin_time", "day_end_time"}
    return {name: value + shift if name in names else value for name, value in body.items()}
