"""The harness on one tiny row of each kind: that rows measure what they name, not how fast."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.timing import Contestant, Effort, race

from benchmarks import __main__ as command
from benchmarks import augmentation, images, loader, peers, yardstick
from ipmix.data.datasets import scan
from ipmix.methods.ipmix import IPMix
from ipmix.mixing_set.mixing_set import MixingSet

TINY = Effort(rounds=1, block=0.0, share=0.001, quick=True)
SYNTHETIC = images.Source(None)


def test_ours_draws_and_applies_to_every_image() -> None:
    images = SYNTHETIC.images(5, 16)
    one = augmentation.ours("ours", images, IPMix(), MixingSet.array(SYNTHETIC.mixing(3, 16)), "float32", "nchw")
    assert one.images == 5
    timing = race([one], TINY)["ours"]
    assert timing.rate > 0


def test_the_yardstick_is_absent_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(yardstick.VARIABLE, raising=False)
    module = yardstick.find()
    assert isinstance(module, str)
    tables, checks = augmentation.one_per_call(TINY, SYNTHETIC, module)
    assert [one.absent[0].name for one in tables] == ["yardstick", "yardstick"]
    assert checks == []


def test_a_yardstick_that_is_no_yardstick_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "not_a_yardstick.py"
    file.write_text("alloc = sample_batch = apply_f32 = None\n")
    monkeypatch.setenv(yardstick.VARIABLE, str(file))
    assert yardstick.find() == "not_a_yardstick.py lacks apply_u8"
    monkeypatch.setenv(yardstick.VARIABLE, str(tmp_path / "gone.py"))
    with pytest.raises(SystemExit, match=r"gone\.py"):
        yardstick.find()


def test_an_absent_or_broken_peer_is_a_row_with_a_reason() -> None:
    def breaks(images: np.ndarray) -> peers.Run:
        raise TypeError("changed its mind")

    which = (
        peers.Peer("not there", "no_such_package_here", breaks, (2, 2)),
        peers.Peer("broken", "json", breaks, (2, 2)),
        peers.Peer("fine", "json", lambda images: lambda call: None, (2, 2)),
    )
    ready, absent = peers.contestants(SYNTHETIC.images(4, 16), which)
    assert [(one.name, one.images) for one in ready] == [("fine", 2)]
    assert [one.name for one in absent] == ["not there", "broken"]
    assert "changed its mind" in absent[1].reason


def test_loader_rows_pass_over_every_image(tmp_path: Path) -> None:
    kilobytes = SYNTHETIC.write_jpegs(tmp_path / "train", 12, 40)
    assert kilobytes > 0.1
    files, mixing = scan(tmp_path, "train"), MixingSet.array(SYNTHETIC.mixing(2, 224))
    for form in loader.FORMS:
        one: Contestant = loader.contestant(form, 1, files, mixing)
        assert one.images == 12
        one.run(0)
        batches = list(loader.make_loader(form, 2, files, mixing).epoch(0))
        assert sum(map(len, batches)) == 12
        assert {len(batch.images) for batch in batches} == {form.views + form.clean}


def test_images_have_the_shape_asked_for() -> None:
    for channels in (1, 3, 4, 8):
        assert SYNTHETIC.images(3, 16, 24, channels).shape == (3, 16, 24, channels)
        assert SYNTHETIC.mixing(2, 28, channels).shape == (2, 32, 32, channels)
    assert np.array_equal(images.synthetic(2, 16, 16), images.synthetic(2, 16, 16))
    assert len(np.unique(SYNTHETIC.images(1, 32))) > 30


def test_a_wrong_image_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(images.VARIABLE, str(tmp_path))
    with pytest.raises(SystemExit, match="cifar10"):
        images.find()


def test_an_unknown_suite_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["nonsense"])
    assert "growth" in capsys.readouterr().err
