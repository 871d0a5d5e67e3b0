"""The map is true: what docs/architecture.md names is there, and what is there is named."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/architecture.md").read_text()


def test_every_file_named_in_the_architecture_exists() -> None:
    map_of_tree = TEXT.split("```")[1]
    for line in map_of_tree.strip().splitlines():
        inside_scrm = line.startswith("  ")
        for name in re.split(r"\s{2,}", line.strip())[0].split():
            place = ROOT / "scrm" / name if inside_scrm else ROOT / name
            nested = ROOT / "scrm/channels" / name
            assert place.exists() or nested.exists(), f"{name} is on the map and not in the tree"


def test_every_package_is_on_the_map() -> None:
    packages = [path.parent.name for path in (ROOT / "scrm").glob("*/__init__.py")]
    packages += ["risk", "customers", "groups", "campaigns"]

    assert [name for name in packages if f"{name}/" not in TEXT] == []


def test_the_readmes_lead_to_files_that_exist() -> None:
    for readme in ("README.md", "README.zh-CN.md"):
        links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / readme).read_text())
        assert links
        assert [link for link in links if not (ROOT / link).exists()] == []
