"""What a call costs, what can be left out, what a smaller network learns from a larger one."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_lib.compression import (
    Latency,
    apply_masks,
    count_flops,
    distillation_losses,
    kept_pruned,
    magnitude_masks,
    measure_latency,
)
from course_lib.models import FastResNet, SmallCNN, SmallResNet, TextbookCNN
from course_lib.speech_models import SpeechRecognizer, StreamingRecognizer


@pytest.mark.parametrize("kind", [SmallResNet, TextbookCNN, lambda: FastResNet(None, widths=(8, 16, 24))])
@pytest.mark.parametrize("batch", [1, 3])
def test_operations_of_an_image_network_are_those_that_torch_counts(kind, batch):
    model, images = kind().eval(), torch.zeros(batch, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        model(images)
    assert count_flops(model, images) == counter.get_total_flops()


def test_operations_of_grouped_convolutions_are_those_that_torch_counts():
    model, images = nn.Sequential(nn.Conv2d(6, 12, (3, 2), stride=2, groups=3), nn.ReLU()), torch.zeros(2, 6, 9, 11)
    with FlopCounterMode(display=False) as counter:
        model(images)
    assert count_flops(model, images) == counter.get_total_flops()


def test_operations_of_the_networks_that_hear_are_counted_by_hand():
    frames, inputs, hidden = 7, 20, 12
    whole, stream = (
        SpeechRecognizer(5, num_inputs=inputs, hidden_size=hidden),
        StreamingRecognizer(5, num_inputs=inputs, hidden_size=hidden),
    )
    conv = 3 * inputs * hidden
    one_way = 2 * 4 * hidden * (hidden + hidden) + 2 * 5 * hidden
    both_ways = 2 * 4 * hidden * (hidden + hidden) + 2 * 4 * hidden * (2 * hidden + hidden) + 2 * 5 * 2 * hidden
    sounds = torch.zeros(1, frames, inputs)
    assert count_flops(stream, sounds) == 2 * frames * (conv + one_way)
    assert count_flops(whole, sounds, torch.tensor([frames])) == 2 * frames * (conv + both_ways)


def test_counting_leaves_no_trace():
    model = SmallCNN().train()
    count_flops(model, torch.zeros(1, 1, 8, 8))
    assert model.training
    assert not any(part._forward_hooks for part in model.modules())


def test_latencies_are_taken_in_turns_after_warming_up():
    now, order = [0.0], []

    def call(name, seconds):
        after_another = order[-1:] != [name]
        order.append(name)
        now[0] += 5 * seconds if after_another else seconds

    calls = {"slow": lambda: call("slow", 0.02), "fast": lambda: call("fast", 0.01)}
    measured = measure_latency(calls, warmup=2, turns=4, each=3, clock=lambda: now[0])
    assert order == ["slow"] * 2 + ["fast"] * 2 + (["slow"] * 4 + ["fast"] * 4) * 4
    assert measured["slow"].median == pytest.approx(20)
    assert measured["fast"].p95 == pytest.approx(10)  # the first of each turn does not count


def test_a_latency_is_a_median_with_its_tail():
    latency = Latency.of([float(number) for number in range(100, 0, -1)])
    assert (latency.median, latency.p95) == (50.5, 95)
    assert latency.low < 50 < 51 < latency.high


def test_the_interval_holds_the_true_median_nineteen_times_in_twenty():
    generator = torch.Generator().manual_seed(0)
    times = torch.empty(2000, 60).exponential_(generator=generator)
    true = torch.tensor(2.0).log().item()
    held = sum(latency.low <= true <= latency.high for latency in map(Latency.of, times.tolist()))
    assert 0.94 < held / len(times) < 0.98  # at least 95%, since ranks are whole


def test_pruning_keeps_the_largest_of_all_layers_together():
    model = SmallCNN()
    model[0].weight.data *= 100
    masks = magnitude_masks(model, share=0.8)
    weights = dict(model.named_parameters())
    assert masks.keys() == {"0.weight", "2.weight", "6.weight", "8.weight"}
    assert sum(int((~mask).sum()) for mask in masks.values()) == round(0.8 * sum(weights[n].numel() for n in masks))
    kept = min(weights[name][mask].abs().min() for name, mask in masks.items() if mask.any())
    gone = max(weights[name][~mask].abs().max() for name, mask in masks.items() if not mask.all())
    assert kept >= gone
    assert masks["0.weight"].float().mean() > 0.9


def test_of_equal_weights_exactly_as_many_go_as_asked():
    model = nn.Linear(10, 10)
    nn.init.ones_(model.weight)
    assert magnitude_masks(model, share=0.33)["weight"].sum() == 67


def test_what_was_pruned_does_not_grow_back_while_the_rest_learns():
    torch.manual_seed(0)
    model = SmallCNN()
    masks = magnitude_masks(model, share=0.7)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    images, labels = torch.randn(16, 1, 8, 8), torch.randint(10, (16,))
    with kept_pruned(model, masks):
        before = model(images).detach()
        for _ in range(3):
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert all(model.get_parameter(name)[~mask].abs().max() == 0 for name, mask in masks.items())
    assert not torch.equal(model(images), before)
    assert not model._forward_pre_hooks


def test_masks_change_nothing_where_they_keep():
    model = SmallCNN()
    before = model[0].weight.detach().clone()
    masks = magnitude_masks(model, share=0.5)
    apply_masks(model, masks)
    assert torch.equal(model[0].weight, before * masks["0.weight"])


def logits(seed):
    return torch.randn(5, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_student_that_agrees_with_its_teacher_has_only_the_labels_to_lose():
    labels = torch.tensor([0, 3, 6, 2, 2])
    losses = distillation_losses(logits(0), logits(0), labels, share=0.75)
    torch.testing.assert_close(losses, 0.25 * F.cross_entropy(logits(0), labels, reduction="none"))


def test_distillation_by_hand():
    student, teacher, labels = logits(1), logits(2), torch.tensor([0, 3, 6, 2, 2])
    theirs, ours = (teacher / 3).softmax(1), (student / 3).softmax(1)
    expected = 0.6 * 9 * (theirs * (theirs / ours).log()).sum(1)
    expected -= 0.4 * student.softmax(1)[torch.arange(5), labels].log()
    torch.testing.assert_close(distillation_losses(student, teacher, labels, temperature=3, share=0.6), expected)


def test_the_teacher_does_not_learn_from_the_student():
    student, teacher = logits(1).requires_grad_(), logits(2).requires_grad_()
    distillation_losses(student, teacher, torch.zeros(5, dtype=torch.int64)).sum().backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_at_a_high_temperature_the_gradient_is_that_of_matching_logits():
    student, teacher = logits(1).requires_grad_(), logits(2)
    labels = torch.zeros(5, dtype=torch.int64)
    distillation_losses(student, teacher, labels, temperature=1e4, share=1.0).sum().backward()
    centered = [each - each.mean(dim=1, keepdim=True) for each in (student.detach(), teacher)]
    torch.testing.assert_close(student.grad, (centered[0] - centered[1]) / 7, atol=1e-3, rtol=1e-3)
