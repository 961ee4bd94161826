import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.attacks.pgd import pgd  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402

PAPER = {"epsilon": 2 / 255, "steps": 20, "step_size": 0.5 / 255}


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 6 * 6, 5, bias=False))


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.uniform(0.1, 0.9, (12, 3, 6, 6)).astype(np.float32))
    return images, torch.from_numpy(random.integers(0, 5, 12))


def loss(model, images, labels):
    return torch.nn.functional.cross_entropy(model(images), labels, reduction="none")


def test_it_stays_in_the_ball_and_the_range(linear, batch):
    images, labels = batch
    images[0], images[1] = 0.0, 1.0
    found = pgd(linear, images, labels, **PAPER, seed=0)
    assert found.dtype == torch.float32
    assert (found - images).abs().max() <= 2 / 255 + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1
    assert (loss(linear, found, labels) > loss(linear, images, labels)).all()


def test_a_linear_model_of_two_classes_is_driven_to_the_corners(batch):
    """The gradient's sign is constant there, so the optimum is known: x + epsilon * sign."""
    images, _ = batch
    labels = torch.zeros(12, dtype=torch.int64)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(108, 2))
    direction = torch.sign(model[1].weight[1] - model[1].weight[0]).reshape(3, 6, 6)
    found = pgd(model, images, labels, **PAPER, seed=3)
    assert torch.allclose(found, images + 2 / 255 * direction, atol=1e-6)


def test_the_noisy_centre_reaches_twice_as_far(linear, batch):
    images, labels = batch
    clean = pgd(linear, images, labels, **PAPER, seed=0) - images
    noisy = pgd(linear, images, labels, **PAPER, seed=0, centre="noisy") - images
    assert noisy.abs().max() > 3.5 / 255
    assert noisy.abs().max() <= 4 / 255 + 1e-6
    assert clean.abs().max() <= 2 / 255 + 1e-6
    assert noisy.abs().mean() == pytest.approx(2 / 255, rel=0.05)


def test_the_start_depends_on_the_image_not_on_its_batch(linear, batch):
    images, labels = batch
    whole = pgd(linear, images, labels, epsilon=0.1, steps=0, step_size=0.0, seed=7)
    halves = [
        pgd(linear, images[part], labels[part], epsilon=0.1, steps=0, step_size=0.0, seed=7, indices=part)
        for part in (np.arange(5, 12)[::-1].copy(), np.arange(5))
    ]
    assert torch.equal(whole[5:].flip(0), halves[0])
    assert torch.equal(whole[:5], halves[1])
    other = pgd(linear, images, labels, epsilon=0.1, steps=0, step_size=0.0, seed=8)
    assert not torch.equal(whole, other)
    assert not torch.equal(whole[0] - images[0], whole[1] - images[1])


def test_the_start_fills_the_ball(linear):
    images, labels = torch.full((400, 3, 6, 6), 0.5), torch.zeros(400, dtype=torch.int64)
    options = {"epsilon": 0.1, "steps": 0, "step_size": 0.0, "seed": 0}
    change = pgd(linear, images, labels, **options) - images
    assert change.min() < -0.0999
    assert change.max() > 0.0999
    assert change.mean().abs() < 0.001
    length = (pgd(linear, images, labels, **options, norm="l2") - images).flatten(1).norm(dim=1)
    assert length.max() <= 0.1 + 1e-6
    # In 108 dimensions a uniform point of the ball lies at a radius of 108/109 of it on average.
    assert length.mean() == pytest.approx(0.1 * 108 / 109, rel=0.01)


def test_l2_stays_in_its_ball_and_finds_the_steepest_direction(batch):
    images, _ = batch
    labels = torch.zeros(12, dtype=torch.int64)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(108, 2))
    steepest = model[1].weight[1] - model[1].weight[0]
    expected = 0.05 * (steepest / steepest.norm()).reshape(3, 6, 6)
    found = pgd(model, images, labels, epsilon=0.05, steps=40, step_size=0.02, seed=0, norm="l2")
    assert (found - images).flatten(1).norm(dim=1).max() <= 0.05 + 1e-6
    assert torch.allclose(found - images, expected.expand(12, 3, 6, 6), atol=1e-3)


def test_restarts_never_do_worse(batch):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(108, 40), torch.nn.Tanh(), torch.nn.Linear(40, 5))
    images, labels = batch
    options = {"epsilon": 0.3, "steps": 2, "step_size": 0.1, "seed": 0}
    once = pgd(model, images, labels, **options)
    often = pgd(model, images, labels, **options, restarts=4)
    fooled_once = model(once).argmax(1) != labels
    fooled_often = model(often).argmax(1) != labels
    assert (fooled_often | ~fooled_once).all()


def test_the_model_is_left_as_it_was(batch):
    images, labels = batch
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(64, 5)
    )
    model.train()
    model[1].eval()
    model[3].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        pgd(model, images, labels, **PAPER, seed=0)
    assert [module.training for module in model] == [True, False, True, True]
    assert not model[3].bias.requires_grad
    assert model[0].weight.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(2, 3, 6, 6, dtype=torch.uint8)}, "float tensor"),
        ({"images": torch.full((2, 3, 6, 6), 255.0)}, "divide by 255"),
        ({"images": torch.full((2, 3, 6, 6), torch.nan)}, r"lie in \[0, 1\]"),
        ({"images": torch.zeros(0, 3, 6, 6)}, "empty"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, "labels must be 2"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"steps": -1}, "steps"),
        ({"restarts": 0}, "restarts"),
        ({"centre": "middle"}, "centre must be"),
        ({"norm": "l1"}, "norm must be"),
        ({"indices": [0]}, "indices must be 2"),
    ],
)
def test_bad_input_is_named(linear, change, message):
    arguments = {
        "images": torch.zeros(2, 3, 6, 6),
        "labels": torch.zeros(2, dtype=torch.int64),
        **PAPER,
        "seed": 0,
        **change,
    }
    with pytest.raises(InputError, match=message):
        pgd(linear, **arguments)
