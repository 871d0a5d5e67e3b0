"""What messages of each kind look like in the archive, for people who say nothing particular."""

import json
from collections.abc import Callable
from typing import Any

FILE_ID = "CtYBMzA2OTAyMDEwMjA0NjIzMDYwMjAxMDAwMjA0YjdmZTQwNmUwMjAzMGY1OWIx"

# kind → the field that holds its body, where that is not called like the kind
BODY_NAMES = {
    "docmsg": "doc",
    "external_redpacket": "redpacket",
    "markdown": "info",
    "meeting_notification": "info",
    "news": "info",
    "note": "info",
    "qydiskfile": "info",
    "solitaire": "info",
    "voiptext": "info",
}


def _file(**more: Any) -> dict[str, Any]:
    return {"md5sum": "9e107d9d372bb6826bd81d3542a419d6", "sdkfileid": FILE_ID} | more


def _red_packet(text: str) -> dict[str, Any]:
    return {"type": 1, "wish": text or "恭喜发财", "totalcnt": 1, "totalamount": 888}


# kind → a body in which `text` takes the place of its most telling words
SAMPLES: dict[str, Callable[[str], dict[str, Any]]] = {
    "text": lambda text: {"content": text},
    "image": lambda text: _file(filesize=70_961),
    "voice": lambda text: _file(voice_size=2_048, play_length=7),
    "video": lambda text: _file(filesize=1_048_576, play_length=12),
    "file": lambda text: _file(filename=text or "资料.pdf", fileext="pdf", filesize=18_181),
    "emotion": lambda text: _file(type=1, width=240, height=240, imagesize=12_288),
    "card": lambda text: {"corpname": "微信联系人", "userid": text or "wmCARD"},
    "location": lambda text: {
        "longitude": 121.4737,
        "latitude": 31.2304,
        "address": "上海市黄浦区",
        "title": text or "门店",
        "zoom": 15,
    },
    "link": lambda text: {
        "title": text or "育儿手册",
        "description": "点击查看",
        "link_url": "https://example.com/guide",
        "image_url": "https://example.com/guide.png",
    },
    "weapp": lambda text: {
        "title": text or "会员中心",
        "description": "",
        "username": "gh_sample@app",
        "displayname": "会员中心",
        "appid": "wx0000000000000000",
        "pagepath": "pages/index",
    },
    "chatrecord": lambda text: {
        "title": "聊天记录",
        "item": [
            {
                "type": "ChatRecordText",
                "msgtime": 1_780_000_000,
                "content": _content(text or "昨天说的那件事"),
                "from_chatroom": False,
            }
        ],
    },
    "mixed": lambda text: {
        "item": [
            {"type": "text", "content": _content(text or "看这张图")},
            {"type": "image", "content": _dump(_file(filesize=13_177))},
        ]
    },
    "todo": lambda text: {"title": "待办", "content": text or "回访客户"},
    "vote": lambda text: {
        "votetitle": text or "聚会时间",
        "voteitem": ["周五", "周六"],
        "votetype": 101,
        "voteid": "vote1",
    },
    "collect": lambda text: {
        "room_name": "宝妈群",
        "creator": "顾问",
        "create_time": "2026-04-01 10:00:00",
        "title": text or "登记表",
        "details": [{"id": 1, "ques": "预产期", "type": "Text"}],
    },
    "redpacket": _red_packet,
    "external_redpacket": _red_packet,
    "meeting": lambda text: {
        "topic": text or "线上课堂",
        "starttime": 1_780_000_000,
        "endtime": 1_780_003_600,
        "address": "",
        "remarks": "",
        "meetingid": 1,
    },
    "docmsg": lambda text: {
        "title": text or "喂养记录",
        "doc_creator": "顾问",
        "link_url": "https://example.com/doc",
    },
    "markdown": lambda text: {"content": text or "**提醒**"},
    "news": lambda text: {
        "item": [
            {
                "title": text or "新品",
                "description": "",
                "url": "https://example.com/news",
                "picurl": "https://example.com/news.png",
            }
        ]
    },
    "calendar": lambda text: {
        "title": text or "产检",
        "creatorname": "顾问",
        "attendeename": ["客户"],
        "starttime": 1_780_000_000,
        "endtime": 1_780_003_600,
        "place": "",
        "remarks": "",
    },
    "sphfeed": lambda text: {"feed_type": 4, "sph_name": "品牌号", "feed_desc": text or "直播回放"},
    "voiptext": lambda text: {"callduration": 10, "invitetype": 1},
    "qydiskfile": lambda text: {"filename": text or "价目表.xlsx", "url": "https://example.com/d"},
    "solitaire": lambda text: {"solitaire_type": 101, "solitaire_content": text or "1. 报名"},
    "note": lambda text: {
        "items": [{"msg_type": "text", "content": _content(text or "笔记")}],
    },
}


def make_body(kind: str, text: str) -> dict[str, Any]:
    return SAMPLES[kind](text)


def body_name(kind: str) -> str:
    return BODY_NAMES.get(kind, kind)


def _content(text: str) -> str:
    return _dump({"content": text})


def _dump(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)
