"""Prints the path of a Chromium for the tests; with --install it gets one where there is none.

Needs nothing but the standard library, except that the last resort is Playwright's own download."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ADVICE = (
    "no Chromium for the browser tests, and none could be installed: install one "
    "(Debian: apt-get install chromium; macOS: brew install --cask chromium) or set "
    "HEADWATER_CHROMIUM=/path/to/chromium"
)


def find() -> str | None:
    """The first that answers: $HEADWATER_CHROMIUM, the system's, Playwright's."""
    candidates = [
        os.environ.get("HEADWATER_CHROMIUM"),
        *map(shutil.which, NAMES),
        *MAC_PATHS,
        _playwrights(),
    ]
    return next((path for path in candidates if path and _answers(path)), None)


def install() -> str | None:
    """Debian's package where we may, else Playwright's build."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("installing Debian's chromium for the browser tests (once)", file=sys.stderr)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-q"], quiet)
        _run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"], quiet)
    else:
        print("installing Playwright's Chromium for the browser tests (once)", file=sys.stderr)
        _run([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ))
    return find()


def _run(command: list[str], environment: dict[str, str]) -> None:
    """Quiet when it works; what it said goes to stderr when it fails: stdout is for the path."""
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}", file=sys.stderr)


def _answers(path: str) -> bool:
    if not Path(path).is_file():
        return False
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def _playwrights() -> str | None:
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            return playwright.chromium.executable_path
    except Exception:  # a last resort that is not there is simply not there
        return None


def main() -> int:
    path = find() or (install() if "--install" in sys.argv[1:] else None)
    if path is None:
        print(ADVICE, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
