"""PDF, printed by the Chromium that is installed beside us; without one everything else works."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from threading import Lock

from watchkeeper.kernel.errors import UserError, WatchkeeperError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-pdf-header-footer",
)
"""It asks nobody for anything: there is nothing to load in what we print."""
SECONDS = 60.0
_one_at_a_time = Lock()


def pdf(html: str) -> bytes:
    """A document as PDF. One is printed at a time: a browser needs much memory.

    Raises UserError when no Chromium is installed, WatchkeeperError when it does not print.
    """
    browser = next((found for b in BROWSERS if (found := shutil.which(b))), None)
    if browser is None:
        raise UserError(
            "No Chromium is installed on the server, and PDF is printed by it.",
            "Install it (on Debian: apt install chromium), or take Markdown, or print the page "
            "from your own browser.",
        )
    if not _one_at_a_time.acquire(timeout=SECONDS):
        raise WatchkeeperError("Another PDF is being printed.", "Try again in a minute.")
    try:
        with tempfile.TemporaryDirectory(prefix="watchkeeper-") as folder:
            return _printed(browser, Path(folder), html)
    finally:
        _one_at_a_time.release()


def _printed(browser: str, folder: Path, html: str) -> bytes:
    page, paper = folder / "page.html", folder / "page.pdf"
    page.write_text(html, encoding="utf-8")
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={paper}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # Chromium refuses to run as root with it
    try:
        ran = subprocess.run([*command, page.as_uri()], capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WatchkeeperError(f"Chromium did not print: {error}.", "Try again.") from None
    if not paper.exists():
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1][:300] if said else f"exit status {ran.returncode}"
        raise WatchkeeperError(f"Chromium did not print: {why}", "Take Markdown meanwhile.")
    return paper.read_bytes()
