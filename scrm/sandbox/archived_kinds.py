"""What messages of each kind look like in the archive, for people who say nothing particular."""

import json
from collections.abc import Callable
from typing import Any

# Keeps a made-up file of a kind and size; gives md5sum, filesize and sdkfileid.
Shelve = Callable[[str, int], dict[str, Any]]

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
# kind → the field beside the body that names the call it belongs to
CALL_IDS = {"meeting_voice_call": "voiceid", "voip_doc_share": "voipid"}


def _rename_size(file: dict[str, Any], name: str) -> dict[str, Any]:
    return {name if key == "filesize" else key: value for key, value in file.items()}


def _red_packet(text: str, _: Shelve) -> dict[str, Any]:
    return {"type": 1, "wish": text or "恭喜发财", "totalcnt": 1, "totalamount": 888}


# kind → a body in which `text` takes the place of its most telling words
SAMPLES: dict[str, Callable[[str, Shelve], dict[str, Any]]] = {
    "text": lambda text, _: {"content": text},
    "image": lambda text, shelve: shelve("image", 70_961),
    "voice": lambda text, shelve: (
        _rename_size(shelve("voice", 2_048), "voice_size") | {"play_length": 7}
    ),
    "video": lambda text, shelve: shelve("video", 1_300_000) | {"play_length": 12},
    "file": lambda text, shelve: (
        shelve("file", 18_181) | {"filename": text or "资料.pdf", "fileext": "pdf"}
    ),
    "emotion": lambda text, shelve: (
        _rename_size(shelve("emotion", 12_288), "imagesize")
        | {"type": 1, "width": 240, "height": 240}
    ),
    "card": lambda text, _: {"corpname": "微信联系人", "userid": text or "wmCARD"},
    "location": lambda text, _: {
        "longitude": 121.4737,
        "latitude": 31.2304,
        "address": "上海市黄浦区",
        "title": text or "门店",
        "zoom": 15,
    },
    "link": lambda text, _: {
        "title": text or "育儿手册",
        "description": "点击查看",
        "link_url": "https://example.com/guide",
        "image_url": "https://example.com/guide.png",
    },
    "weapp": lambda text, _: {
        "title": text or "会员中心",
        "description": "",
        "username": "gh_sample@app",
        "displayname": "会员中心",
        "appid": "wx0000000000000000",
        "pagepath": "pages/index",
    },
    "chatrecord": lambda text, _: {
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
    "mixed": lambda text, shelve: {
        "item": [
            {"type": "text", "content": _content(text or "看这张图")},
            {"type": "image", "content": _dump(shelve("image", 13_177))},
        ]
    },
    "todo": lambda text, _: {"title": "待办", "content": text or "回访客户"},
    "vote": lambda text, _: {
        "votetitle": text or "聚会时间",
        "voteitem": ["周五", "周六"],
        "votetype": 101,
        "voteid": "vote1",
    },
    "collect": lambda text, _: {
        "room_name": "宝妈群",
        "creator": "顾问",
        "create_time": "2026-04-01 10:00:00",
        "title": text or "登记表",
        "details": [{"id": 1, "ques": "预产期", "type": "Text"}],
    },
    "redpacket": _red_packet,
    "external_redpacket": _red_packet,
    "meeting": lambda text, _: {
        "topic": text or "线上课堂",
        "starttime": 1_780_000_000,
        "endtime": 1_780_003_600,
        "address": "",
        "remarks": "",
        "meetingid": 1,
    },
    "meeting_notification": lambda text, _: {
        "content": text or "线上课堂 已结束",
        "meeting_id": 1,
        "notification_type": 2,
    },
    "meeting_voice_call": lambda text, shelve: {
        "endtime": 1_780_003_600,
        "sdkfileid": shelve("voice", 40_960)["sdkfileid"],
        "demofiledata": [
            {
                "filename": text or "课件.pdf",
                "demooperator": "advisor",
                "starttime": 1_780_000_100,
                "endtime": 1_780_000_900,
            }
        ],
        "sharescreendata": [
            {"share": "advisor", "starttime": 1_780_001_000, "endtime": 1_780_001_600}
        ],
    },
    "voip_doc_share": lambda text, shelve: (
        shelve("file", 600_000) | {"filename": text or "喂养指南.pdf"}
    ),
    "docmsg": lambda text, _: {
        "title": text or "喂养记录",
        "doc_creator": "顾问",
        "link_url": "https://example.com/doc",
    },
    "markdown": lambda text, _: {"content": text or "**提醒**"},
    "news": lambda text, _: {
        "item": [
            {
                "title": text or "新品",
                "description": "",
                "url": "https://example.com/news",
                "picurl": "https://example.com/news.png",
            }
        ]
    },
    "calendar": lambda text, _: {
        "title": text or "产检",
        "creatorname": "顾问",
        "attendeename": ["客户"],
        "starttime": 1_780_000_000,
        "endtime": 1_780_003_600,
        "place": "",
        "remarks": "",
    },
    "sphfeed": lambda text, _: {
        "feed_type": 4,
        "sph_name": "品牌号",
        "feed_desc": text or "直播回放",
    },
    "voiptext": lambda text, _: {"callduration": 10, "invitetype": 1},
    "qydiskfile": lambda text, _: {
        "filename": text or "价目表.xlsx",
        "url": "https://example.com/d",
    },
    "solitaire": lambda text, _: {"solitaire_type": 101, "solitaire_content": text or "1. 报名"},
    "note": lambda text, _: {
        "items": [{"msg_type": "text", "content": _content(text or "笔记")}],
    },
}


def make_body(kind: str, text: str, shelve: Shelve) -> dict[str, Any]:
    return SAMPLES[kind](text, shelve)


def body_name(kind: str) -> str:
    return BODY_NAMES.get(kind, kind)


def _content(text: str) -> str:
    return _dump({"content": text})


def _dump(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)
