"""Transfer: what is frozen stays, heads fit any classifier, rates fall with depth, LoRA begins as what it wraps."""

import copy

import pytest
import torch
import torchvision
from torch import nn

from course_lib.models import SmallResNet, TextbookCNN
from course_lib.transfer import LoRAConv2d, LoRALinear, add_lora, freeze, parameter_groups, replace_head, unfreeze

# without their numbers ("meta"), large models cost nothing; these few compute with numbers while they are built
ON_META = [
    name
    for name in torchvision.models.list_models(module=torchvision.models)
    if not name.startswith(("regnet", "googlenet", "inception"))
]


def one_step(model: nn.Module) -> None:
    """A step of training, as any loop does it."""
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(torch.randn(8, 3, 32, 32)).square().mean().backward()
    optimizer.step()


def changed(before: nn.Module, after: nn.Module) -> set[str]:
    others = after.state_dict()
    return {name for name, value in before.state_dict().items() if not torch.equal(value, others[name])}


def test_only_the_head_changes_when_the_rest_is_frozen():
    model = SmallResNet()
    freeze(model)
    replace_head(model, 5)
    before = copy.deepcopy(model)
    one_step(model)
    assert changed(before, model) == {"head.weight", "head.bias"}


def test_statistics_drift_if_only_parameters_are_frozen():
    model = freeze(SmallResNet(), statistics=False)
    unfreeze(model.head)
    before = copy.deepcopy(model)
    one_step(model)
    assert any("running_mean" in name for name in changed(before, model))


def test_what_is_frozen_stays_frozen_in_a_copy():
    model = copy.deepcopy(freeze(SmallResNet()))
    unfreeze(model.head)
    before = copy.deepcopy(model)
    one_step(model)
    assert changed(before, model) == {"head.weight", "head.bias"}


def test_unfreeze_undoes_freeze():
    model = unfreeze(freeze(freeze(SmallResNet())))
    before = copy.deepcopy(model)
    one_step(model)
    assert changed(before, model) == set(before.state_dict())


@pytest.mark.parametrize("name", [*ON_META, "regnet_x_400mf"])
def test_every_torchvision_classifier_gets_a_new_head(name):
    with torch.device("meta" if name in ON_META else "cpu"):
        model = torchvision.models.get_model(name, weights=None)
        replace_head(model, 7)
        assert model.eval()(torch.empty(2, 3, 224, 224)).shape == (2, 7)


@pytest.mark.parametrize("model", [SmallResNet(), TextbookCNN()])
def test_our_models_get_a_new_head(model):
    replace_head(model, 7)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 7)


def test_a_head_that_is_no_head_is_refused():
    with pytest.raises(ValueError, match="BatchNorm2d"):
        replace_head(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), 2)


def test_rates_fall_from_the_head_to_the_input():
    model = SmallResNet()
    freeze(model.stem)
    groups = parameter_groups([model.stem, model.blocks, model.head], learning_rate=0.1, factor=0.5)
    assert [group["lr"] for group in groups] == [0.05, 0.1]
    assert groups[1]["params"] == list(model.head.parameters())


def test_a_parameter_in_two_parts_and_a_frozen_model_are_refused():
    model = SmallResNet()
    with pytest.raises(ValueError, match="shares parameters"):
        parameter_groups([model, model.head], learning_rate=0.1)
    with pytest.raises(ValueError, match="frozen"):
        parameter_groups([freeze(model)], learning_rate=0.1)


@pytest.mark.parametrize(
    ("layer", "wrap", "shape"),
    [
        (nn.Linear(9, 7), LoRALinear, (4, 9)),
        (nn.Linear(9, 7, bias=False), LoRALinear, (4, 9)),
        (nn.Conv2d(3, 5, 3, stride=2, padding=1), LoRAConv2d, (2, 3, 9, 11)),
    ],
)
def test_lora_begins_as_what_it_wraps_and_merges_into_one_layer(layer, wrap, shape):
    inputs = torch.randn(shape)
    lora = wrap(copy.deepcopy(layer), rank=2, alpha=6)
    torch.testing.assert_close(lora(inputs), layer(inputs))
    for parameter in lora.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter)
    assert not torch.allclose(lora(inputs), layer(inputs))
    torch.testing.assert_close(lora.merge()(inputs), lora(inputs), rtol=1e-4, atol=1e-4)


def test_lora_computes_what_peft_computes():
    """Numbers from peft 0.21.2, `lora.Linear` with r=2 and lora_alpha=5: outputs, gradients, merged weight."""
    linear = nn.Linear(4, 3, dtype=torch.float64)
    linear.weight.data = numbers([[1, -2, 0, 3], [2, 2, -1, 0], [-3, 1, 4, -1]])
    linear.bias.data = numbers([1, -2, 0.5])
    lora = LoRALinear(linear, rank=2, alpha=5)
    lora.down.data, lora.up.data = numbers([[1, 0, -2, 3], [-1, 2, 1, 1]]), numbers([[2, -1], [0, 3], [1, -2]])
    outputs = lora(numbers([[1, 2, 3, 4], [-1, 0, 2, -2]]))
    outputs.square().sum().backward()
    assert outputs.tolist() == [[20, 76, -25], [-63.5, 1.5, -19]]
    assert lora.down.grad.tolist() == [[805, 150, -1235, 1760], [760, 2580, 4930, 4100]]
    assert lora.up.grad.tolist() == [[4192.5, 682.5], [2577.5, 3807.5], [170, -1345]]
    assert lora.merge().weight.tolist() == [[8.5, -7, -12.5, 15.5], [-5.5, 17, 6.5, 7.5], [4.5, -9, -6, 1.5]]


def numbers(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_lora_refuses_a_rank_that_makes_no_sense():
    with pytest.raises(ValueError, match="from 1 to 7"):
        LoRALinear(nn.Linear(9, 7), rank=8)
    with pytest.raises(ValueError, match="one group"):
        LoRAConv2d(nn.Conv2d(4, 4, 3, groups=2), rank=1)


def test_with_lora_only_the_small_layers_and_the_head_learn():
    model = SmallResNet()
    count = len(add_lora(model, rank=2))
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert count == 9
    assert all(".up." in name or ".down." in name or name.startswith("head.") for name in learning)
    before = copy.deepcopy(model)
    one_step(model)
    assert changed(before, model) <= learning
