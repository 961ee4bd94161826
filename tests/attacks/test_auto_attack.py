import sys

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.attacks import auto_attack as module  # noqa: E402
from ipmix.attacks.auto_attack import auto_attack  # noqa: E402
from ipmix.attacks.pgd import pgd  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402

SHAPE = (3, 4, 4)


@pytest.fixture(autouse=True)
def _package():
    pytest.importorskip("pyautoattack", reason="the autoattack extra is not installed")


class Linear(torch.nn.Module):
    """Logits that are linear in the pixels: how far an image is from another class can be written down."""

    def __init__(self, classes=6):
        super().__init__()
        torch.manual_seed(3)
        self.layer = torch.nn.Linear(48, classes)

    def forward(self, images):
        return self.layer(images.flatten(1))


def radius(model, image, label):
    """The largest L-infinity ball in which a linear model keeps its answer (away from the box's sides)."""
    logits = model(image[None])[0]
    weights = model.layer.weight
    return min(
        float((logits[label] - logits[other]) / (weights[label] - weights[other]).abs().sum())
        for other in range(len(logits))
        if other != label
    )


def sample_images(count=12):
    return 0.4 + 0.2 * torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def fooled(model, images, labels):
    with torch.no_grad():
        return model(images).argmax(dim=1) != labels


def test_on_a_linear_model_it_succeeds_exactly_where_it_can():
    model, images = Linear().eval(), sample_images()
    with torch.no_grad():
        labels = model(images).argmax(dim=1)
        reach = torch.tensor([radius(model, image, label) for image, label in zip(images, labels)])
    epsilon = float(reach.median())
    clear = (reach - epsilon).abs() > 0.02 * epsilon
    found = auto_attack(model, images, labels, epsilon=epsilon, seed=0)
    wrong = fooled(model, found, labels)
    assert torch.equal(wrong[clear], (reach < epsilon)[clear])
    assert 0 < int(wrong.sum()) < len(images)
    assert float((found - images).abs().max()) <= epsilon + 1e-6
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert torch.equal(found[~wrong], images[~wrong])


def test_it_finds_what_hidden_gradients_keep_from_pgd():
    class Hidden(Linear):
        """Steep logits: the cross entropy of a right answer is 0 in float32, and so is its gradient."""

        def forward(self, images):
            return 1e4 * super().forward(images)

    model, images = Hidden().eval(), sample_images()
    with torch.no_grad():
        labels = model(images).argmax(dim=1)
        reach = torch.tensor([radius(model, image, label) for image, label in zip(images, labels)])
    epsilon = 1.5 * float(reach.max())
    plain = pgd(model, images, labels, epsilon=epsilon, steps=20, step_size=epsilon / 4, seed=0)
    assert int(fooled(model, plain, labels).sum()) < len(images)
    found = auto_attack(model, images, labels, epsilon=epsilon, seed=0)
    assert bool(fooled(model, found, labels).all())


def test_networks_in_another_memory_layout():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32, 5))
    model = model.to(memory_format=torch.channels_last).eval()
    images = sample_images(3).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    with torch.no_grad():
        labels = model(images).argmax(dim=1)
    found = auto_attack(model, images, labels, epsilon=0.3, seed=0)
    assert fooled(model, found, labels).any()
    assert float((found - images).abs().max()) <= 0.3 + 1e-6


def test_the_same_seed_the_same_images_and_nothing_else_moves():
    model, images = Linear().train(), sample_images(4)
    labels = torch.tensor([0, 1, 2, 3])
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = auto_attack(model, images, labels, epsilon=0.01, seed=5)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first, auto_attack(model, images, labels, epsilon=0.01, seed=5))
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_debugger_keeps_its_trace():
    model, images = Linear().eval(), sample_images(2)
    seen = []
    before = sys.gettrace()
    try:
        sys.settrace(lambda *arguments: seen.append(1))
        mine = sys.gettrace()
        auto_attack(model, images, torch.tensor([0, 1]), epsilon=0.001, seed=0)
        assert sys.gettrace() is mine
    finally:
        sys.settrace(before)


def test_few_classes_and_other_norms_are_refused():
    with pytest.raises(InputError, match="at least 4 classes, got 3"):
        auto_attack(Linear(3), sample_images(1), torch.tensor([0]), epsilon=0.1, seed=0)
    with pytest.raises(InputError, match="norm must be"):
        auto_attack(Linear(), sample_images(1), torch.tensor([0]), epsilon=0.1, norm="l1", seed=0)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    with pytest.raises(InputError, match=r"pip install \"ipmix\[autoattack\]\""):
        module.require()
