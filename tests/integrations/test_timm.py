"""timm: our names where timm takes auto_augment, its own as before; the way to its train script."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

timm = pytest.importorskip("timm", reason="timm is not installed")

from PIL import Image  # noqa: E402
from timm.data import transforms_factory  # noqa: E402

import ipmix  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402
from ipmix.integrations.timm import create_transform, is_ours  # noqa: E402
from ipmix.integrations.timm_train import main  # noqa: E402
from ipmix.transforms import MethodTransform  # noqa: E402


def inside(transform: object) -> list[object]:
    return transform.transforms  # type: ignore[attr-defined, no-any-return]


def test_our_names_in_the_place_of_auto_augment() -> None:
    before = transforms_factory.auto_augment_transform
    made = inside(create_transform(32, is_training=True, auto_augment="ipmix-m5-k2-t1"))
    (ours,) = [one for one in made if isinstance(one, MethodTransform)]
    assert ours.method == ipmix.IPMix(severity=5.0, k=2, t=1)
    kinds = [type(one).__name__ for one in made]
    assert "ColorJitter" not in kinds
    assert kinds.index("MethodTransform") > kinds.index("RandomHorizontalFlip")
    assert transforms_factory.auto_augment_transform is before
    three = create_transform(32, is_training=True, auto_augment="ipmix:augmix-k2", separate=True)
    assert isinstance(inside(three[1])[0], MethodTransform)
    image = Image.fromarray(np.zeros((40, 40, 3), np.uint8))
    assert create_transform(32, is_training=True, auto_augment="ipmix-k3")(image).shape == (3, 32, 32)


@pytest.mark.parametrize("name", ["rand-m9-mstd0.5", "augmix-m3", "original", "v0"])
def test_timms_own_names_stay_timms(name: str) -> None:
    assert not is_ours(name) or name.startswith(("rand", "augmix"))
    made = inside(create_transform(32, is_training=True, auto_augment=name))
    assert not any(isinstance(one, MethodTransform) for one in made)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(InputError, match="'q3' in 'ipmix-q3' is no option of ipmix"):
        create_transform(32, is_training=True, auto_augment="ipmix-q3")


SCRIPT = """
import sys
from timm.data import create_transform
import beside
if __name__ == "__main__":
    made = create_transform(32, is_training=True, auto_augment=sys.argv[sys.argv.index("--aa") + 1])
    print(beside.WORD, sys.argv[0].rpartition("/")[2], [type(one).__name__ for one in made.transforms][2])
"""


def test_a_train_script_runs_unchanged_with_our_names(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("WORD = 'found'\n")
    command = [sys.executable, "-m", "ipmix.integrations.timm_train", str(tmp_path / "train.py"), "DATA", "--aa"]
    done = subprocess.run([*command, "ipmix-m3-k3-t3"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "found train.py MethodTransform\n"), done.stderr
    plain = subprocess.run(
        [sys.executable, str(tmp_path / "train.py"), "--aa", "ipmix-m3-k3-t3"], capture_output=True, check=False
    )
    assert plain.returncode != 0, "without it timm doesn't know the name"


def test_a_script_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no train script .*nothing\.py: give the path of train\.py"):
        main([str(tmp_path / "nothing.py"), "--aa", "ipmix"])
    with pytest.raises(InputError, match=r"^usage: python -m ipmix\.integrations\.timm_train"):
        main([])
