import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.core.errors import InputError  # noqa: E402
from ipmix.evaluation.cam import grad_cam, last_spatial_layer, overlay  # noqa: E402


class Two(torch.nn.Module):
    """Class 0 counts red, class 1 counts green; the convolution hands the channels on."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 2, 1, bias=False)
        self.convolution.weight.data = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])[:, :, None, None]
        self.relu = torch.nn.ReLU(inplace=True)
        self.pool = torch.nn.AdaptiveAvgPool2d(1)

    def forward(self, images):
        return self.pool(self.relu(self.convolution(images))).flatten(1)


@pytest.fixture
def shown():
    image = torch.zeros(1, 3, 8, 8)
    image[0, 0, :4, :4] = 1.0  # red at the top left
    image[0, 1, 4:, 4:] = 0.5  # a weaker green at the bottom right
    return image


def test_the_layer_is_the_last_with_a_place(shown):
    assert last_spatial_layer(Two(), shown) == "relu"
    with pytest.raises(InputError, match="no layer"):
        last_spatial_layer(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2)), shown)


@pytest.mark.parametrize("layer", ["convolution", "relu"])
def test_it_shows_where_the_class_is(shown, layer):
    maps, predicted = grad_cam(Two(), shown, layer=layer)
    assert predicted.tolist() == [0]
    assert maps.shape == (1, 8, 8)
    assert maps[0, :4, :4] == pytest.approx(np.ones((4, 4)))
    assert maps[0, 4:].max() == 0
    other, _ = grad_cam(Two(), shown, layer=layer, classes=torch.tensor([1]))
    assert other[0, 4:, 4:] == pytest.approx(np.ones((4, 4)))
    assert other[0, :4].max() == 0


def test_it_is_the_formula():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 3)
    ).eval()
    images = torch.rand(2, 3, 6, 6)
    maps, predicted = grad_cam(model, images, layer="1")
    with torch.no_grad():
        activation = model[1](model[0](images))
    weight = model[3].weight.reshape(3, 4, 6, 6)
    for row in range(2):
        channels = weight[predicted[row]].mean(dim=(1, 2))  # the gradient of a linear layer is its weight
        heat = (channels[:, None, None] * activation[row]).sum(0).clamp_min(0)
        assert maps[row] == pytest.approx((heat / heat.max()).detach().numpy(), abs=1e-5)


def test_nothing_to_show_is_no_nan(shown):
    maps, _ = grad_cam(Two(), torch.zeros(1, 3, 8, 8), layer="relu")
    assert maps.tolist() == np.zeros((1, 8, 8)).tolist()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_overlay_is_a_image(channels):
    image = np.full((5, 6, channels), 100, np.uint8)
    shown = overlay(image, np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6))
    assert shown.shape == (5, 6, 3)
    assert shown.dtype == np.uint8
    assert shown[-1, -1].sum() > shown[0, 0].sum()
