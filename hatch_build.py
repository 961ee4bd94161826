"""README.md as a package index shows it, where files of the repository can't be reached by relative links.

With ``[project.urls] Source`` in pyproject.toml they become links into that repository; as long as it names none, they
become plain text, and images are left out.
"""

import re
from pathlib import Path
from typing import Any

try:
    from hatchling.metadata.plugin.interface import MetadataHookInterface
except ModuleNotFoundError:  # in tests, which need the text alone
    MetadataHookInterface = object

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_CODE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def for_an_index(text: str, source: str | None, branch: str = "main") -> str:
    """README's text without relative links; ``source`` is the repository's address, if it has one."""

    def changed(link: re.Match[str]) -> str:
        image, words, target = link["image"], link["text"], link["target"]
        if _ABSOLUTE.match(target):
            return link[0]
        if source is not None:
            return f"{image}[{words}]({source.rstrip('/')}/{'raw' if image else 'blob'}/{branch}/{target})"
        if image:
            return ""
        return words if target in words else f"{words} (`{target}`)"

    parts = _CODE.split(text)  # blocks of code have odd numbers
    parts[::2] = [_LINK.sub(changed, _COMMENT.sub("", part)) for part in parts[::2]]
    return re.sub(r"\n{3,}", "\n\n", "".join(parts))


class IndexReadme(MetadataHookInterface):
    """What hatchling calls when it writes a package's metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the long description."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_an_index(text, source)}
