"""The page in a real browser: nothing is asked of the network, nothing sticks out, nothing is reported."""

import json
import re
import subprocess

import numpy as np
import pytest

from ipmix.report import Figure, Panel, write_page

QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--disable-default-apps", "--no-first-run", "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip

PROBE = """<script>
addEventListener("load", () => {
  const page = document.documentElement, wide = [];
  for (const element of document.querySelectorAll("main *")) {
    const box = element.getBoundingClientRect();
    if (element.closest(".scroll") && !element.matches(".scroll")) continue;
    if (box.right > innerWidth + 1 || box.left < -1) wide.push(element.tagName + "." + element.className);
  }
  for (const table of document.querySelectorAll(".heat"))
    if (table.parentElement.scrollWidth > table.parentElement.clientWidth + 1) wide.push("heat map cut off");
  const images = [...document.images].filter((image) => !image.complete || !image.naturalWidth).length;
  const asked = performance.getEntriesByType("resource").map((e) => e.name).filter((n) => !n.startsWith("data:"));
  const empty = [...document.querySelectorAll("svg")].filter((s) => s.getBoundingClientRect().height < 20).length;
  document.title = "PROBE " + JSON.stringify({width: innerWidth, scroll: page.scrollWidth, wide, images, asked, empty});
});
</script>"""


@pytest.fixture
def page(cards, tmp_path, made_card):
    long = made_card(tmp_path / "long", "a run with a very long name " * 4 + "unbroken" * 12, seed=3)
    for card in (*cards, long):
        card["corruptions"]["transverse_chromatic_abberation"] = dict.fromkeys("12345", 0.4)
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    panel = Panel("Images", "", [("row", [Figure(image, "a caption of several words")] * 12)])
    path = tmp_path / "report.html"
    write_page(path, [*cards, long], title="Three runs", panels=[panel], facts=[("seed", "0" * 120)])
    return path


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_cleanly(chromium, page, tmp_path, width, scheme):
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE + "</body>"), encoding="utf-8")
    # Headless windows have a least width of 500: the page goes into a frame of the wanted width.
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe src="probed.html" style="width:{width}px;height:900px;border:0"></iframe>'
        "<script>addEventListener('load', () => setTimeout(() => { const inner = document.querySelector('iframe');"
        "document.title = inner.contentDocument.title }, 50))</script>",
        encoding="utf-8",
    )
    dark = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    done = subprocess.run(
        [
            chromium, *QUIET, *dark, "--allow-file-access-from-files", "--enable-logging=stderr", "--dump-dom",
            "--virtual-time-budget=4000", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width + 40},1000",
            frame.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = re.search(r"<title>PROBE (\{.*?\})</title>", done.stdout)
    assert found, done.stderr[-2000:]
    seen = json.loads(found[1].replace("&amp;", "&"))
    assert seen["width"] == width
    assert seen["wide"] == []
    assert seen["scroll"] <= width
    assert seen["images"] == 0
    assert seen["asked"] == []
    assert seen["empty"] == 0
    assert "CONSOLE" not in done.stderr, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
