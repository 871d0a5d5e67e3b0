"""Taking a callback in, beside a bare view: verify, decrypt, one INSERT."""

import itertools
import time
from typing import Any

from benchmarks.harness import Case, execute, run

EVENT = (
    "<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>1700000000</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[change_external_contact]]></Event>"
    "<ChangeType><![CDATA[edit_external_contact]]></ChangeType>"
    "<UserID><![CDATA[alice]]></UserID>"
    "<ExternalUserID><![CDATA[wm{number}]]></ExternalUserID></xml>"
)
# So many callbacks a round; `--customers` says how many customers they are about.
CALLBACKS = 500


def prepare(customers: int) -> Case:
    from django.test import RequestFactory
    from django.utils import timezone
    from wechatpy.work.crypto import WeChatCrypto

    from scrm.channels.views import receive_callback
    from scrm.tenancy.models import Corp

    key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
    corp, _ = Corp.objects.get_or_create(
        corp_id="benchmark-callbacks",
        defaults={
            "name": "Callbacks",
            "base_url": "http://127.0.0.1:9/cgi-bin/",
            "secret": "none",
            "callback_token": "token",
            "callback_aes_key": key,
            "created_at": timezone.now(),
        },
    )
    crypto = WeChatCrypto("token", key, corp.corp_id)
    numbers = itertools.count(time.time_ns())

    def sealed() -> tuple[bytes, dict[str, str]]:
        inner = EVENT.format(corp=corp.corp_id, number=next(numbers) % customers)
        reply = crypto.encrypt_message(inner + f"<!--{next(numbers)}-->", "nonce", "1700000000")
        return _opened(reply)

    posts = [sealed() for _ in range(CALLBACKS)]
    factory = RequestFactory()

    def reset() -> None:
        execute("DELETE FROM channels_inboundevent WHERE corp_id = %s", [corp.pk])

    def ours() -> None:
        for body, query in posts:
            request = factory.post("/", body, content_type="text/xml", QUERY_STRING=_line(query))
            assert receive_callback(request, corp.corp_id).status_code == 200

    def limit() -> None:
        bare = WeChatCrypto("token", key, corp.corp_id)
        for body, query in posts:
            request = factory.post("/", body, content_type="text/xml", QUERY_STRING=_line(query))
            inner = bare.decrypt_message(
                request.body, query["msg_signature"], query["timestamp"], query["nonce"]
            )
            execute(_BARE, [corp.pk, inner.encode(), inner])

    return Case(limit, ours, reset=reset)


_BARE = """
    INSERT INTO channels_inboundevent (corp_id, digest, event, change_type, order_key, body, status,
        attempts, error, received_at, next_attempt_at)
    VALUES (%s, sha256(%s), '', '', '', %s, 'received', 0, '', now(), now())
    ON CONFLICT DO NOTHING"""


def _opened(reply: Any) -> tuple[bytes, dict[str, str]]:
    import xmltodict

    sealed = xmltodict.parse(reply)["xml"]
    body = f"<xml><Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>".encode()
    query = {
        "msg_signature": sealed["MsgSignature"],
        "timestamp": sealed["TimeStamp"],
        "nonce": sealed["Nonce"],
    }
    return body, query


def _line(query: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in query.items())


def ratios(limit: float, ours: float, _peer: float | None) -> dict[str, float]:
    return {"of_limit": limit / ours, "ours_ms_each": 1000 * ours / CALLBACKS}


if __name__ == "__main__":
    run("callbacks", prepare, ratios)
