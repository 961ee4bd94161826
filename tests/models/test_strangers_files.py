"""Files of ours that are not: what a safetensors file says of itself is checked before anything is built."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as serialise

from ipmix import models
from ipmix.core.errors import InputError
from ipmix.models.loading import open_model

GOOD: dict[str, Any] = {"format": 1, "name": "wrn-10-1", "classes": ["a", "b"], "facts": {"size": 16}}
MISSING = object()


def good_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {key: value.clone() for key, value in models.build("wrn-10-1", 2).state_dict().items()}


def write(path: Path, about: object, state: dict[str, torch.Tensor] | None = None) -> Path:
    text = about if isinstance(about, str) else json.dumps(about)
    path.write_bytes(serialise(good_state() if state is None else state, {"ipmix": text}))
    return path


def test_the_file_that_the_others_differ_from_is_read(tmp_path: Path) -> None:
    assert open_model(str(write(tmp_path / "a.safetensors", GOOD)), classes=9).classes == ("a", "b")


@pytest.mark.parametrize("text", ["null", "[]", "3", '"text"', "{", "[" * 100_000, "{" * 3, ""])
def test_metadata_that_is_no_object(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"a\.safetensors: its metadata 'ipmix' (?:is not JSON|must be a JSON object)"):
        models.load(write(tmp_path / "a.safetensors", text))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", MISSING, "needs format, .* which is missing"),
        ("format", "1", "needs format"),
        ("format", True, "needs format"),
        ("format", 99, "has format 99"),
        ("name", MISSING, "needs name"),
        ("name", 3, "needs name, the network's name, got 3"),
        ("name", "foo", "name in its metadata: unknown model 'foo'"),
        ("name", "os:getcwd", "name in its metadata: unknown model 'os:getcwd'"),
        ("name", "timm:hf-hub:someone/something", "name in its metadata: unknown model"),
        ("name", "timm:hf_hub:someone/something", "name in its metadata: unknown model"),
        ("name", "timm:local-dir:/tmp", "name in its metadata: unknown model"),
        ("name", "timm:someone/something", "name in its metadata: unknown model"),
        ("name", "torchvision:fasterrcnn_resnet50_fpn", "name in its metadata: unknown model"),
        ("name", "\x1b[31mwrn", r"unknown model '\\x1b\[31mwrn'"),
        ("name", "wrn-100000-1", "asks for wrn-100000-1: .* depth 100,000 and width 1"),
        ("name", "wrn-10-100000", "asks for wrn-10-100000: .* width 100,000 would have about .* GB"),
        ("name", "wrn-40-20", "does not fit wrn-40-20"),
        ("name", "wrn-9999999999999-1", "unknown model"),
        ("classes", MISSING, "needs classes"),
        ("classes", 1_000_000_000, "needs classes, a list of names, got 1000000000"),
        ("classes", [], "at least one class"),
        ("classes", ["a", "a"], "two classes have the name 'a'"),
        ("classes", ["a", 3], "a class's name is a text that is not empty, got 3"),
        ("classes", ["a", " "], "a class's name is a text"),
        ("classes", ["<script>", "a\x1b[31m"], "no control characters"),
        ("classes", ["a", "b\u202e"], "no control characters"),
        ("classes", ["a", "b", "c"], r"with 3 classes: network\.head"),
        ("facts", MISSING, "needs facts"),
        ("facts", "text", "needs facts, an object"),
        ("facts", {"size": -5}, r"facts\.size in its metadata must be .* got -5"),
        ("facts", {"size": 1_000_000}, r"facts\.size in its metadata must be .* got 1000000"),
        ("facts", {"size": 0}, r"facts\.size"),
        ("facts", {"size": "32"}, r"facts\.size"),
        ("facts", {"size": True}, r"facts\.size"),
    ],
)
def test_what_a_file_says_of_itself_is_checked(
    tmp_path: Path, key: str, value: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    about = {**GOOD, key: value}
    if value is MISSING:
        del about[key]
    with pytest.raises(InputError, match=message) as caught:
        open_model(str(write(tmp_path / "a.safetensors", about)), classes=9)
    assert "a.safetensors" in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mean", MISSING, "does not hold the tensor mean"),
        ("std", MISSING, "does not hold the tensor std"),
        ("std", torch.zeros(1, 3, 1, 1), "std must be above 0"),
        ("std", torch.full((1, 3, 1, 1), torch.nan), "std holds numbers that are not finite"),
        ("mean", torch.ones(3), r"mean must be float\[1, channels, 1, 1\], got torch\.float32\[3\]"),
        ("mean", torch.ones(1, 0, 1, 1), "mean must be float"),
        ("mean", torch.ones(1, 3, 1, 1, dtype=torch.int64), "mean must be float"),
        ("mean", torch.ones(1, 2, 1, 1), "mean and std have one number a channel each"),
        ("network.head.bias", MISSING, r"it lacks network\.head\.bias"),
        ("network.norm.num_batches_tracked", MISSING, r"it lacks network\.norm\.num_batches_tracked"),
        ("network.head.bias", torch.ones(7), r"network\.head\.bias is \[7\], expected \[2\]"),
        ("network.head.bias", torch.tensor([1.0, torch.inf]), r"network\.head\.bias holds numbers that are not finite"),
        ("network.more", torch.ones(1), r"it also has network\.more"),
    ],
)
def test_tensors_of_a_file_are_checked(tmp_path: Path, key: str, value: object, message: str) -> None:
    state: dict[str, Any] = good_state() | {key: value}
    if value is MISSING:
        del state[key]
    with pytest.raises(InputError, match=message) as caught:
        models.load(write(tmp_path / "a.safetensors", GOOD, state))
    assert "a.safetensors" in str(caught.value)


def test_a_large_network_is_never_built_for_a_small_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tensors are compared before memory is asked for."""
    small, good = (
        write(tmp_path / "a.safetensors", {**GOOD, "name": "wrn-28-10"}),
        write(tmp_path / "b.safetensors", GOOD),
    )
    kept = []
    real = models.building._own

    def watched(*words: Any) -> torch.nn.Module:
        network = real(*words)
        kept.append(next(network.parameters()).device.type)
        return network

    monkeypatch.setattr(models.building, "_own", watched)
    with pytest.raises(InputError, match="does not fit"):
        models.load(small)
    assert kept == ["meta"]
    models.load(good)
    assert kept == ["meta", "meta", "cpu"]


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:regnet_y_400mf", "torchvision:googlenet"])
def test_networks_of_other_libraries_are_built_by_their_exact_names(tmp_path: Path, name: str) -> None:
    pytest.importorskip(name.partition(":")[0], reason="not installed")
    models.save(tmp_path / "a.safetensors", models.build(name, 2))
    assert models.load(tmp_path / "a.safetensors").name == name


def test_a_normalisation_that_would_not_be_used_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", GOOD)
    half, other = (0.5, 0.5, 0.5), (0.4, 0.5, 0.6)
    open_model(str(path), classes=2, mean=half, std=half)
    for spec in (str(path), f"wrn-10-1:{path}"):
        with pytest.raises(InputError, match="leave"):
            open_model(spec, classes=2, mean=other, std=half)
    for std in ((0.0,) * 3, (torch.nan,) * 3, (-1.0,) * 3, (0.5,)):
        with pytest.raises(InputError, match="--mean and --std"):
            open_model(str(path), classes=2, mean=half, std=std)
    with pytest.raises(InputError, match="--mean and --std: each channel's mean is a finite number"):
        open_model(str(path), classes=2, mean=(torch.inf, 0.5, 0.5), std=half)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrn-100000-1", "model wrn-100000-1: .* depth 100,000 and width 1 would have about"),
        ("wrn-10-100000", "width 100,000 would have about 967,680,000,000,000"),
        ("wrn-0-0", "model wrn-0-0: a wide ResNet's depth is 6n"),
        ("wrn-10-0", "model wrn-10-0: a wide ResNet's width is at least 1"),
        ("wrn-11-1", "model wrn-11-1: a wide ResNet's depth is 6n"),
    ],
)
def test_impossible_networks_are_refused_before_memory_is_asked_for(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        models.build(name, 2)


def test_impossible_numbers_of_classes() -> None:
    for count in (0, -1, 10**9, 2**70):
        with pytest.raises(InputError, match="at least one class and at most 1,000,000"):
            models.build("wrn-10-1", count)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "name is empty"),
        ("  ", "name is empty"),
        ("json:loads", r"json:loads\(\) failed \(TypeError: "),
        ("json:nothing", "json has no nothing"),
        ("os:getcwd", "returned a str"),
        ("os:sep", "os:sep is a str; expected a function without arguments"),
    ],
)
def test_names_that_give_no_model(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_model(spec, classes=2)
