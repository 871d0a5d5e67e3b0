import json
from pathlib import Path
from typing import Any

from scrm.sandbox.recorded import load_recorded


def write(directory: Path, name: str, **answer: Any) -> None:
    text = json.dumps({"errcode": 0, "errmsg": "ok"} | answer, ensure_ascii=False)
    (directory / f"{name}.resp.json").write_text(text, encoding="utf-8")


def test_unites_what_several_answers_tell_of_one_customer(tmp_path: Path) -> None:
    contact = {"external_userid": "wm1", "name": "糖糖妈妈", "type": 1, "gender": 2}
    first = {"userid": "ann", "createtime": 1, "add_way": 1, "oper_userid": "wm1"}
    second = first | {"userid": "ben", "tag_id": ["st1"], "state": "qr"}
    write(tmp_path, "externalcontact_get", external_contact=contact, follow_user=[first])
    rows = [{"external_contact": contact, "follow_info": second}]
    write(tmp_path, "externalcontact_batch_get_by_user", external_contact_list=rows)

    world = load_recorded(tmp_path)

    assert [r.userid for r in world.followers_of("wm1")] == ["ann", "ben"]
    assert world.followers_of("wm1")[1].tag_ids == {"st1"}
    assert world.tags.can_carry("st1")
    assert all(world.members[userid].customer_contact for userid in ("ann", "ben"))


def test_makes_members_of_those_named_only_as_leaders_owners_or_admins(tmp_path: Path) -> None:
    department = {"id": 1, "name": "总部", "parentid": 0, "department_leader": ["lead"]}
    chat = {"chat_id": "wr1", "name": "群", "owner": "own", "create_time": 1}
    chat |= {"member_list": [], "admin_list": [{"userid": "adm"}]}
    write(tmp_path, "department_list", department=[department])
    write(tmp_path, "groupchat_get", group_chat=chat)

    world = load_recorded(tmp_path)

    assert set(world.members) == {"lead", "own", "adm"}
    assert [m.userid for m in world.members.values() if m.can_follow] == ["own"]
    assert world.chats["wr1"].admins == ["adm"]


def test_an_empty_directory_makes_an_empty_corp(tmp_path: Path) -> None:
    world = load_recorded(tmp_path)

    assert list(world.departments) == [1]
    assert not world.members
    assert not world.persons
