"""Media files over REST: uploaded once, named by materials."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from scrm.channels.models import MediaFile
from tests.factories import make_corp, make_media

URL = "/api/v1/media-files/"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture(autouse=True)
def _own_storage(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def upload(client: APIClient, content: bytes = PICTURE, kind: str = "image") -> Any:
    file = SimpleUploadedFile("spring.png", content)
    return client.post(URL, {"kind": kind, "file": file}, format="multipart")


def test_the_same_content_is_one_file(brand: APIClient) -> None:
    first, again = upload(brand), upload(brand)

    assert first.status_code == 201, first.content
    assert first.json()["id"] == again.json()["id"] == MediaFile.objects.get().pk
    assert first.json()["bytes"] == len(PICTURE)


def test_refuses_what_the_platform_would(brand: APIClient) -> None:
    response = upload(brand, b"GIF89a" + bytes(20))

    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "/file"


def test_a_material_names_a_file_of_its_corp_and_kind(brand: APIClient) -> None:
    mine = upload(brand).json()["id"]
    theirs = make_media(make_corp()).pk

    def keep(kind: str, file: int) -> Any:
        body = {"kind": kind, "title": "Spring", "content": {"file": file}}
        return brand.post("/api/v1/materials/", body)

    assert keep("image", mine).status_code == 201
    assert keep("video", mine).status_code == 422
    assert keep("image", theirs).json()["errors"][0]["path"] == "/content/file"
