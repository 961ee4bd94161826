"""docs/security.md: each of its sentences is a test here, and none is missing."""

import ast
import hashlib
import io
import json
import os
import pickle
import re
import socket
import stat
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path
from urllib import request

import numpy as np
import pytest
import torch
from image_bytes import EPS, png
from safetensors.torch import save as serialise

import ipmix
from ipmix import models
from ipmix.core import folders, kernel_cache
from ipmix.core.errors import InputError, plain
from ipmix.core.files import FileLock, alone, write_text
from ipmix.data import built_in, datasets, fetching
from ipmix.data.decoding import decode
from ipmix.data.npy import read_npy
from ipmix.evaluation import results
from ipmix.evaluation.class_maps import read_class_map
from ipmix.evaluation.predictions import PredictionFolder, open_predictions
from ipmix.evaluation.scorecard import score
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.config_file import read as read_settings
from ipmix.experiment.studies.study import open_study
from ipmix.mixing_set import manifest
from ipmix.models.loading import open_model
from ipmix.report import exports, page, tables
from ipmix.training.checkpoint import RunFolder, read_state

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "security.md"
POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


def sentences(text: str) -> list[tuple[str, str | None]]:
    """The bullets of a document, each with the test that it names."""
    bullets = [" ".join(found.split()) for found in re.findall(r"^- (.*?)(?=\n- |\n\n|\Z)", text, re.M | re.S)]
    return [(bullet, (re.findall(r"<sub>(\w+)</sub>", bullet) or [None])[0]) for bullet in bullets]


def test_each_sentence_has_its_test() -> None:
    promised = DOCUMENT.read_text(encoding="utf-8").split("## What is not promised")[0]
    named = [test for _, test in sentences(promised)]
    assert len(named) > 20
    assert None not in named
    tests = {name for name in globals() if name.startswith("test_")} - {
        "test_each_sentence_has_its_test",
        "test_a_sentence_without_a_test_is_found",
    }
    assert set(named) == tests
    assert len(named) == len(set(named)), "one test for each sentence"


def test_a_sentence_without_a_test_is_found() -> None:
    assert sentences("- One\n  line. <sub>test_a</sub>\n- Two.\n\nText\n") == [
        ("One line. <sub>test_a</sub>", "test_a"),
        ("Two.", None),
    ]


class Bomb:
    """What a pickle can do: run a command when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


# --- models and weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["{}", "wrn-10-1:{}", "timm:resnet18:{}", "torchvision:resnet18:{}"])
@pytest.mark.parametrize("name", ["a.pth", "a.ckpt", "a.safetensors", "a.onnx"])
def test_without_trust_no_pickle_runs(tmp_path: Path, spec: str, name: str) -> None:
    for library in ("timm", "torchvision"):
        if spec.startswith(library):
            pytest.importorskip(library, reason="not installed")
    mark = tmp_path / "mark"
    torch.save({"state_dict": Bomb(mark)}, tmp_path / name)
    with pytest.raises((InputError, ModuleNotFoundError)):
        open_model(spec.format(tmp_path / name), classes=2)
    assert not mark.exists()
    torch.load(io.BytesIO((tmp_path / name).read_bytes()), weights_only=False)
    assert mark.exists(), "it would have run"


def test_programs_torchscript_and_pickles_need_trust(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.rand(1, 3, 2, 2)).save(str(tmp_path / "script.pt"))
    torch.export.save(torch.export.export(network, (torch.rand(1, 3, 2, 2),)), tmp_path / "program.pt2")
    torch.save(network, tmp_path / "module.pth")
    for name in ("script.pt", "program.pt2", "module.pth"):
        with pytest.raises(InputError, match=rf"{name}.*--trust"):
            open_model(str(tmp_path / name), classes=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert open_model(str(tmp_path / name), classes=2, trust=True)(torch.rand(1, 3, 2, 2)).shape == (1, 2)


def test_the_rule_holds_for_mixing_sets(tmp_path: Path) -> None:
    from ipmix.cli.commands.mixing_set import load_model, make

    mark = tmp_path / "mark"
    torch.save(Bomb(mark), tmp_path / "a.pth")
    for weights, name in ((None, str(tmp_path / "a.pth")), (tmp_path / "a.pth", "wrn-10-1")):
        with pytest.raises(InputError, match="--trust"):
            load_model(name, weights, 2, False)
    with pytest.raises(InputError, match="--trust"):
        make(tmp_path / "set", count=2, size=16, model=str(tmp_path / "a.pth"))
    assert not mark.exists()
    assert not (tmp_path / "set").exists()


def test_metadata_asks_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    for name in ("timm:hf-hub:someone/something", "timm:resnet18.a1_in1k", "torchvision:hub", "os:getcwd"):
        about = {"format": 1, "name": name, "classes": ["a", "b"], "facts": {}}
        (tmp_path / "a.safetensors").write_bytes(serialise({"x": torch.zeros(1)}, {"ipmix": json.dumps(about)}))
        with pytest.raises(InputError, match=r"a\.safetensors"):
            open_model(str(tmp_path / "a.safetensors"), classes=2)
    with pytest.raises(AssertionError, match="the network was asked"):
        socket.create_connection(("127.0.0.1", 9))


def test_no_file_can_name_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs.py").write_text("from pathlib import Path\nPath('ran').touch()\ndef model(): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    about = {"format": 1, "name": "theirs:model", "classes": ["a"], "facts": {}}
    Path("a.safetensors").write_bytes(serialise({"x": torch.zeros(1)}, {"ipmix": json.dumps(about)}))
    Path("a.yaml").write_text("data: {source: digits}\ntraining: {model: 'theirs:model'}\n")
    with pytest.raises(InputError):
        open_model("a.safetensors", classes=1)
    with pytest.raises(InputError):
        models.build(read_settings(ExperimentConfig, "a.yaml").training.model, 2)
    for settings in (
        "method: {name: 'theirs:model'}",
        "method.name: 'theirs:model'",
        "method: {name: combined, options: {after: 'theirs:model'}}",
        "evaluation: {corruptions: ['theirs:model']}",
    ):
        Path("b.yaml").write_text(f"data: {{source: digits}}\n{settings}\n")
        with pytest.raises(InputError, match=r"b\.yaml: .* names code, 'theirs:model'.*--trust"):
            read_settings(ExperimentConfig, "b.yaml")
    Path("b.yaml").write_text("data: {source: digits}\nmethod: {name: 'theirs:model'}\n")
    assert read_settings(ExperimentConfig, "b.yaml", trust=True).method.name == "theirs:model"
    Path("study.yaml").write_text("title: a\ncells: {a: {method: {name: 'theirs:model'}}}\nscales: {a: {}}\n")
    with pytest.raises(InputError, match=r"study\.yaml: cells\.a\.method\.name names code"):
        open_study("study.yaml")
    assert not Path("ran").exists()
    with pytest.raises(InputError, match="returned a NoneType"):
        open_model("theirs:model", classes=1)
    assert Path("ran").exists(), "named on the command line, it runs"


def test_a_saved_run_runs_no_code(tmp_path: Path) -> None:
    torch.save({"format": 2, "experiment": Bomb(tmp_path / "mark")}, tmp_path / "state.pt")
    with pytest.raises(InputError, match=r"state\.pt can't be read"):
        read_state(tmp_path / "state.pt")
    with pytest.raises(InputError, match=r"state\.pt can't be read"):
        RunFolder(tmp_path, {}, resume=True)
    assert not (tmp_path / "mark").exists()


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    for text in (
        f"!!python/object/apply:os.mkdir ['{tmp_path / 'made'}']",
        f"data: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']",
    ):
        (tmp_path / "a.yaml").write_text(text)
        with pytest.raises(InputError, match=r"a\.yaml"):
            read_settings(ExperimentConfig, tmp_path / "a.yaml")
    assert not (tmp_path / "made").exists()


# --- images, arrays, class maps ---------------------------------------------------------------------------


def test_no_ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    for name in ("a.png", "a.jpg", "a.eps", "a.tif"):
        (tmp_path / name).write_bytes(EPS)
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            decode(tmp_path / name)
    with pytest.raises(AssertionError, match="a program was started"):
        subprocess.run(["true"])


def test_large_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(png(np.zeros((8, 8, 3), np.uint8)))
    assert decode(tmp_path / "a.png").shape == (8, 8, 3)
    monkeypatch.setenv("IPMIX_MAX_PIXELS", "63")
    with pytest.raises(InputError, match=r"8x8: 64 pixels; the limit is 63"):
        decode(tmp_path / "a.png")


def test_arrays_hold_no_objects(tmp_path: Path) -> None:
    bomb = np.array([Bomb(tmp_path / "mark")], dtype=object)
    np.save(tmp_path / "a.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "a.npz", logits=bomb, labels=np.zeros(1, np.int64))
    with pytest.raises(InputError, match=r"a\.npy"):
        read_npy(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"a\.npz"):
        score(open_predictions(tmp_path / "a.npz"))
    assert not (tmp_path / "mark").exists()
    pickle.loads(pickle.dumps(bomb))
    assert (tmp_path / "mark").exists(), "it would have run"


def test_json_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for text in ('{"a": 1, "a": 2}', '{"a": NaN}', '{"a": -1}', "[" * 100_000, '{"a": true}'):
        file.write_text(text)
        with pytest.raises(InputError, match=r"a\.json"):
            read_class_map(str(file))
    for text in ("{}", '{"run": {}, "measures": {"evil": 1}}'):
        file.write_text(text)
        with pytest.raises(InputError, match=r"a\.json"):
            results.read_cards(file)
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(InputError, match=r"manifest\.json"):
        manifest.read(tmp_path / "manifest.json")


@pytest.mark.parametrize("name", ["../out.png", "/etc/passwd", "ifs/../../a-1.png", "ifs\\a-1.png", "ifs/a-1.png\n"])
def test_a_manifest_stays_in_its_folder(name: str) -> None:
    entry = {
        "number": 0, "kind": "ifs", "index": 0, "file": "ifs/ifs-00000.png", "sha256": "0" * 64, "attempts": 1,
        "parameters": {},
    }  # fmt: skip
    assert manifest.read_entry("here", entry).file == entry["file"]
    with pytest.raises(InputError, match="file name"):
        manifest.read_entry("here", {**entry, "file": name})


# --- what is written --------------------------------------------------------------------------------------


@POSIX
def test_links_are_not_written_through(tmp_path: Path) -> None:
    theirs, place = tmp_path / "theirs", tmp_path / "place"
    theirs.write_text("precious")
    place.mkdir()
    for name in (".lock", "run.lock", "result.json", "metrics.jsonl"):
        (place / name).symlink_to(theirs)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"\.lock is a link"), alone(place):
        pass
    with pytest.raises(InputError, match="is a link"):
        FileLock(tmp_path / "dangling")
    assert not (tmp_path / "nowhere").exists()
    write_text(place / "result.json", "ours")
    assert not (place / "result.json").is_symlink()
    with pytest.raises(InputError, match="is a link"):
        RunFolder(place, {}, resume=True)
    assert theirs.read_text() == "precious"
    assert (place / ".lock").is_symlink(), "nor is it taken away"


@POSIX
def test_permissions_follow_the_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", None)
        write_text(tmp_path / "a", "")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


NASTY = "=1+1|<script>![](http://evil.example/x)[a](javascript:b)`c`\x1b[31m\u202e\u200f\n@d"


def nasty_card(tmp_path: Path) -> dict:
    """The scorecard of a run with a name that tries everything."""
    labels = np.arange(20) % 2
    logits = 4 * np.eye(2, dtype=np.float32)[labels] - 2
    kept = PredictionFolder.begin(tmp_path / "predictions", {"name": NASTY})
    kept.write(0, {"labels": labels, "indices": np.arange(20), "clean": logits})
    return score(kept, samples=20)


def test_the_page_forbids_other_scripts_and_the_network(tmp_path: Path) -> None:
    text = page.render_page([nasty_card(tmp_path)], title=NASTY)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    told = policy[1].replace("&#39;", "'")
    for word in ("default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"):
        assert word in told.split("; ")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    digest = __import__("base64").b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src-elem 'sha256-{digest}'" in told.split("; ")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = __import__("base64").b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in told.split("; ")
    assert text.count("<script") == 1
    assert not re.search(r"fetch|XMLHttp|import\(|innerHTML|eval|location|document\.write", script)
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert text.index("Content-Security-Policy") < text.index("<style>"), "a policy counts for what follows it"


def test_names_are_text_in_the_page(tmp_path: Path) -> None:
    text = page.render_page([nasty_card(tmp_path)], title=NASTY, lead=NASTY, facts=[(NASTY, NASTY)])
    assert text.count("<script") == 1, "the page's own"
    assert "&lt;script&gt;" in text


def test_names_are_no_formulas_in_csv(tmp_path: Path) -> None:
    card = nasty_card(tmp_path)
    for name in ("=1+1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "\x1b[1m=1", "＝1"):
        cells = [line.split(",")[0] for line in tables.to_csv([{**card, "run": {"name": name}}]).splitlines()[1:]]
        assert {cell.strip('"')[0] for cell in cells} == {"'"}, name
    assert tables.to_csv([{**card, "run": {"name": "wrn-40-4"}}]).splitlines()[1].startswith("wrn-40-4,")


def test_names_are_text_in_markdown(tmp_path: Path) -> None:
    card = nasty_card(tmp_path)
    card["measures"]["flip_probability"] = {"value": None, "interval": None, "pictures": 0, "reason": NASTY}
    for text in (tables.markdown([card]), exports.model_card(card).split("---\n", 2)[2]):
        assert r"\!" in text or r"!\[\](http\://" in text
        assert not re.search(r"(?<!\\)[\[\]`]", text)
        assert "<script" not in text
        assert not re.search(r"(?<!\\)://", text)
    assert tables.inline("www.evil.example") == r"www\.evil.example"


def test_names_control_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    tables.print_comparison([nasty_card(tmp_path)], out=out)
    (tmp_path / "train" / "a\u202eb").mkdir(parents=True)
    (tmp_path / "train" / "a\u202eb" / "a.png").write_bytes(png(np.zeros((8, 8, 3), np.uint8)))
    (tmp_path / "train" / "a\u202eb" / ".\x1b[31m.png").touch()
    datasets.tell_hidden(datasets.scan(tmp_path, "train"))
    for text in (out.getvalue(), capsys.readouterr().err, plain(NASTY)):
        assert text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200e\u200f]", text)


# --- folders that are shared ------------------------------------------------------------------------------


@POSIX
def test_kernels_come_from_own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "open" / "inner"
    inner.mkdir(parents=True)
    for mode, safe in ((0o755, True), (0o777, False), (0o757, False), (0o775, None), (0o1777, True)):
        (tmp_path / "open").chmod(mode)
        if safe is not None:
            assert (folders.why_unsafe(inner) == "") is safe, oct(mode)
    assert folders.why_unsafe(tmp_path / "open"), "the sticky bit keeps others from renaming, not from writing"
    (tmp_path / "open").chmod(0o755)
    real = os.getuid()
    with monkeypatch.context() as patch:
        patch.setattr(folders, "__file__", "/")  # nor is the source that somebody's
        if real == 0:
            os.chown(inner, 12345, -1)
        else:
            patch.setattr(os, "getuid", lambda: real + 1)
        assert "belongs to another user" in folders.why_unsafe(inner)
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setattr(kernel_cache.numba.core.config, "CACHE_DIR", str(tmp_path / "open"))
    kernel_cache._problem.cache_clear()
    kernel_cache._tell_once.cache_clear()

    def twice(number: int) -> int:
        return 2 * number

    with pytest.warns(UserWarning, match="others may write to .*open"):
        unkept = kernel_cache.kept(twice)
    assert unkept(4) == 8
    assert not list(tmp_path.rglob("*.nbi"))
    assert kernel_cache.where_kept()[0] is None
    (tmp_path / "open").chmod(0o755)
    kernel_cache._problem.cache_clear()
    kept = kernel_cache.kept(twice)
    assert kept(4) == 8
    assert list(tmp_path.rglob("*.nbi")), "in a folder of one's own they are kept"


def test_without_a_cache_everything_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("IPMIX_CACHE_DIR", str(tmp_path / "named"))
    assert folders.cache_folder() == tmp_path / "named"
    monkeypatch.setenv("IPMIX_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "file" / "ipmix"))
    temporary = folders.cache_folder()
    assert temporary.parent == tmp_path
    assert "IPMIX_CACHE_DIR names a folder that stays" in capsys.readouterr().err
    assert folders.cache_folder() == temporary
    monkeypatch.setattr(kernel_cache.numba, "njit", without_a_locator(kernel_cache.numba.njit))
    kernel_cache._tell_once.cache_clear()
    with pytest.warns(UserWarning, match="no folder can be written to"):
        assert kernel_cache.kept(lambda number: number + 1)(2) == 3
    assert kernel_cache.where_kept() == (None, "no folder can be written to")


def without_a_locator(real):  # type: ignore[no-untyped-def]
    """Numba's ``njit`` where no folder can be written to."""

    def njit(*functions, **options):  # type: ignore[no-untyped-def]
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function 'f': no locator available for file 'x'")
        return real(*functions, **options)

    return njit


# --- network and archives ---------------------------------------------------------------------------------

SERVERS = {"socketserver", "http.server", "xmlrpc.server", "wsgiref", "asyncio", "socket"}


def imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_nothing_listens() -> None:
    for path in Path(ipmix.__file__).parent.rglob("*.py"):
        assert not imported(path.read_text(encoding="utf-8")) & SERVERS, path
    assert imported("from http import server\nimport socket") & SERVERS == {"http.server", "socket"}


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
