"""What the pages load is pinned, and comes from nowhere else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from scripts import build_assets

LOCK = json.loads((build_assets.PINS / "package-lock.json").read_text())
WEB = build_assets.VENDOR.parent.parent


def test_every_package_is_pinned_by_version_and_hash_and_names_no_registry() -> None:
    packages = {name: found for name, found in LOCK["packages"].items() if name}
    assert len(packages) == 4
    for name, found in packages.items():
        assert found["integrity"].startswith("sha512-"), name
        assert "resolved" not in found, name
    asked = json.loads((build_assets.PINS / "package.json").read_text())
    for versions in (asked["dependencies"], asked["devDependencies"]):
        for name, version in versions.items():
            assert packages[f"node_modules/{name}"]["version"] == version


def test_everything_that_a_template_or_a_style_loads_is_there() -> None:
    written = "".join(p.read_text() for p in (WEB / "templates").glob("*.html"))
    asked = set(re.findall(r"static\('([^']+)'\)", written))
    asked |= set(re.findall(r'"/static/([^"?]+)"', written))
    asked |= set(re.findall(r"url\(([^)]+)\)", (WEB / "static/app.css").read_text()))
    assert {"app.css", "app.js", "charts.js", "vendor/htmx-sse.min.js"} <= asked
    missing = {name for name in asked if not (WEB / "static" / name).is_file()}
    assert not missing, f"run scripts/build_assets.py: {missing}"


def test_what_was_built_is_what_is_pinned() -> None:
    assert build_assets.up_to_date(build_assets.pinned())


def test_a_changed_pin_builds_again(tmp_path: Path) -> None:
    pins = build_assets.pinned()
    pins["packages"] = {**pins["packages"], "uplot": "0.0.1"}
    assert not build_assets.up_to_date(pins)
