"""Lesson 10: its references held to torch, to loops over single numbers, and to properties."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.exercises.registry import load_lesson

EXERCISES = load_lesson("attention").exercises
scaled_dot_product_attention, causal_mask, multi_head, positional_encoding, attention_pool = (
    EXERCISES[name].reference
    for name in (
        "scaled_dot_product_attention",
        "causal_mask",
        "multi_head",
        "positional_encoding",
        "attention_pool",
    )
)


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def visible(*shape):
    """A mask that hides about half, but never all from a query."""
    mask = torch.rand(*shape, generator=torch.Generator().manual_seed(1)) < 0.5
    mask[..., 0] = True
    return mask


@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_torchs_and_masks_mean_the_same(shape, masked):
    queries, keys, values = numbers(*shape, 4, 6), numbers(*shape, 7, 6, seed=1), numbers(*shape, 7, 5, seed=2)
    mask = visible(*shape, 4, 7) if masked else None
    ours, weights = scaled_dot_product_attention(queries, keys, values, mask=mask)
    torch.testing.assert_close(ours, F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask))
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(*shape, 4, dtype=torch.float64))
    if masked:
        assert weights[~mask].eq(0).all() and weights[mask].gt(0).all()


def test_attention_is_what_loops_over_single_numbers_give():
    queries, keys, values = numbers(2, 3).tolist(), numbers(4, 3, seed=1).tolist(), numbers(4, 2, seed=2).tolist()
    outputs = []
    for query in queries:
        scores = [sum(map(math.prod, zip(query, key, strict=True))) / math.sqrt(3) for key in keys]
        shares = [math.exp(score) / sum(map(math.exp, scores)) for score in scores]
        outputs.append([sum(map(math.prod, zip(shares, column, strict=True))) for column in zip(*values, strict=True)])
    found, _ = scaled_dot_product_attention(*(torch.tensor(each).double() for each in (queries, keys, values)))
    torch.testing.assert_close(found, torch.tensor(outputs).double())


def test_the_example_of_attention_is_right():
    keys = torch.tensor([[0.0, 0.0], [math.log(3) / math.sqrt(2), 0.0]])
    outputs, weights = scaled_dot_product_attention(torch.tensor([[2.0, 0.0]]), keys, torch.tensor([[0.0], [8.0]]))
    assert weights.tolist()[0] == pytest.approx([0.25, 0.75])
    assert outputs.item() == pytest.approx(6.0)


def test_masks_of_the_two_torch_functions_mean_opposite_things():
    inputs, mask = numbers(2, 5, 6), visible(5, 5)
    module = nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64)
    ours, _ = multi_head(inputs, **weights_of(module), num_heads=2, mask=mask)
    torch.testing.assert_close(ours, module(inputs, inputs, inputs, attn_mask=~mask)[0])
    queries = numbers(2, 5, 6)
    ours, _ = scaled_dot_product_attention(queries, inputs, inputs, mask=mask)
    torch.testing.assert_close(ours, F.scaled_dot_product_attention(queries, inputs, inputs, attn_mask=mask))


def weights_of(module):
    return {
        "weight_in": module.in_proj_weight,
        "bias_in": module.in_proj_bias,
        "weight_out": module.out_proj.weight,
        "bias_out": module.out_proj.bias,
    }


@pytest.mark.parametrize(("width", "num_heads"), [(6, 1), (6, 2), (6, 3), (12, 4), (5, 5)])
def test_multi_head_is_torchs_module_with_its_weights(width, num_heads):
    torch.manual_seed(0)
    module = nn.MultiheadAttention(width, num_heads, batch_first=True, dtype=torch.float64)
    nn.init.normal_(module.in_proj_bias)
    nn.init.normal_(module.out_proj.bias)
    inputs, lengths = numbers(3, 7, width), torch.tensor([7, 4, 1])
    is_real = torch.arange(7) < lengths[:, None]
    theirs = module(inputs, inputs, inputs, key_padding_mask=~is_real, average_attn_weights=False)
    ours = multi_head(inputs, **weights_of(module), num_heads=num_heads, mask=is_real[:, None, None])
    torch.testing.assert_close(ours, theirs)


def test_multi_head_has_the_gradients_of_torchs_module():
    module = nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64)
    inputs = numbers(2, 5, 6).requires_grad_()
    parameters = [inputs, *module.parameters()]
    ours = torch.autograd.grad(multi_head(inputs, **weights_of(module), num_heads=2)[0].tanh().sum(), parameters)
    theirs = torch.autograd.grad(module(inputs, inputs, inputs)[0].tanh().sum(), parameters)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_attention_without_positions_does_not_know_the_order():
    torch.manual_seed(0)
    module, order = nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64), torch.tensor([3, 0, 4, 1, 2])
    inputs = numbers(2, 5, 6)
    outputs, _ = multi_head(inputs, **weights_of(module), num_heads=2)
    shuffled, _ = multi_head(inputs[:, order], **weights_of(module), num_heads=2)
    torch.testing.assert_close(shuffled, outputs[:, order])


def test_causal_mask_is_torchs():
    for num_frames in (1, 2, 5, 9):
        hidden = nn.Transformer.generate_square_subsequent_mask(num_frames)  # minus infinity where nobody may look
        assert torch.equal(causal_mask(num_frames), hidden == 0)
        whole, mine = numbers(num_frames, 4), causal_mask(num_frames)
        theirs = F.scaled_dot_product_attention(whole, whole, whole, is_causal=True)
        torch.testing.assert_close(scaled_dot_product_attention(whole, whole, whole, mask=mine)[0], theirs)


def test_causal_mask_counts_frame_by_frame():
    for num_frames in range(1, 8):
        for reach in range(1, 9):
            expected = [[0 <= i - j < reach for j in range(num_frames)] for i in range(num_frames)]
            assert causal_mask(num_frames, reach=reach).tolist() == expected


def test_positional_encoding_is_the_papers_formula():
    encoding = positional_encoding(50, width=12)
    for position in (0, 1, 7, 49):
        for k in range(6):
            angle = position / 10_000 ** (2 * k / 12)
            expected = [math.sin(angle), math.cos(angle)]
            assert encoding[position, 2 * k : 2 * k + 2].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_dot_product_of_two_positions_depends_on_their_distance_only():
    encoding = positional_encoding(40, width=16).double()
    products = encoding @ encoding.T
    for distance in range(40):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=0, atol=1e-4)
    torch.testing.assert_close(products.diagonal(), torch.full((40,), 8.0).double(), rtol=0, atol=1e-4)


def test_attention_pool_treats_each_sequence_as_if_it_were_alone():
    sequences, query, lengths = numbers(4, 6, 5), numbers(5, seed=1), torch.tensor([6, 1, 3, 5])
    pooled, weights = attention_pool(sequences, query, lengths)
    for i, length in enumerate(lengths):
        alone = sequences[i : i + 1, :length]
        expected = F.scaled_dot_product_attention(query.expand(1, 1, -1), alone, alone)[0, 0]
        torch.testing.assert_close(pooled[i], expected)
        assert weights[i, length:].eq(0).all() and weights[i].sum().item() == pytest.approx(1.0)


def test_attention_pool_with_a_query_of_zeros_is_the_masked_mean():
    sequences, lengths = numbers(3, 6, 5), torch.tensor([2, 6, 4])
    pooled, _ = attention_pool(sequences, torch.zeros(5, dtype=torch.float64), lengths)
    for i, length in enumerate(lengths):
        torch.testing.assert_close(pooled[i], sequences[i, :length].mean(dim=0))


def test_nothing_is_written_into_what_came():
    inputs = [numbers(2, 4, 6), numbers(2, 4, 6, seed=1), numbers(2, 4, 6, seed=2)]
    copies, mask = [each.clone() for each in inputs], visible(4, 4)
    scaled_dot_product_attention(*inputs, mask=mask)
    attention_pool(inputs[0], inputs[1][0, 0], torch.tensor([2, 4]))
    assert all(torch.equal(each, copy) for each, copy in zip(inputs, copies, strict=True))
    assert torch.equal(mask, visible(4, 4))
