"""The networks of lesson 06, and what is made of their answers."""

import pytest
import torch
from torch import nn

from course_lib.medical_models import NoduleNet, UNet, compare_regions, flip, masks_from


def picture(*rows):
    return torch.tensor([[character == "#" for character in row] for row in rows])[None, None]


@pytest.mark.parametrize("size", [(16, 16), (28, 28), (64, 64), (37, 50)])
def test_a_classifier_takes_pictures_of_any_size(size):
    assert NoduleNet(in_channels=3)(torch.rand(2, 3, *size)).shape == (2,)


@pytest.mark.parametrize("size", [(64, 64), (65, 51), (8, 8)])
def test_a_unet_gives_a_logit_for_each_pixel_whatever_the_size(size):
    assert UNet()(torch.rand(2, 1, *size)).shape == (2, 1, *size)


def test_a_fresh_unet_expects_about_the_share_that_it_was_told():
    torch.manual_seed(0)
    assert UNet(share=0.003)(torch.rand(4, 1, 64, 64)).sigmoid().mean() < 0.02
    assert UNet(share=0.5)(torch.rand(4, 1, 64, 64)).sigmoid().mean() > 0.2


def test_a_unet_sees_the_shallow_picture_beside_the_deep_one():
    torch.manual_seed(0)
    net = UNet().eval()
    nn.init.zeros_(net.up[-1].convolve.weight[:, :12])  # nothing from below
    images = torch.rand(1, 1, 32, 32)
    other = images.clone()
    other[..., 16, 16] += 1
    changed = (net(images) != net(other)).nonzero()[:, 2:]
    assert len(changed) > 0 and (changed - 16).abs().max() <= 2  # two convolutions reach two pixels


def test_specks_are_dropped_and_regions_stay():
    drawn = picture("##...", "##..#", "##...", ".....")
    masks = masks_from(20.0 * drawn - 10, smallest=3)
    assert torch.equal(masks, picture("##...", "##...", "##...", "....."))
    assert torch.equal(masks_from(20.0 * drawn - 10, smallest=1), drawn)


def test_a_threshold_is_a_probability():
    logits = torch.tensor([0.2, 0.5, 0.9]).logit().view(1, 1, 1, 3)
    assert masks_from(logits, threshold=0.6, smallest=1).flatten().tolist() == [False, False, True]


def test_findings_are_counted_one_by_one():
    true = picture("##..#", "....#", "#....")
    drawn = picture("#..##", ".....", "..#.#")
    assert compare_regions(true, drawn) == (3, 2, 2)
    assert compare_regions(true, true) == (3, 3, 0)
    assert compare_regions(true & False, drawn) == (0, 0, 4)


def test_a_flip_takes_the_masks_along_and_leaves_labels_alone():
    images, labels = torch.arange(24.0).view(2, 1, 3, 4), torch.tensor([0, 1])
    seen = set()
    for seed in range(20):
        flipped, masks = flip(images, images > 5, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(masks, flipped > 5)
        assert torch.equal(flip(images, labels, generator=torch.Generator().manual_seed(seed))[1], labels)
        seen.add(tuple(flipped[0].flatten().tolist()))
    assert len(seen) == 4
