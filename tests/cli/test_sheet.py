import numpy as np
import pytest
from PIL import Image

from ipmix.augmentation.batches import draw
from ipmix.augmentation.stages import levels_of, telling_seed
from ipmix.cli.main import main
from ipmix.cli.sheet import BOX, CLEAR, DARK, GAP, SheetRow, contact_sheet, draw_sheet
from ipmix.methods import IPMix


def test_a_contact_sheet_s_images_fill_their_cells():
    images = [np.full((side, side, 3), 200, np.uint8) for side in (8, 40, 300, 128)]
    sheet = np.asarray(contact_sheet(images, 128))
    assert sheet.shape == (2 * 128 + 4, 2 * 128 + 4, 3)
    assert (sheet == 200).all(axis=2).sum() == 4 * 128 * 128
    assert (sheet[:, 128:132] == DARK).all()


def test_boxes_are_outlined_where_they_are():
    image = np.full((16, 16, 3), 100, np.uint8)
    plain, boxed = (
        np.asarray(draw_sheet([SheetRow("", [("a", image), ("b", image)], boxes)], cell=160))
        for boxes in ((), (None, (4, 2, 8, 10)))
    )
    changed = np.argwhere((plain != boxed).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    around = CLEAR + 3
    assert (right - left + 1, bottom - top + 1) == (40 + 2 * around, 80 + 2 * around), "the box, ten times as large"
    cell = np.argwhere((plain == 100).all(axis=2))
    second = cell[cell[:, 1] > cell[:, 1].min() + 160]
    assert (left - second[:, 1].min(), top - second[:, 0].min()) == (40 - around, 20 - around)
    inside = boxed[top + 3 : bottom - 2, left + 3 : right - 2]
    assert inside.shape[:2] == (80 + 2 * CLEAR, 40 + 2 * CLEAR)
    assert (inside == 100).all(), "nothing of the patch is covered, nor what lies next to it"
    assert (boxed == BOX).all(axis=2).any()
    assert not (plain == BOX).all(axis=2).any()


def test_a_patch_of_a_few_pixels_is_seen_within_its_outline():
    image = np.full((224, 224, 3), 100, np.uint8)
    image[100:104, 60:68] = (0, 200, 0)
    sheet = np.asarray(draw_sheet([SheetRow("", [("a", image)], [(60, 100, 68, 104)])], cell=144)).astype(int)
    rows, columns = np.nonzero((sheet == BOX).all(axis=2))
    inside = sheet[rows.min() + 2 : rows.max() - 1, columns.min() + 2 : columns.max() - 1]
    assert (inside[:, :, 1] - inside[:, :, 0] > 60).any(axis=1).sum() >= 2
    assert (inside[:, :, 1] - inside[:, :, 0] > 60).any(axis=0).sum() >= 4


def test_a_tall_image_and_its_label_begin_at_the_same_place():
    image = np.full((60, 20, 3), 100, np.uint8)
    sheet = np.asarray(draw_sheet([SheetRow("", [("HHHH", image)])], cell=96)).astype(int)
    seen = np.argwhere((sheet == 100).all(axis=2))
    below = np.argwhere((sheet[seen[:, 0].max() + 2 :] < 200).any(axis=2))
    assert seen[:, 1].min() == GAP
    assert below[:, 1].min() - GAP <= 2, "a letter's own margin"


@pytest.mark.parametrize("shape", [(32, 32, 3), (48, 64, 3)])
def test_the_seed_that_is_picked_shows_all_levels(shape):
    seed = telling_seed(IPMix(), shape, 8, epoch=0, index=0)
    recipes = [draw(IPMix(), (1, *shape), 8, seed=s, epoch=0, indices=[0])[0] for s in range(seed + 1)]
    assert levels_of(recipes[-1], shape) == {"image", "patch", "pixel"}
    assert all(len(levels_of(recipe, shape)) < 3 for recipe in recipes[:-1]), "the first such seed"


def test_explain_picks_it_and_says_so_unless_a_seed_is_given(tmp_path, capsys, images):
    photo = tmp_path / "photo.png"
    Image.fromarray(images[0]).save(photo)
    picked = telling_seed(IPMix(), images[0].shape, 4, epoch=0, index=0)
    common = ["augment", str(photo), "--mixing-count", "4", "--cell", "64", "--out"]
    assert main([*common, str(tmp_path / "a.png"), "--explain"]) == 0
    assert f"seed {picked}, epoch 0" in capsys.readouterr().out
    assert main([*common, str(tmp_path / "b.png"), "--explain", "--seed", "3"]) == 0
    assert "seed 3, epoch 0" in capsys.readouterr().out
    assert main([*common, str(tmp_path / "c.png")]) == 0
    told = capsys.readouterr().out
    assert "seed 0, epoch 0" in told
    assert "--explain --seed 0" in told, "what to do next, of the same version"


def test_labels_of_a_larger_size_are_larger_and_leave_the_images_as_they_are(images):
    row = SheetRow("a heading", [("a label", images[0])])
    small, large = (np.asarray(draw_sheet([row], cell=96, text=text)).astype(int) for text in (12, 24))
    assert large.shape[0] > small.shape[0]
    assert large.shape[1] == small.shape[1]
    assert (large < 200).any(axis=2).sum() > (small < 200).any(axis=2).sum()
    assert np.array_equal(draw_sheet([row], cell=96), small), "12 points are the default"
