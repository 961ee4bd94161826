"""Corrupted sets after faults: other images, other settings, kills, a full disk, two writers, broken files."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from ipmix.cli.commands.corrupt import corrupt as command
from ipmix.core.errors import InputError
from ipmix.corruptions.test_sets import beginning, writing

NAMES = ["contrast", "brightness"]


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path, make_images):
    for place, image in enumerate(make_images(8, 40, 40, seed=1)):
        path = tmp_path / "photos" / f"c{place % 2}" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, compress_level=0)
    return tmp_path / "photos"


@pytest.fixture
def array(tmp_path, make_images):
    np.save(tmp_path / "photos.npy", make_images(8, 32, 32, seed=1))
    np.save(tmp_path / "labels.npy", np.arange(8) % 2)
    return tmp_path / "photos.npy"


def contents(out):
    """Every file's bytes, but of the record only what it says of settings and images."""
    found = {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    found["settings.json"] = json.loads(found["settings.json"])
    del found["settings.json"]["data"]
    return found


@pytest.mark.parametrize(("layout", "kind"), [("folders", "c"), ("folders", "p"), ("arrays", "c")])
def test_a_folder_that_is_removed_meanwhile_is_not_begun_in_its_middle(folder, tmp_path, monkeypatch, layout, kind):
    """A run that goes on without its record would leave something that no later run takes for its own."""
    out = tmp_path / "out"
    made = writing.make_within if layout == "folders" else beginning.alone
    calls = []

    def removed(*arguments, **options):
        calls.append(arguments)
        if layout == "arrays" or len(calls) == 3:
            shutil.rmtree(out)
        return made(*arguments, **options)

    options = {"layout": layout, "threads": 1, "set": kind}
    options |= {"names": ["rotate"]} if kind == "p" else {"names": NAMES, "severities": [1]}
    place = (writing, "make_within") if layout == "folders" else (beginning, "alone")
    with monkeypatch.context() as patched:
        patched.setattr(*place, removed)
        with pytest.raises((InputError, FileNotFoundError)) as caught:
            command(str(folder), str(out), **options)
    assert str(out) in str(caught.value)
    assert not out.exists()
    command(str(folder), str(out), **options)
    command(str(folder), str(tmp_path / "fresh"), **options)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_set_whose_record_was_changed_is_not_gone_on_with(array, tmp_path):
    """Each of its keys in turn: without it, of another value, of the same value but another kind; and one more."""
    out = tmp_path / "out"
    command(str(array), str(out), names=NAMES, severities=[1])
    whole = json.loads((out / "settings.json").read_text())
    assert whole["size"] is None
    for key, value in [*whole.items(), ("more", None)]:
        others = ["x", None, 7, True, [], {}, float(value) if type(value) is int else "y"]
        changed = [{**whole, key: other} for other in others if key == "more" or repr(other) != repr(value)]
        if key != "more":
            changed.append({name: each for name, each in whole.items() if name != key})
        for content in changed:
            (out / "settings.json").write_text(json.dumps(content))
            if key == "data" and isinstance(content.get(key), str):
                continue  # its folder may be renamed
            with pytest.raises(InputError, match=rf"{key}.* differ"):
                command(str(array), str(out), names=NAMES, severities=[1])
    for text in ("[]", "{", '{"seed": 0, "seed": 0}', '{"seed": NaN}'):
        (out / "settings.json").write_text(text)
        with pytest.raises(InputError, match=r"settings\.json .*--force"):
            command(str(array), str(out), names=NAMES, severities=[1])
    (out / "settings.json").write_text(json.dumps({**whole, "data": "elsewhere"}))
    command(str(array), str(out), names=NAMES, severities=[1])


@pytest.mark.parametrize("layout", ["arrays", "folders"])
def test_other_images_of_the_same_name_and_number_are_refused(folder, tmp_path, layout):
    options = {"names": NAMES, "severities": [1], "layout": layout}
    command(str(folder), str(tmp_path / "out"), **options)
    path = folder / "c0" / "2.png"
    before = path.stat()
    changed = 255 - np.asarray(Image.open(path))
    with path.open("r+b") as file:
        Image.fromarray(changed).save(file, "PNG", compress_level=0)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    old = contents(tmp_path / "out")
    with pytest.raises(InputError, match=r"begun with other images \(sha256 differ\); .* --force"):
        command(str(folder), str(tmp_path / "out"), **options)
    assert contents(tmp_path / "out") == old
    command(str(folder), str(tmp_path / "out"), **options, force=True)
    command(str(folder), str(tmp_path / "fresh"), **options)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh") != old


def test_another_array_of_the_same_name_is_refused(array, tmp_path, make_images):
    command(str(array), str(tmp_path / "out"), names=NAMES)
    np.save(array, make_images(8, 32, 32, seed=2))
    with pytest.raises(InputError, match=r"other images \(sha256 differ\)"):
        command(str(array), str(tmp_path / "out"), names=NAMES)
    np.save(array, make_images(8, 32, 32, seed=1))
    command(str(array), str(tmp_path / "out"), names=NAMES)
    np.save(tmp_path / "labels.npy", (np.arange(8) + 1) % 2)
    with pytest.raises(InputError, match=r"other images \(sha256 differ\)"):
        command(str(array), str(tmp_path / "out"), names=NAMES)


def test_images_in_a_renamed_or_touched_folder_are_the_same(folder, tmp_path):
    options = {"names": NAMES, "severities": [1]}
    command(str(folder), str(tmp_path / "out"), **options)
    (tmp_path / "out" / "contrast" / "1" / "c0" / "2.JPEG").unlink()
    old = (tmp_path / "out" / "settings.json").read_bytes()
    folder.rename(tmp_path / "moved")
    for path in (tmp_path / "moved").rglob("*.png"):
        path.touch()
    command(str(tmp_path / "moved"), str(tmp_path / "out"), **options)
    command(str(tmp_path / "moved"), str(tmp_path / "fresh"), **options)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")
    assert (tmp_path / "out" / "settings.json").read_bytes() == old


@pytest.mark.parametrize("layout", ["arrays", "folders"])
def test_forced_and_stopped_and_gone_on_with_it_mixes_no_settings(folder, tmp_path, monkeypatch, layout):
    options = {"names": NAMES, "severities": [1, 2], "layout": layout}
    command(str(folder), str(tmp_path / "out"), **options)
    real, calls = writing.corrupt, []

    def stops(images, name, severity, **given):
        calls.append(name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(images, name, severity, **given)

    monkeypatch.setattr(writing, "corrupt", stops)
    with pytest.raises(KeyboardInterrupt):
        command(str(folder), str(tmp_path / "out"), **options, seed=1, force=True)
    monkeypatch.setattr(writing, "corrupt", real)
    with pytest.raises(InputError, match=r"other settings \(seed differ\)"):
        command(str(folder), str(tmp_path / "out"), **options)
    command(str(folder), str(tmp_path / "out"), **options, seed=1)
    command(str(folder), str(tmp_path / "fresh"), **options, seed=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_force_removes_nothing_of_somebody_else_s(folder, tmp_path):
    (tmp_path / "out" / "fog").mkdir(parents=True)
    (tmp_path / "out" / "fog" / "holiday.jpg").write_text("important")
    with pytest.raises(InputError, match=r"out/fog is there, but no settings\.json that says how it was made"):
        command(str(folder), str(tmp_path / "out"), names=NAMES, force=True)
    (tmp_path / "out" / "fog").rename(tmp_path / "out" / "mist")
    command(str(folder), str(tmp_path / "out"), names=NAMES, force=True)
    command(str(folder), str(tmp_path / "out"), names=NAMES, force=True, seed=1)
    assert (tmp_path / "out" / "mist" / "holiday.jpg").read_text() == "important"
    inside = tmp_path / "out" / "contrast" / "1"
    with pytest.raises(InputError, match=r"lie in .*out, which is to be written anew"):
        command(str(inside), str(tmp_path / "out"), names=NAMES, force=True)
    assert inside.is_dir()


def start(*words, before=""):
    code = f"import sys\n{before}\nfrom ipmix.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    return subprocess.Popen(
        [sys.executable, "-c", code, "corrupt", *map(str, words)], stderr=subprocess.PIPE, text=True
    )


def finished(run):
    _, error = run.communicate(timeout=300)
    assert run.returncode == 0, error


SLOWLY = (
    "import time\nfrom ipmix.corruptions.test_sets import writing\nreal = writing.{0}\n"
    "def slow(*given, **options):\n    time.sleep(0.05)\n    return real(*given, **options)\nwriting.{0} = slow\n"
)


@pytest.mark.parametrize("form", ["arrays", "folders", "frames"])
def test_killed_at_any_moment_it_ends_the_same(folder, tmp_path, form):
    words = ["--set", "p", "--names", "brightness"] if form == "frames" else ["--names", "contrast,brightness"]
    words += ["--layout", "arrays" if form == "arrays" else "folders"]
    draws = random.Random(0)
    finished(start(folder, tmp_path / "whole", *words))
    out, kills = tmp_path / "out", 0
    for _ in range(4):
        run = start(folder, out, *words, before=SLOWLY.format("perturb" if form == "frames" else "corrupt"))
        while run.poll() is None and not list(out.glob(".unfinished-*")):
            time.sleep(0.01)
        time.sleep(draws.uniform(0, 0.3))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        kills += run.returncode == -signal.SIGKILL
    assert kills, "at least one was killed at work"
    assert list(out.glob(".*")), "and left something"
    finished(start(folder, out, *words))
    assert contents(out) == contents(tmp_path / "whole")


def test_two_writers_of_one_shard(folder, tmp_path):
    first = start(folder, tmp_path / "out", "--names", "contrast", before=SLOWLY.format("corrupt"))
    while first.poll() is None and not list(tmp_path.glob("out/.unfinished-1-of-1/.lock")):
        time.sleep(0.01)
    with pytest.raises(InputError, match=r"another process is writing to .*out; wait until it has ended"):
        command(str(folder), str(tmp_path / "out"), names=["contrast"])
    with pytest.raises(InputError, match=r"another process is writing to .*out"):
        command(str(folder), str(tmp_path / "out"), names=["contrast"], seed=1, force=True, shard="2/2")
    finished(first)
    command(str(folder), str(tmp_path / "fresh"), names=["contrast"])
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


@pytest.mark.skipif(os.name == "nt", reason="the limit is one of POSIX systems")
def test_a_full_disk_is_one_line_and_it_goes_on(array, tmp_path):
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))"
    out = tmp_path / "out"
    run = start(array, out, "--names", "contrast", before=limit)  # 123 KB
    _, error = run.communicate(timeout=300)
    assert run.returncode == 2, error
    assert len(error.splitlines()) == 1
    assert f"can't write {out}/contrast.npy: File too large; what is there is whole and kept" in error
    assert sorted(path.name for path in out.iterdir()) == ["labels.npy", "settings.json"]
    command(str(array), str(out), names=["contrast"])
    command(str(array), str(tmp_path / "fresh"), names=["contrast"])
    assert contents(out) == contents(tmp_path / "fresh")


@pytest.mark.parametrize("layout", ["arrays", "folders"])
def test_broken_files(folder, tmp_path, capsys, layout):
    for name in ("c0/0.png", "c1/5.png"):
        (folder / name).write_bytes((folder / name).read_bytes()[:100])
    options = {"names": NAMES, "severities": [1], "layout": layout}
    with pytest.raises(InputError, match=r"c0/0\.png .* or pass --skip-broken"):
        command(str(folder), str(tmp_path / "out"), **options)
    assert not (tmp_path / "out").exists()
    command(str(folder), str(tmp_path / "out"), **options, skip_broken=True)
    assert "passed over 2 broken images" in capsys.readouterr().err
    listed = (tmp_path / "out" / "broken.txt").read_text().splitlines()
    assert listed == [str(folder / "c0/0.png"), str(folder / "c1/5.png")]
    record = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert (record["count"], record["broken"]) == (6, 2)
    if layout == "arrays":
        assert np.load(tmp_path / "out" / "contrast.npy").shape == (6, 40, 40, 3)
        assert np.load(tmp_path / "out" / "labels.npy").tolist() == [0, 0, 0, 1, 1, 1]
    else:
        assert len(list((tmp_path / "out" / "contrast").rglob("*.JPEG"))) == 6
