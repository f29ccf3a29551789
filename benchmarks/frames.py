"""How smoothly the console's page of visitors moves, in a real browser.

Run as `python -m benchmarks.frames CHROMIUM URL LOGIN PASSWORD SECONDS FILE`, in a
process of its own, so that what the browser costs is not the load generator's.
"""

import json
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

COUNT = """(seconds) => new Promise((done) => {
  const gaps = [];
  let last = performance.now();
  const end = last + 1000 * seconds;
  const step = (now) => {
    gaps.push(now - last);
    last = now;
    if (now < end) requestAnimationFrame(step);
    else done(gaps.sort((a, b) => a - b));
  };
  requestAnimationFrame(step);
})"""


def measure(page: Page, seconds: float) -> dict[str, object]:
    """Count frames for a while."""
    gaps: list[float] = page.evaluate(COUNT, seconds)
    return {
        "rows": page.locator(".visits tbody").count(),
        "frames_per_s": round(1000 * len(gaps) / sum(gaps), 1),
        "frame_ms_p95": round(gaps[int(len(gaps) * 0.95)], 1),
        "frame_ms_longest": round(gaps[-1], 1),
    }


def main() -> None:
    """Log in, look at the visitors, write what was seen."""
    chromium, url, login, password, seconds, path = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{url}/console#/visitors")
        page.locator("input[name=username]").fill(login)
        page.locator("input[name=password]").fill(password)
        page.keyboard.press("Enter")
        page.locator(".visits tbody").first.wait_for()
        found = {"first_rows": measure(page, float(seconds))}
        while page.locator(".visitors > .plain:visible").count():
            page.locator(".visitors > .plain").click()
        found["all_rows"] = measure(page, float(seconds))
        browser.close()
    Path(path).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
