"""The documentation's site: built without a warning, nothing loaded from elsewhere, every link with its target."""

import re
import subprocess
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
LOADING = {"script": ("src",), "link": ("href",), "img": ("src",), "iframe": ("src",), "source": ("src", "srcset")}
"""Elements that make a browser fetch something, and the attributes that say what."""

pytestmark = pytest.mark.skipif(not (ROOT / "mkdocs.yml").is_file(), reason="the documents are not here")


class Page(HTMLParser):
    """What a page loads, links to and can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if not (tag == "link" and values.get("rel") in ("canonical", "prev", "next", "alternate")):
            self.loads += [values[name] for name in LOADING.get(tag, ()) if name in values]
        if tag == "a" and "href" in values:
            self.links.append(values["href"])


def foreign(site: Path) -> list[str]:
    """What pages and styles would fetch from elsewhere."""
    found = []
    for path in sorted(site.rglob("*.html")):
        loads = Page(path.read_text(encoding="utf-8")).loads
        found += [f"{path.name}: {load}" for load in loads if urlsplit(load).netloc]
    for path in sorted(site.rglob("*.css")):
        found += [f"{path.name}: {url}" for url in re.findall(r"url\([\"']?((?:https?:)?//[^)\"']+)", path.read_text())]
        found += [f"{path.name}: {url}" for url in re.findall(r"@import[^;]*//[^;]+", path.read_text())]
    return found


def dangling(site: Path) -> list[str]:
    """Links and loads within the site without a file or an anchor at their end."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links are meant for a server's root
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                found.append(f"{path.relative_to(site.resolve())}: {link}")
            elif target in pages and parts.fragment not in pages[target].anchors | {"", "__toc"}:
                found.append(f"{path.relative_to(site.resolve())}: {link} (no such anchor)")
    return found


def missing(names: Iterable[str], reference: str) -> list[str]:
    """Names of ``ipmix`` that have no entry of their own in the reference's pages, nor are named there in full."""
    return [name for name in names if not re.search(rf'id="ipmix\.[\w.]*\b{name}"|>ipmix\.{name}<', reference)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(module, reason="the docs extra is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assert foreign(site) == []


def test_every_link_has_its_target(site: Path) -> None:
    assert dangling(site) == []
    assert len(list(site.rglob("*.html"))) > 60


def test_the_reference_has_every_public_name(site: Path) -> None:
    import ipmix

    text = "".join(path.read_text(encoding="utf-8") for path in (site / "reference").glob("*.html"))
    assert missing(ipmix.__all__, text) == []
    assert missing(("IPMix", "nowhere", "IPM"), text) == ["nowhere", "IPM"]


def test_a_foreign_load_and_a_dangling_link_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<script src="https://cdn.example/x.js"></script><link rel="canonical" href="https://here.example/">'
        '<a href="b.html#there">1</a><a href="b.html#not">2</a><a href="c.html">3</a><a href="https://x.example">4</a>'
    )
    (tmp_path / "b.html").write_text('<h2 id="there">b</h2><img src="none.png">')
    (tmp_path / "s.css").write_text("@font-face { src: url(https://fonts.example/a.woff2); }")
    assert foreign(tmp_path) == ["a.html: https://cdn.example/x.js", "s.css: https://fonts.example/a.woff2"]
    assert sorted(dangling(tmp_path)) == ["a.html: b.html#not (no such anchor)", "a.html: c.html", "b.html: none.png"]
