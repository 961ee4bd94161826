"""A model is held still while its inputs move, and is afterwards as it was before."""

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.core.frozen import frozen  # noqa: E402


def test_a_model_is_put_back_as_it_was() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout(), torch.nn.Linear(3, 2))
    model.train()
    model[2].eval()
    model[0].bias.requires_grad_(False)

    def state() -> list[bool]:
        return [m.training for m in model.modules()] + [p.requires_grad for p in model.parameters()]

    before = state()
    images = torch.ones(1, 3, requires_grad=True)
    with torch.no_grad(), frozen(model):
        assert not any(state())
        model(images).sum().backward()
    assert images.grad is not None
    assert state() == before

    def fails() -> None:
        with frozen(model):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert state() == before
    assert any(before)
    assert not all(before)
