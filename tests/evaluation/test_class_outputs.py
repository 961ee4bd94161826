import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.evaluation.class_outputs import Restricted, class_of, largest_output, restricted  # noqa: E402

LOGITS = torch.tensor([[0.0, 1.0, 2.0, 3.0], [7.0, 6.0, 5.0, 4.0]])


def test_one_output_a_class() -> None:
    assert restricted(LOGITS, [2, 0]).tolist() == [[2.0, 0.0], [5.0, 7.0]]


def test_of_several_outputs_the_largest_counts() -> None:
    assert restricted(LOGITS, [(0, 3), 1]).tolist() == [[3.0, 1.0], [7.0, 6.0]]
    assert Restricted(torch.nn.Identity(), [(0, 3), 1])(LOGITS).tolist() == [[3.0, 1.0], [7.0, 6.0]]


def test_which_class_an_output_stands_for() -> None:
    assert [class_of(output, [(0, 3), 1]) for output in range(4)] == [0, 1, None, 0]
    assert largest_output([(0, 3), 1]) == 3
