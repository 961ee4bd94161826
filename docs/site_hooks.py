"""What MkDocs needs beyond mkdocs.yml: the repository's files that pages link to (``hooks`` there).

The pages link to files beside docs/ by their paths in the repository, as is right for reading them there. On the site
those files stand under ``repository/``: Markdown as pages, the rest as it is.
"""

import re
from pathlib import Path
from posixpath import join, normpath, relpath
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
BESIDE = (
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LOG.md", "LICENSE", "benchmarks/README.md", "examples/*.*",
    "experiments/**/*.*", "results/**/*.*", "src/ipmix/report/*.schema.json", "tests/security/*.py",
    "tests/engines/step_by_step.py", "tests/reliability/*.py",
)  # fmt: skip
FOLDER = "repository"
LINK = re.compile(r"(\]\()([^)\s]+)((?:\s+\"[^\"]*\")?\))")


def beside() -> dict[str, Path]:
    """Path in the repository -> file, of all that pages may link to outside of docs/."""
    found = (path for pattern in BESIDE for path in sorted(ROOT.glob(pattern)))
    return {path.relative_to(ROOT).as_posix(): path for path in found if path.is_file()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files beside docs/."""
    for name, path in beside().items():
        uri = f"{FOLDER}/{name}"
        if path.suffix != ".md":
            files.append(File.generated(config, uri, abs_src_path=str(path)))
        else:  # a page that stands in no menu
            text = path.read_text(encoding="utf-8")
            files.append(File.generated(config, uri, content=text, inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links that go out of docs/ to ``repository/``, and those of repository/ back to the pages."""
    return moved(markdown, page.file.src_uri)


ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc|obj):(<code>)~?(?:[\w.]+\.)?(\w+)(</code>)")
SESSION = re.compile(r"(?:<blockquote>\s*){3}<p>(.*?)</p>(?:\s*</blockquote>){3}", re.S)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Docstrings' references as plain names, and their lines behind ``>>>`` as code; Markdown knows neither."""
    if not page.file.src_uri.startswith("reference/"):
        return html
    html = ROLE.sub(r"\1\2\3", html)
    return SESSION.sub(lambda found: f"<pre><code>{found[1].replace('  # doctest: +SKIP', '')}</code></pre>", html)


def moved(markdown: str, uri: str) -> str:
    """The text of the page at ``uri`` (below docs/) with links that fit the site."""
    inside = uri.startswith(f"{FOLDER}/")
    place = uri.removeprefix(f"{FOLDER}/") if inside else f"docs/{uri}"
    folder = str(Path(place).parent.as_posix())

    def target(found: re.Match[str]) -> str:
        parts = urlsplit(found[2])
        if parts.scheme or parts.netloc or not parts.path:
            return found[0]
        path = normpath(join(folder, parts.path))
        here = str(Path(uri).parent.as_posix())
        there = path.removeprefix("docs/") if path.startswith("docs/") else f"{FOLDER}/{path}"
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        return f"{found[1]}{relpath(there, here)}{anchor}{found[3]}"

    return LINK.sub(target, markdown)
