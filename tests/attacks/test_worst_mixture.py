"""AugMax's attack, against the plainest form of it: one image at a time, gradients by differences."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.attacks.worst_mixture import mixture, worst_mixture  # noqa: E402
from ipmix.core.errors import InputError  # noqa: E402

COUNT, CHAINS, CLASSES = 8, 3, 4


class Smooth(torch.nn.Module):
    """A small network that is smooth, so that differences give its gradient; in double precision."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = torch.nn.Linear(3 * 5 * 4, 6), torch.nn.Linear(6, CLASSES)
        self.double()

    def forward(self, x):
        return self.last(torch.tanh(2 * self.first(x.flatten(1))))


@pytest.fixture
def model():
    return Smooth().train()


@pytest.fixture
def given():
    draws = np.random.default_rng(1)
    clean = torch.from_numpy(draws.uniform(0, 1, (COUNT, 3, 5, 4)))
    chains = [torch.from_numpy(draws.uniform(0, 1, clean.shape)) for _ in range(CHAINS)]
    blend = torch.from_numpy(draws.uniform(0, 1, COUNT))
    logits = torch.from_numpy(draws.uniform(0, 1, (COUNT, CHAINS)))
    return clean, chains, blend, logits


def slow_mixture(clean, chains, blend, logits):
    """One image: numpy arrays and numbers."""
    shares = np.exp(logits) / np.exp(logits).sum()
    mixed = sum(share * chain for share, chain in zip(shares, chains, strict=True))
    return (1 - blend) * clean + blend * mixed


def slow_attack(model, clean, chains, label, blend, logits, steps, step_size, budget):
    """One image, gradients of the loss by central differences."""

    def answer(blend, logits):
        x = torch.from_numpy(slow_mixture(clean, chains, blend, logits))[None]
        with torch.no_grad():
            found = model(x)[0]
        return int(found.argmax()), -float(found.log_softmax(0)[label])

    mistakes = 0
    for _ in range(steps):
        mistakes += answer(blend, logits)[0] != label
        if budget is not None and mistakes >= budget:
            break
        tiny = 1e-6
        slope = answer(blend + tiny, logits)[1] - answer(blend - tiny, logits)[1]
        slopes = [
            answer(blend, logits + tiny * unit)[1] - answer(blend, logits - tiny * unit)[1]
            for unit in np.eye(len(logits))
        ]
        blend = min(max(blend + step_size * np.sign(slope), 0.0), 1.0)
        logits = logits + step_size * np.sign(slopes)
    return slow_mixture(clean, chains, blend, logits)


def labels_of(model, given):
    """Some right from the start, some not."""
    clean, chains, blend, logits = given
    with torch.no_grad():
        right = model(mixture(clean, chains, blend, logits)).argmax(1)
    labels = right.clone()
    labels[::3] = (labels[::3] + 1) % CLASSES
    return labels


@pytest.mark.parametrize("budget", [1, 2, None])
def test_it_is_the_plain_ascent_of_each_image(model, given, budget):
    clean, chains, blend, logits = given
    labels = labels_of(model, given)
    options = {"steps": 6, "step_size": 0.1, "budget": budget}
    got = worst_mixture(model, clean, chains, labels, blend=blend, logits=logits, **options)
    for i in range(COUNT):
        expected = slow_attack(
            model,
            clean[i].numpy(),
            [chain[i].numpy() for chain in chains],
            int(labels[i]),
            float(blend[i]),
            logits[i].numpy(),
            **options,
        )
        np.testing.assert_allclose(got[i].numpy(), expected, atol=1e-9)


def test_the_comparison_tells_budgets_apart(model, given):
    clean, chains, blend, logits = given
    labels = labels_of(model, given)
    found = [
        worst_mixture(model, clean, chains, labels, blend=blend, logits=logits, steps=6, budget=budget)
        for budget in (1, None)
    ]
    start = mixture(clean, chains, blend, logits)
    wrong = torch.arange(COUNT) % 3 == 0
    assert torch.equal(found[0][wrong], start[wrong]), "wrong from the start: left alone"
    assert not torch.allclose(found[1][wrong], start[wrong], atol=1e-3)


def test_the_loss_grows_and_the_result_stays_between_the_images(model, given):
    clean, chains, blend, logits = given
    labels = labels_of(model, given)
    found = worst_mixture(model, clean, chains, labels, blend=blend, logits=logits, steps=10, budget=None)
    losses = [
        torch.nn.functional.cross_entropy(model(x), labels, reduction="none")
        for x in (mixture(clean, chains, blend, logits), found)
    ]
    assert losses[1].mean() > losses[0].mean() + 0.01
    every = torch.stack([clean, *chains])
    assert (found >= every.amin(0) - 1e-12).all()
    assert (found <= every.amax(0) + 1e-12).all()
    assert not found.requires_grad


def test_a_image_s_result_does_not_depend_on_its_batch(model, given):
    clean, chains, blend, logits = given
    labels = labels_of(model, given)
    whole = worst_mixture(model, clean, chains, labels, blend=blend, logits=logits, steps=4)
    part = slice(3, 6)
    alone = worst_mixture(
        model, clean[part], [c[part] for c in chains], labels[part], blend=blend[part], logits=logits[part], steps=4
    )
    assert torch.allclose(whole[part], alone, atol=1e-12)


def test_the_model_and_the_start_are_left_as_they_were(given):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.Linear(60, CLASSES)).double()
    model[2].bias.requires_grad_(False)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    clean, chains, blend, logits = given
    kept = blend.clone(), logits.clone()
    worst_mixture(model, clean, chains, labels_of(model.eval(), given), blend=blend, logits=logits, steps=3)
    model.train()
    worst_mixture(model, clean, chains, torch.zeros(COUNT, dtype=torch.int64), blend=blend, logits=logits, steps=3)
    assert model.training
    assert model[0].training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == [True, True, True, False]
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(blend, kept[0])
    assert torch.equal(logits, kept[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chains": []}, "got none"),
        ({"blend": torch.zeros(3)}, r"blend must have the shape \[8\]"),
        ({"logits": torch.zeros(COUNT, 2)}, r"logits must have the shape \[8, 3\]"),
        ({"labels": torch.zeros(2)}, "labels"),
        ({"steps": -1}, "steps"),
        ({"step_size": float("nan")}, "step_size"),
        ({"budget": 0}, "budget must be at least 1"),
    ],
)
def test_bad_requests_are_refused(model, given, change, message):
    clean, chains, blend, logits = given
    call = {"chains": chains, "labels": torch.zeros(COUNT), "blend": blend, "logits": logits, "steps": 1, **change}
    with pytest.raises(InputError, match=message):
        worst_mixture(model, clean, call.pop("chains"), call.pop("labels"), **call)
