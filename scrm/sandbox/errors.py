"""Refusals in the platform's own form."""

import secrets

TEXTS = {
    40001: "invalid credential",
    40003: "invalid userid",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40032: "invalid userid list length",
    40035: "invalid parameter",
    40050: "invalid chatid",
    40056: "invalid agentid",
    40058: "invalid Request Parameter",
    40063: "some parameters are empty",
    40068: "invalid tagid",
    40071: "invalid tag name",
    40072: "invalid tag name length",
    40096: "invalid external userid",
    40097: "member has not resigned",
    40098: "member is not verified",
    40099: "customers of this member out of limit",
    40100: "customer is being transferred",
    40126: "tag count out of limit",
    40128: "customer was transferred too often",
    40129: "customer is being transferred",
    40130: "handover and takeover member are the same",
    40131: "handover member does not follow this customer",
    40205: "member has not logged in for a year",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "corpsecret missing",
    41006: "media_id missing",
    41035: "missing external userid",
    41043: "missing config_id",
    41044: "invalid config_id",
    41045: "contact ways out of limit",
    41046: "missing msgid",
    41047: "invalid msgid",
    41048: "no customer to send",
    41054: "member is not activated",
    41063: "group msg is being distributed",
    41064: "too many attachments",
    41065: "invalid attachment msgtype",
    41091: "join way chat exceed limit",
    41093: "group msg already cancelled",
    41094: "remind exceed frequency limit",
    41111: "tag count out of range",
    42001: "access_token expired",
    44004: "empty content",
    45002: "content size out of limit",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    45035: "concurrent operation conflict",
    48002: "api forbidden",
    49008: "room was dissolved",
    50100: "invalid cursor",
    60011: "no privilege to access/modify contact/party/agent",
    60020: "not allow to access from your ip",
    60111: "userid not found",
    60123: "invalid party id",
    60268: "cursor does not match the request",
    81011: "no permission on this tag",
    81013: "user & party & tag all invalid",
    81017: "request count exceed limit",
    82001: "no receiver",
    84061: "not external contact",
    84074: "no customer contact permission",
    86214: "invalid chat type",
    90500: "the owner of this chat is not resigned",
    90501: "chat is not external group chat",
    90502: "the owner of this chat is resigned",
    90503: "chat is full",
    90504: "the owner of this chat does not change",
    90507: "chat is being inherited",
    90508: "chat was inherited already",
    301002: "agent does not match the token",
    301053: "chat archive is not enabled",
    301060: "too many pairs",
    301061: "unknown user",
    -1: "system error",
}


class Refused(Exception):
    """The platform answers with an errcode instead of doing what was asked."""

    def __init__(self, errcode: int, detail: str = "") -> None:
        self.errcode = errcode
        text = TEXTS.get(errcode, "error")
        super().__init__(f"{text}: {detail}" if detail else text)


def hint(errcode: int, *, at: int, ip: str) -> str:
    """Return the suffix that the platform puts behind every error text."""
    trace = f"{at}_{secrets.randbelow(90) + 10}_{secrets.token_hex(16)}"
    link = f"https://open.work.weixin.qq.com/devtool/query?e={errcode}"
    return f", hint: [{trace}], from ip: {ip}, more info at {link}"
