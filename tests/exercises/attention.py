"""What lesson 10's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import torch

from course_lib.exercises import check

# scaled_dot_product_attention


def asked(draw, *shape, num_queries=3, num_keys=5, width=6, value_width=4, dtype=torch.float32):
    """Queries, keys and values, all of different sizes."""
    sizes = ((num_queries, width), (num_keys, width), (num_keys, value_width))
    return [draw.normal(*shape, *size, dtype=dtype) for size in sizes]


def some_visible(draw, *shape):
    """A mask that hides about half of the keys, but never all of them from a query."""
    mask = draw.uniform(*shape) < 0.5
    first = draw.integers(*shape[:-1], high=shape[-1])
    return mask | (torch.arange(shape[-1]) == first[..., None])


@check("One query, two keys, small enough to do by hand")
def by_hand(scaled_dot_product_attention, draw):
    return [
        scaled_dot_product_attention(
            draw.integers(1, 2, low=1, high=4).float(), draw.integers(2, 2).float(), draw.integers(2, 3).float()
        )
        for _ in range(3)
    ]


@check("Each query shares out its attention among the keys")
def weights_over_the_keys(scaled_dot_product_attention, draw):
    return [scaled_dot_product_attention(*asked(draw, num_queries=n, num_keys=7)) for n in (1, 2, 4)]


@check("Scores are divided by the root of the width, whatever it is")
def the_root_of_the_width(scaled_dot_product_attention, draw):
    return [scaled_dot_product_attention(*asked(draw, width=width)) for width in (2, 9, 64)]


@check("Batches and heads may stand in front")
def batches_and_heads(scaled_dot_product_attention, draw):
    return [scaled_dot_product_attention(*asked(draw, *shape)) for shape in ((2,), (2, 3), (3, 1, 2))]


@check("Where the mask is True a query may look, where it is False the weight is 0")
def masks_hide(scaled_dot_product_attention, draw):
    masks = [some_visible(draw, 3, 5) for _ in range(4)]
    return [scaled_dot_product_attention(*asked(draw), mask=mask) for mask in masks]


@check("A mask of fewer dimensions serves all batches and heads")
def masks_broadcast(scaled_dot_product_attention, draw):
    masks = [some_visible(draw, *shape) for shape in ((3, 5), (2, 1, 1, 5), (1, 3, 5))]
    return [scaled_dot_product_attention(*asked(draw, 2, 3), mask=mask) for mask in masks]


@check("What is hidden could as well not be there, whatever it holds")
def hidden_keys_do_not_leak(scaled_dot_product_attention, draw):
    observed = []
    for visible in (1, 2, 4):
        queries, keys, values = asked(draw)
        values[visible:] = 1e4 * draw.normal(5 - visible, 4)
        mask = (torch.arange(5) < visible).expand(3, 5)
        observed.append(scaled_dot_product_attention(queries, keys, values, mask=mask)[0])
    return observed


@check("Large scores don't overflow")
def large_scores(scaled_dot_product_attention, draw):
    observed = []
    for _ in range(3):
        queries, keys, values = asked(draw)
        observed.append(scaled_dot_product_attention(40 * queries, 40 * keys, values))
    return observed


@check("Gradients reach queries, keys and values")
def gradients_of_attention(scaled_dot_product_attention, draw):
    inputs = [each.requires_grad_() for each in asked(draw, 2, dtype=torch.float64)]
    outputs, _ = scaled_dot_product_attention(*inputs, mask=some_visible(draw, 3, 5))
    (outputs * draw.normal(2, 3, 4, dtype=torch.float64)).sum().backward()
    return [each.grad for each in inputs]


# causal_mask


@check("Without a limit: the present and the whole past, never the future")
def the_whole_past(causal_mask, draw):
    return [causal_mask(num_frames) for num_frames in (2, 3, 5, 8, 1, draw.choice(range(9, 40)))]


@check("With a reach, only the last few frames, each one's own among them")
def a_limited_reach(causal_mask, draw):
    return [causal_mask(num_frames, reach=reach) for num_frames, reach in ((5, 2), (7, 3), (9, 1), (6, 5), (4, 2))]


@check("A reach longer than the sound hides nothing of the past")
def a_long_reach(causal_mask, draw):
    return [causal_mask(num_frames, reach=num_frames + draw.choice([0, 1, 5])) for num_frames in (2, 4, 7)]


# multi_head


def layer(draw, *, width, num_heads, dtype=torch.float32):
    """The weights of one layer, of the size that keeps scores moderate."""
    return {
        "weight_in": draw.normal(3 * width, width, dtype=dtype) / width**0.5,
        "bias_in": draw.normal(3 * width, dtype=dtype),
        "weight_out": draw.normal(width, width, dtype=dtype) / width**0.5,
        "bias_out": draw.normal(width, dtype=dtype),
        "num_heads": num_heads,
    }


@check("One head is attention, between two matrices")
def one_head(multi_head, draw):
    return [multi_head(draw.normal(2, 5, width), **layer(draw, width=width, num_heads=1)) for width in (3, 6, 7)]


@check("Several heads, each with its own part of the width")
def several_heads(multi_head, draw):
    sizes = ((6, 2), (6, 3), (12, 4))
    return [multi_head(draw.normal(2, 5, width), **layer(draw, width=width, num_heads=n)) for width, n in sizes]


@check("As many heads as numbers: each part is one number wide")
def heads_of_one_number(multi_head, draw):
    return [multi_head(draw.normal(2, 4, width), **layer(draw, width=width, num_heads=width)) for width in (2, 3, 5)]


@check("The weights of every head are given, in the heads' order")
def weights_of_all_heads(multi_head, draw):
    sizes = ((6, 2), (9, 3), (8, 2))
    return [multi_head(draw.normal(3, 4, width), **layer(draw, width=width, num_heads=n))[1] for width, n in sizes]


@check("A mask hides for all heads, and for each sequence what is its own")
def masks_for_heads(multi_head, draw):
    options = layer(draw, width=6, num_heads=3)
    masks = [some_visible(draw, *shape) for shape in ((5, 5), (2, 1, 1, 5), (2, 1, 5, 5))]
    return [multi_head(draw.normal(2, 5, 6), **options, mask=mask) for mask in masks]


@check("Sequences of a batch don't mix")
def sequences_do_not_mix(multi_head, draw):
    options, inputs = layer(draw, width=6, num_heads=2), draw.normal(3, 5, 6)
    return [multi_head(inputs[i : i + 1], **options) for i in range(3)]


@check("Gradients reach the inputs and all weights")
def gradients_of_heads(multi_head, draw):
    options = layer(draw, width=6, num_heads=2, dtype=torch.float64)
    inputs = draw.normal(2, 3, 6, dtype=torch.float64).requires_grad_()
    weights = [each.requires_grad_() for name, each in options.items() if name != "num_heads"]
    outputs, _ = multi_head(inputs, **options)
    (outputs * draw.normal(2, 3, 6, dtype=torch.float64)).sum().backward()
    return [each.grad for each in (inputs, *weights)]


# positional_encoding


@check("The first position: sines of 0 and cosines of 0")
def the_first_position(positional_encoding, draw):
    return [positional_encoding(1, width=width) for width in (2, 4, 6, 10)]


@check("Two columns: one sine and one cosine, at one radian per position")
def two_columns(positional_encoding, draw):
    return [positional_encoding(num_positions, width=2) for num_positions in (3, 7, 12)]


@check("Pairs of columns, each slower than the one before")
def slower_and_slower(positional_encoding, draw):
    sizes = ((5, 4), (9, 6), (20, 16), (draw.choice(range(21, 60)), 8))
    return [positional_encoding(num_positions, width=width) for num_positions, width in sizes]


@check("Float32 numbers, one row for each position")
def rows_and_kind(positional_encoding, draw):
    encodings = [positional_encoding(num_positions, width=width) for num_positions, width in ((3, 8), (8, 6), (2, 2))]
    return [[str(each.dtype), list(each.shape), each] for each in encodings]


# attention_pool


@check("Sequences of equal length: no padding at all")
def full_sequences(attention_pool, draw):
    return [attention_pool(draw.normal(batch, 4, 5), draw.normal(5), torch.full((batch,), 4)) for batch in (2, 3, 6)]


@check("What stands behind a sequence's end counts for nothing")
def padding_counts_for_nothing(attention_pool, draw):
    observed = []
    for time in (5, 6, 9):
        lengths = torch.tensor([time, 1, 2 + draw.choice([0, 1]), time - 1])
        observed.append(attention_pool(draw.normal(4, time, 3), draw.normal(3), lengths))
    return observed


@check("Padding that holds large numbers doesn't leak")
def large_padding(attention_pool, draw):
    observed = []
    for lengths in ((1, 2, 3), (4, 1, 2), (3, 3, 4)):
        lengths = torch.tensor(lengths)
        sequences = draw.normal(3, 6, 4)
        sequences = torch.where(torch.arange(6)[:, None] < lengths[:, None, None], sequences, 50 * sequences)
        observed.append(attention_pool(sequences, draw.normal(4), lengths))
    return observed


@check("The query decides what counts")
def the_query_decides(attention_pool, draw):
    sequences, lengths = draw.normal(3, 5, 4), torch.tensor([5, 2, 4])
    return [attention_pool(sequences, size * draw.normal(4), lengths)[1] for size in (0.1, 1.0, 3.0)]


@check("Gradients reach the sequences and the query")
def gradients_of_pooling(attention_pool, draw):
    sequences = draw.normal(3, 5, 4, dtype=torch.float64).requires_grad_()
    query = draw.normal(4, dtype=torch.float64).requires_grad_()
    pooled, _ = attention_pool(sequences, query, torch.tensor([5, 2, 4]))
    (pooled * draw.normal(3, 4, dtype=torch.float64)).sum().backward()
    return [sequences.grad, query.grad]
