"""Augmentation: each image with its own draw, nothing invented, nothing else touched."""

from functools import partial

import pytest
import torch

from course_lib.batches import Batches
from course_lib.images import channel_statistics, cutout, normalize, on_images, random_affine, random_crop, random_flip

TRANSFORMS = {
    "flip": random_flip,
    "crop": partial(random_crop, padding=4),
    "cutout": partial(cutout, size=8),
    "affine": partial(random_affine, shift=0.1, zoom=0.2, shear=0.2),
}
every_transform = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=50, height=20, width=16):
    return torch.rand(count, 3, height, width, generator=seeded(7)) + 0.01  # no pixel is 0


@every_transform
def test_a_transform_keeps_shape_kind_and_range(transform):
    images = pictures()
    changed = transform(images, generator=seeded())
    assert changed.shape == images.shape and changed.dtype == images.dtype
    assert changed.min() >= 0 and changed.max() <= images.max() + 1e-6


@every_transform
def test_a_transform_depends_on_the_generator_alone(transform):
    torch.manual_seed(1)
    first = transform(pictures(), generator=seeded(3))
    torch.manual_seed(2)
    assert torch.equal(transform(pictures(), generator=seeded(3)), first)
    assert not torch.equal(transform(pictures(), generator=seeded(4)), first)


@every_transform
def test_a_transform_leaves_what_it_was_given(transform):
    images = pictures()
    transform(images, generator=seeded())
    assert torch.equal(images, pictures())


@every_transform
def test_each_image_has_its_own_draw(transform):
    same = pictures(1).expand(50, -1, -1, -1)
    assert len(transform(same, generator=seeded()).flatten(1).unique(dim=0)) > 1


@every_transform
def test_all_channels_of_an_image_move_together(transform):
    gray = pictures()[:, :1].expand(-1, 3, -1, -1)
    red, green, blue = transform(gray, generator=seeded()).unbind(1)
    assert torch.equal(red, green) and torch.equal(red, blue)


@every_transform
def test_an_empty_batch_stays_empty(transform):
    assert transform(pictures(0), generator=seeded()).shape == (0, 3, 20, 16)


def test_about_half_of_the_images_are_mirrored_and_the_others_are_not():
    images = pictures(1000)
    changed = random_flip(images, generator=seeded())
    mirrored = (changed == images.flip(-1)).flatten(1).all(1)
    untouched = (changed == images).flatten(1).all(1)
    assert (mirrored ^ untouched).all()
    assert 400 < mirrored.sum() < 600  # eight standard deviations wide, and the seed is fixed


def test_a_crop_is_one_of_the_windows_of_the_padded_image():
    images = pictures()
    padded = torch.nn.functional.pad(images, [2] * 4, mode="reflect")
    changed = random_crop(images, padding=2, generator=seeded())
    windows = padded.unfold(2, 20, 1).unfold(3, 16, 1).flatten(2, 3)  # (n, c, 25, h, w)
    hits = (windows == changed.unsqueeze(2)).all(dim=(1, 3, 4))  # (n, 25)
    assert (hits.sum(1) == 1).all()
    assert hits.any(0).sum() > 15  # of 25 places


def test_a_crop_without_padding_changes_nothing():
    assert torch.equal(random_crop(pictures(), padding=0, generator=seeded()), pictures())


@pytest.mark.parametrize("padding", [-1, 16])
def test_a_crop_refuses_a_padding_that_has_no_mirror_image(padding):
    with pytest.raises(ValueError, match="from 0 to 15 for 20x16"):
        random_crop(pictures(), padding=padding, generator=seeded())


def test_cutout_erases_a_square_and_nothing_else():
    images = pictures(200)
    changed = cutout(images, size=5, generator=seeded())
    erased = (changed == 0).all(1)  # (n, h, w)
    assert torch.equal(changed[~(changed == 0)], images[~(changed == 0)])
    heights, widths = erased.any(2).sum(1), erased.any(1).sum(1)
    assert torch.equal(erased.sum(dim=(1, 2)), heights * widths)  # a rectangle
    assert heights.max() == 5 and widths.max() == 5 and heights.min() >= 3  # cut off at the rim


def test_cutout_refuses_a_square_of_no_size():
    with pytest.raises(ValueError, match="size is 0"):
        cutout(pictures(), size=0, generator=seeded())


def ramp(direction, side=32):
    """Images whose pixels are their own coordinate, from -1 to 1."""
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    grid = line.view(1, -1).expand(side, side) if direction == "x" else line.view(-1, 1).expand(side, side)
    return grid.expand(200, 1, side, side).contiguous()


def middle(images):
    return images[..., 12:20, 12:20]


def test_an_affine_without_amounts_changes_nothing():
    torch.testing.assert_close(random_affine(pictures(), generator=seeded()), pictures())


def test_a_shift_moves_by_up_to_its_share_of_the_picture():
    moved = middle(random_affine(ramp("x"), shift=0.1, generator=seeded())) - middle(ramp("x"))
    amounts = moved.mean(dim=(1, 2, 3))  # the picture is two units wide
    assert amounts.abs().max() <= 0.2 and amounts.min() < -0.15 and amounts.max() > 0.15
    torch.testing.assert_close(moved, amounts.view(-1, 1, 1, 1).expand_as(moved))


def test_a_zoom_stretches_both_directions_alike():
    across = middle(random_affine(ramp("x"), zoom=0.25, generator=seeded()))
    down = middle(random_affine(ramp("y"), zoom=0.25, generator=seeded()))
    torch.testing.assert_close(across, down.transpose(2, 3))
    factors = (across[..., -1] - across[..., 0]).mean(dim=(1, 2)) / (7 / 16)
    assert 1 / 1.25 <= factors.min() < 0.85 and 1.25 < factors.max() <= 1 / 0.75


def test_a_shear_slants_upright_lines_and_keeps_level_ones():
    slanted = middle(random_affine(ramp("x"), shear=0.3, generator=seeded()))
    slopes = (slanted[:, 0, -1, 0] - slanted[:, 0, 0, 0]) / (7 / 16)
    largest = torch.tan(torch.tensor(0.3))
    assert 0.25 < slopes.abs().max() <= largest and slopes.min() < 0 < slopes.max()
    torch.testing.assert_close(middle(random_affine(ramp("y"), shear=0.3, generator=seeded())), middle(ramp("y")))


@pytest.mark.parametrize("amounts", [{"zoom": 1.0}, {"zoom": -0.1}, {"shear": 1.6}])
def test_an_affine_refuses_amounts_that_turn_the_picture_inside_out(amounts):
    with pytest.raises(ValueError, match=r"zoom must be in \[0, 1\)"):
        random_affine(pictures(), **amounts, generator=seeded())


def test_labels_stay_as_they_are_when_images_change():
    images, labels, weights = pictures(), torch.arange(50), torch.rand(50)
    augment = on_images(random_flip, partial(random_crop, padding=2))
    changed, *others = augment(images, labels, weights, generator=seeded())
    assert not torch.equal(changed, images)
    assert torch.equal(others[0], labels) and torch.equal(others[1], weights)


def test_transforms_are_applied_in_the_order_given():
    add, double = (lambda images, generator: images + 1), (lambda images, generator: images * 2)
    assert on_images(add, double)(torch.zeros(1), generator=seeded())[0] == 2


def test_batches_take_an_augmentation_as_it_is():
    batches = Batches(pictures(), torch.arange(50), batch_size=20, augment=on_images(random_flip))
    once, again = (torch.cat([images for images, _ in batches.epoch(1)]) for _ in range(2))
    assert torch.equal(once, again) and not torch.equal(once, pictures())


def test_normalized_images_have_mean_zero_and_deviation_one_in_each_channel():
    images = pictures() * torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
    mean, std = channel_statistics(images)
    normal = normalize(images, mean=mean, std=std)
    torch.testing.assert_close(normal.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std(dim=(0, 2, 3), correction=0), torch.ones(3))
    torch.testing.assert_close(normalize(images, mean=mean.tolist(), std=std.tolist()), normal)
