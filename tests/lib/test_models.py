"""The finished networks: shapes, sizes, and what makes each of them what it is."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.models import (
    MLP,
    FastResNet,
    FastStage,
    ResidualBlock,
    SmallCNN,
    SmallResNet,
    TextbookCNN,
    whitening_filters,
)


def pictures(count=8, channels=3, side=32):
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def num_parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


MODELS = {
    "MLP": (lambda: MLP(3 * 32 * 32, hidden_sizes=(64, 32), dropout=0.5), (3, 32)),
    "SmallCNN": (SmallCNN, (1, 8)),
    "TextbookCNN": (TextbookCNN, (3, 32)),
    "SmallResNet": (SmallResNet, (3, 32)),
    "SmallResNet on digits": (lambda: SmallResNet(in_channels=1), (1, 8)),
    "FastResNet": (lambda: FastResNet(pictures(100), widths=(16, 32, 32)), (3, 32)),
}
every_model = pytest.mark.parametrize(("make", "size"), MODELS.values(), ids=MODELS)


@every_model
def test_a_model_gives_ten_finite_logits_per_image(make, size):
    logits = make().eval()(pictures(5, *size))
    assert logits.shape == (5, 10) and logits.isfinite().all()


@every_model
def test_every_weight_that_can_learn_gets_a_gradient(make, size):
    model = make()
    F.cross_entropy(model(pictures(16, *size)), torch.arange(16) % 10).backward()
    without = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert without == []


@every_model
def test_an_image_is_judged_by_itself_once_the_model_is_trained(make, size):
    model, images = make(), pictures(6, *size)
    model(images)  # batch norms have seen something
    model.eval()
    torch.testing.assert_close(model(images)[2:3], model(images[2:3]), atol=1e-5, rtol=1e-4)


@every_model
def test_a_model_overfits_one_small_batch(make, size):
    torch.manual_seed(0)
    model, images, labels = make(), pictures(10, *size), torch.arange(10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    assert (model.eval()(images).argmax(1) == labels).all()


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (TextbookCNN(), 122_570),  # what Keras' summary prints for the same layers
        (MLP(784, hidden_sizes=(128,)), 784 * 128 + 128 + 128 * 10 + 10),
        (MLP(64, hidden_sizes=()), 650),  # logistic regression
        (SmallCNN(), 160 + 4_640 + 512 * 64 + 64 + 650),
    ],
    ids=["TextbookCNN", "MLP", "linear", "SmallCNN"],
)
def test_a_model_has_the_published_number_of_parameters(model, count):
    assert num_parameters(model) == count


def test_a_residual_block_without_a_residual_hands_its_input_on():
    block, images = ResidualBlock(8, 8).eval(), pictures(channels=8).relu()
    torch.nn.init.zeros_(block.residual[-1].weight)
    torch.testing.assert_close(block(images), images)


def test_a_residual_block_halves_the_picture_and_changes_its_channels():
    assert ResidualBlock(8, 12, stride=2)(pictures(channels=8, side=9)).shape == (8, 12, 5, 5)


def test_what_the_head_decides_upon_can_be_had_for_another_head():
    model = SmallResNet(widths=(8, 16)).eval()
    features = model.features(pictures())
    assert features.shape == (8, 16)
    torch.testing.assert_close(model.head(features), model(pictures()))


def test_whitening_filters_give_uncorrelated_answers_of_equal_strength():
    smooth = F.avg_pool2d(pictures(200), 3, stride=1)  # neighbors are alike, as in photographs
    answers = F.conv2d(smooth, whitening_filters(smooth, epsilon=0.0)).transpose(0, 1).flatten(1)  # (24, places)
    torch.testing.assert_close(torch.cov(answers[:12]), torch.eye(12), atol=2e-3, rtol=0)
    torch.testing.assert_close(answers[12:], -answers[:12])


def test_the_first_layer_of_the_fast_net_is_computed_and_stays():
    images = pictures(100)
    model = FastResNet(images, widths=(16, 16, 16))
    torch.testing.assert_close(model.whiten.weight, whitening_filters(images))
    assert not model.whiten.weight.requires_grad
    torch.testing.assert_close(model(images), model(images.to(memory_format=torch.channels_last)), atol=1e-4, rtol=1e-3)


def test_the_fast_net_can_be_loaded_without_its_training_images():
    model = FastResNet(pictures(100), widths=(16, 16, 16)).eval()
    copy = FastResNet(None, widths=(16, 16, 16)).eval()
    copy.load_state_dict(model.state_dict())
    torch.testing.assert_close(copy(pictures()), model(pictures()))


def test_a_fast_stage_starts_by_handing_its_channels_on():
    stage, features = FastStage(4, 6), pictures(channels=4)
    torch.testing.assert_close(stage.conv1(features)[:, :4], features)
    pooled = pictures(channels=6)
    torch.testing.assert_close(stage.conv2(pooled), pooled)


def test_the_fast_nets_laptop_size_is_what_the_benchmarks_say():
    convolutions = 9 * (24 * 32 + 32 * 32 + 32 * 96 + 96 * 96 + 96 * 128 + 128 * 128)
    norms = 4 * (32 + 96 + 128)  # two each, scale and shift
    assert num_parameters(FastResNet(None, widths=(32, 96, 128))) == 24 * 12 + 24 + convolutions + norms + 1_280
