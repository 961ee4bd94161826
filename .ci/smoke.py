"""What an installed ipmix does without torch: python .ci/smoke.py FOLDER, a folder that isn't there yet."""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import ipmix

COMMANDS = (
    ("augment", "photo.png", "--size", "32", "--count", "2", "--mixing-count", "20", "--out", "sheet.png"),
    ("corrupt", "images.npy", "corrupted", "--names", "fog,frost", "--severities", "1,5"),
    ("mixing-set", "make", "mixing", "--count", "8", "--size", "36"),
    ("mixing-set", "verify", "mixing"),
    ("score", "predictions.npz", "--out", "scored", "--scores", "logits"),
    ("--print-completion", "bash"),
    ("doctor", "--no-checks"),
)


def main(folder: Path) -> None:
    assert importlib.util.find_spec("torch") is None, "torch is installed: this is about an environment without it"
    home = Path(ipmix.__file__).parent
    assert "site-packages" in home.parts, f"{home} is not the installed package"
    assert (home / "py.typed").is_file()
    described = importlib.metadata.metadata("ipmix")
    text = described.get_payload() or described["Description"]
    assert "IPMix mixes chains" in text
    relative = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")]
    assert not relative, f"a package index would show broken links: {relative}"
    folder.mkdir()
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    Image.fromarray(images[0]).save(folder / "photo.png")
    logits = draws.normal(size=(6, 3)).astype(np.float32)
    np.savez(folder / "predictions.npz", logits=logits, labels=np.arange(6) % 3)
    for words in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "ipmix", *words], cwd=folder, capture_output=True, text=True, check=False
        )
        sys.stdout.write(f"ipmix {' '.join(words)}: {done.returncode}\n")
        assert done.returncode == 0, done.stderr
    assert {"sheet.png", "corrupted", "mixing", "scored"} <= {path.name for path in folder.iterdir()}
    assert (folder / "scored" / "report.html").stat().st_size > 10_000
    assert ipmix.augment(images, ipmix.IPMix(), ipmix.MixingSet.sample(), seed=0).shape == images.shape
    refused = subprocess.run([sys.executable, "-m", "ipmix", "train", "digits", "--out", "x"], cwd=folder,
                             capture_output=True, text=True, check=False)  # fmt: skip
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert "ipmix[train]" in refused.stderr, refused.stderr


if __name__ == "__main__":
    main(Path(sys.argv[1]))
