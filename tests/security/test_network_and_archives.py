"""Servers, downloads and archives."""

import ast
import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from urllib import request

import pytest
from tests.security.bomb import Bomb

import ipmix
from ipmix.core.errors import InputError
from ipmix.data import built_in, datasets, fetching

SERVERS = {
    *("socketserver", "http.server", "xmlrpc.server", "wsgiref", "asyncio", "socket"),
    *("starlette", "streamlit", "uvicorn", "tornado", "aiohttp", "flask"),
}
LISTENS = "explore/serving.py"
"""Of all files, the one that opens a port."""


def imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def servers_in(text: str) -> set[str]:
    return {name for name in imported(text) if name in SERVERS or name.split(".")[0] in SERVERS}


def test_only_explore_listens() -> None:
    package = Path(ipmix.__file__).parent
    found = {
        path.relative_to(package).as_posix(): servers_in(path.read_text(encoding="utf-8"))
        for path in package.rglob("*.py")
    }
    assert {path for path, names in found.items() if names - {"streamlit"}} == {LISTENS}
    assert {path for path, names in found.items() if names} == {LISTENS, "explore/tabs.py"}, "which lays the page out"
    assert servers_in("from http import server\nimport socket, uvicorn.main") == {
        *("http.server", "socket", "uvicorn.main"),
    }


class Answer(io.BytesIO):
    """What a server gives, at the address where it is found."""

    address = "https://example.org/a"

    def geturl(self) -> str:
        return self.address


def test_downloads_are_https_and_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"the archive"
    known = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(request, "urlopen", lambda url, timeout: Answer(content))
    url, file = "https://example.org/a", tmp_path / "a"
    fetching.fetch(url, file, sha256=known, size=100)
    assert file.read_bytes() == content
    file.unlink()
    for address, sha256, size, message in (
        ("http://example.org/a", known, 100, "begins with https://"),
        ("file:///etc/passwd", known, 100, "begins with https://"),
        (url, "0" * 64, 100, "expected 0000"),
        (url, known, 5, "more than the 5 bytes"),
    ):
        with pytest.raises(InputError, match=message):
            fetching.fetch(address, file, sha256=sha256, size=size)
    monkeypatch.setattr(Answer, "address", "http://elsewhere.example/a")
    with pytest.raises(InputError, match=r"elsewhere\.example/a is not read"):
        fetching.fetch(url, file, sha256=known, size=100)
    assert list(tmp_path.iterdir()) == []
    assert all(len(sha256) == 64 for _, _, sha256 in built_in.CIFAR_ARCHIVES.values())
    assert built_in.CIFAR_URL.startswith("https://")
    asked: list[str] = []
    monkeypatch.setattr(request, "urlopen", lambda url, timeout: asked.append(url) or Answer(content))
    with pytest.raises(InputError, match="--download"):
        datasets.load("cifar10", "test", root=tmp_path)
    assert asked == []


def tar(path: Path, *members: tuple[str, bytes | None, bytes]) -> Path:
    """An archive of (name, content, type)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = len(content or b"")
            archive.addfile(member, io.BytesIO(content or b""))
    return path


def test_archives_stay_in_their_folder(tmp_path: Path) -> None:
    out, file = tmp_path / "out", tarfile.REGTYPE
    out.mkdir()
    good = ("set/a", b"content", file)
    for bad, message in (
        (("../a", b"x", file), "outside of its folder"),
        (("/tmp/a", b"x", file), "outside of its folder"),
        (("set/../../a", b"x", file), "outside of its folder"),
        (("link", None, tarfile.SYMTYPE), "a link or a device"),
        (("link", None, tarfile.LNKTYPE), "a link or a device"),
        (("pipe", None, tarfile.FIFOTYPE), "a link or a device"),
        (("set/b", b"x" * 200, file), "more than 100 bytes"),
    ):
        with pytest.raises(InputError, match=message):
            fetching.unpack(tar(tmp_path / "a.tar.gz", good, bad), out, most=100)
        assert list(out.iterdir()) == [], "nothing of it was unpacked"
    (tmp_path / "a.tar.gz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="can't be unpacked"):
        fetching.unpack(tmp_path / "a.tar.gz", out, most=100)
    fetching.unpack(tar(tmp_path / "a.tar.gz", ("set", None, tarfile.DIRTYPE), good), out, most=100)
    assert (out / "set" / "a").read_bytes() == b"content"


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_of_strangers_is_not_opened(tmp_path: Path, name: str) -> None:
    torchvision = pytest.importorskip("torchvision", reason="not installed")
    kind = getattr(torchvision.datasets, name.upper())
    (tmp_path / kind.base_folder).mkdir()
    for file, _ in (*kind.train_list, *kind.test_list, (kind.meta["filename"], "")):
        (tmp_path / kind.base_folder / file).write_bytes(pickle.dumps(Bomb(tmp_path / "mark")))
    with pytest.raises(InputError, match=f"{name} is not in"):
        datasets.load(name, "test", root=tmp_path)
    assert not (tmp_path / "mark").exists()
