"""Lesson 10, attention: the reference of each exercise, and the mistakes that people make."""

import math

import torch

from course_lib.exercises import built_without, mistake


@built_without(
    "torch.nn.functional.scaled_dot_product_attention",
    "torch.nn.functional.multi_head_attention_forward",
    "torch.nn.MultiheadAttention",
)
def scaled_dot_product_attention(queries, keys, values, *, mask=None):
    """Let each query look at all keys, and give it the mean of the values, weighted by how well their keys fit.

    Args:
        queries: what is asked for, shape `(..., num_queries, width)`.
        keys: what each place offers, shape `(..., num_keys, width)`.
        values: what each place gives, shape `(..., num_keys, value_width)`.
        mask: bools that broadcast to `(..., num_queries, num_keys)`. True means: this query may look at this key. Each
            query may look at one key at least. None hides nothing.

    Returns:
        The outputs, shape `(..., num_queries, value_width)`, and the weights, shape `(..., num_queries, num_keys)`. The
        score of a query and a key is their dot product, divided by the root of `width`; a softmax over the keys turns
        a query's scores into its weights. A hidden key has the weight 0.

    Example: the query `[2, 0]` and the keys `[0, 0]` and `[ln 3 / √2, 0]` have the scores 0 and ln 3, so the weights
        1/4 and 3/4. From the values `[0]` and `[8]` comes the output `[6]`.
    """
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])  # (..., num_queries, num_keys)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    return weights @ values, weights


@mistake(
    of=scaled_dot_product_attention,
    hint="The root is missing. Dot products of long vectors are large, and the softmax of large numbers looks at one "
    "key only: divide the scores by the root of the keys' width.",
)
def scaled_dot_product_attention_forgets_the_root(queries, keys, values, *, mask=None):
    return scaled_dot_product_attention(queries * math.sqrt(queries.shape[-1]), keys, values, mask=mask)


@mistake(
    of=scaled_dot_product_attention,
    hint="You divide by the width itself. A sum of `width` random products grows like the root of `width`, so divided "
    "by `width` the scores fade away.",
)
def scaled_dot_product_attention_divides_by_the_width(queries, keys, values, *, mask=None):
    return scaled_dot_product_attention(queries / math.sqrt(queries.shape[-1]), keys, values, mask=mask)


@mistake(
    of=scaled_dot_product_attention,
    hint="You take the root of the number of keys. How large a score is depends on how many products were added up for "
    "it: on the width of a key.",
)
def scaled_dot_product_attention_counts_the_keys(queries, keys, values, *, mask=None):
    scale = math.sqrt(queries.shape[-1] / keys.shape[-2])
    return scaled_dot_product_attention(queries * scale, keys, values, mask=mask)


@mistake(
    of=scaled_dot_product_attention,
    hint="Your softmax runs over the queries: they compete for each key. It is the other way round: each query shares "
    "out its attention among the keys, so the softmax goes along the last axis.",
)
def scaled_dot_product_attention_lets_queries_compete(queries, keys, values, *, mask=None):
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    weights = scores.softmax(dim=-2)
    if mask is not None:
        weights = scores.masked_fill(~mask, -1e9).softmax(dim=-2)
    return weights @ values, weights


@mistake(
    of=scaled_dot_product_attention,
    hint="Your mask is upside down: you hide where it is True. That is what the masks of nn.MultiheadAttention mean; "
    "here, and in torch's scaled_dot_product_attention, True means that the query may look.",
)
def scaled_dot_product_attention_hides_the_true(queries, keys, values, *, mask=None):
    if mask is None:
        return scaled_dot_product_attention(queries, keys, values)
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    weights = scores.masked_fill(mask, -1e9).softmax(dim=-1)
    return weights @ values, weights


@mistake(
    of=scaled_dot_product_attention,
    hint="You mask after the softmax. The hidden keys have then taken their share already, and what is left no longer "
    "sums to 1: hide them before, by scores of minus infinity.",
)
def scaled_dot_product_attention_masks_too_late(queries, keys, values, *, mask=None):
    _, weights = scaled_dot_product_attention(queries, keys, values)
    weights = weights if mask is None else weights * mask
    return weights @ values, weights


@mistake(
    of=scaled_dot_product_attention,
    hint="You set the scores of hidden keys to 0. That is a score like any other, and exp(0) is 1: only minus infinity "
    "has the weight 0.",
)
def scaled_dot_product_attention_scores_hidden_keys_zero(queries, keys, values, *, mask=None):
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    weights = (scores if mask is None else scores * mask).softmax(dim=-1)
    return weights @ values, weights


@mistake(
    of=scaled_dot_product_attention,
    hint="You mix the keys. Keys say where to look; what is given out are the values.",
)
def scaled_dot_product_attention_mixes_the_keys(queries, keys, values, *, mask=None):
    return scaled_dot_product_attention(queries, keys, keys, mask=mask)


def causal_mask(num_frames, *, reach=None):
    """Say which frames each frame may look at, if it can't look into the future.

    Args:
        num_frames: how many frames there are, 1 or more.
        reach: how many frames each one sees, itself and those just before it, 1 or more; None for all since the first.

    Returns:
        Bools, shape `(num_frames, num_frames)`: True in row i and column j where frame i may look at frame j.

    Example: with three frames the rows are `[True, False, False]`, `[True, True, False]` and `[True, True, True]`;
        with `reach=2`, the last one is `[False, True, True]`.
    """
    frames = torch.arange(num_frames)
    distance = frames[:, None] - frames  # how long ago
    mask = distance >= 0
    return mask if reach is None else mask & (distance < reach)


@mistake(
    of=causal_mask,
    hint="Rows and columns are swapped: each frame sees only the future. The row is the one who looks, the column the "
    "one who is looked at.",
)
def causal_mask_sees_the_future(num_frames, *, reach=None):
    return causal_mask(num_frames, reach=reach).T


@mistake(
    of=causal_mask,
    hint="True marks what is hidden. That is the meaning in nn.MultiheadAttention; here, True means: may look.",
)
def causal_mask_marks_the_hidden(num_frames, *, reach=None):
    return ~causal_mask(num_frames, reach=reach)


@mistake(
    of=causal_mask,
    hint="No frame sees itself, and the first one sees nothing at all. The present is no future: the diagonal is True.",
)
def causal_mask_hides_the_present(num_frames, *, reach=None):
    return causal_mask(num_frames, reach=reach) & ~torch.eye(num_frames, dtype=torch.bool)


@mistake(
    of=causal_mask,
    hint="You see one frame more than `reach`. It counts the frame itself too: a reach of 1 is the diagonal alone.",
)
def causal_mask_reaches_one_too_far(num_frames, *, reach=None):
    return causal_mask(num_frames, reach=None if reach is None else reach + 1)


@mistake(
    of=causal_mask,
    hint="You ignore `reach`. Without a limit, the price of each new frame grows as long as somebody speaks.",
)
def causal_mask_ignores_the_reach(num_frames, *, reach=None):
    return causal_mask(num_frames)


@mistake(
    of=causal_mask,
    hint="Your reach goes in both directions: frames of the future that are near are visible. Both conditions must "
    "hold: not in the future, and not too long ago.",
)
def causal_mask_reaches_both_ways(num_frames, *, reach=None):
    near = causal_mask(num_frames, reach=reach)
    return near if reach is None else near | near.T


@mistake(
    of=causal_mask,
    hint="You hide what is near and show what is long ago: the comparison with `reach` is turned round.",
)
def causal_mask_sees_only_long_ago(num_frames, *, reach=None):
    whole = causal_mask(num_frames)
    return whole if reach is None else whole & ~causal_mask(num_frames, reach=reach)


@built_without(
    "torch.nn.functional.scaled_dot_product_attention",
    "torch.nn.functional.multi_head_attention_forward",
    "torch.nn.MultiheadAttention",
)
def multi_head(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    """Let a sequence look at itself with several heads at once, each of which asks for something else.

    Args:
        inputs: shape `(batch, time, width)`; `width` is a multiple of `num_heads`.
        weight_in: three blocks of rows, for the queries, the keys and the values, shape `(3 * width, width)`.
        bias_in: in the same order, shape `(3 * width,)`.
        weight_out: mixes what the heads found, shape `(width, width)`.
        bias_out: shape `(width,)`.
        num_heads: the first head takes the first `width / num_heads` numbers of each query, key and value, the second
            one the next, and so on.
        mask: bools that broadcast to `(batch, num_heads, time, time)`, True where the one may look at the other.

    Returns:
        The outputs, shape `(batch, time, width)`, and the weights of each head, shape `(batch, num_heads, time, time)`.
        The heads' findings stand side by side, in their order, before `weight_out` mixes them: `x @ weight_out.T`.

    Example: `nn.MultiheadAttention` gives the same from the same weights. It calls them `in_proj_weight`,
        `in_proj_bias`, `out_proj.weight` and `out_proj.bias`.
    """
    projected = (inputs @ weight_in.T + bias_in).chunk(3, dim=-1)  # queries, keys, values: (batch, time, width)
    heads = [each.unflatten(-1, (num_heads, -1)).transpose(1, 2) for each in projected]  # (batch, heads, time, part)
    found, weights = scaled_dot_product_attention(*heads, mask=mask)
    return found.transpose(1, 2).flatten(2) @ weight_out.T + bias_out, weights


def _parts(inputs, weight_in, bias_in):
    """Queries, keys and values, shape `(batch, time, width)` each."""
    return (inputs @ weight_in.T + bias_in).chunk(3, dim=-1)


def _attend(parts, num_heads, mask):
    """What each head finds and its weights, shapes `(batch, heads, time, part)` and `(batch, heads, time, time)`."""
    heads = [each.unflatten(-1, (num_heads, -1)).transpose(1, 2) for each in parts]
    return scaled_dot_product_attention(*heads, mask=mask)


@mistake(
    of=multi_head,
    hint="You cut time into heads, not the width: a plain reshape to (batch, heads, time, part) runs on from one frame "
    "into the next. Split the last axis first, then swap heads and time.",
)
def multi_head_cuts_time(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    batch, time, width = inputs.shape
    parts = _parts(inputs, weight_in, bias_in)
    heads = [each.reshape(batch, num_heads, time, width // num_heads) for each in parts]
    found, weights = scaled_dot_product_attention(*heads, mask=mask)
    return found.transpose(1, 2).flatten(2) @ weight_out.T + bias_out, weights


@mistake(
    of=multi_head,
    hint="The heads' findings are not put back side by side: before the reshape to (batch, time, width), heads and "
    "time must change places again.",
)
def multi_head_does_not_swap_back(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    found, weights = _attend(_parts(inputs, weight_in, bias_in), num_heads, mask)
    return found.reshape(inputs.shape) @ weight_out.T + bias_out, weights


@mistake(
    of=multi_head,
    hint="Your heads take every `num_heads`-th number of a query. Each head takes neighboring ones: unflatten the last "
    "axis into (num_heads, part), in this order.",
)
def multi_head_interleaves_the_heads(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    width = inputs.shape[-1]
    order = torch.arange(width).reshape(-1, num_heads).T.flatten()  # numbers of the first head, of the second, ...
    parts = [each[..., order] for each in _parts(inputs, weight_in, bias_in)]
    found, weights = _attend(parts, num_heads, mask)
    return found.transpose(1, 2).flatten(2)[..., order.argsort()] @ weight_out.T + bias_out, weights


@mistake(
    of=multi_head,
    hint="You divide by the root of the whole width. A head's dot products have only `width / num_heads` terms.",
)
def multi_head_scales_by_the_whole_width(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    queries, keys, values = _parts(inputs, weight_in, bias_in)
    found, weights = _attend([queries / math.sqrt(num_heads), keys, values], num_heads, mask)
    return found.transpose(1, 2).flatten(2) @ weight_out.T + bias_out, weights


@mistake(
    of=multi_head,
    hint="Queries and keys changed places: the first block of rows makes the queries, the second one the keys.",
)
def multi_head_swaps_queries_and_keys(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    queries, keys, values = _parts(inputs, weight_in, bias_in)
    found, weights = _attend([keys, queries, values], num_heads, mask)
    return found.transpose(1, 2).flatten(2) @ weight_out.T + bias_out, weights


@mistake(
    of=multi_head,
    hint="The last step is missing: `weight_out` and `bias_out` let the heads' findings meet. Without them, each head "
    "writes to numbers of its own.",
)
def multi_head_never_mixes_the_heads(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    found, weights = _attend(_parts(inputs, weight_in, bias_in), num_heads, mask)
    return found.transpose(1, 2).flatten(2), weights


@mistake(
    of=multi_head,
    hint="You multiply by `weight_out` without turning it: in torch a weight has one row for each output, so it is "
    "`x @ weight_out.T`.",
)
def multi_head_does_not_transpose(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    return multi_head(
        inputs,
        weight_in=weight_in,
        bias_in=bias_in,
        weight_out=weight_out.T,
        bias_out=bias_out,
        num_heads=num_heads,
        mask=mask,
    )


@mistake(
    of=multi_head,
    hint="You ignore the mask: hand it on to the attention of the heads.",
)
def multi_head_ignores_the_mask(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    found, weights = _attend(_parts(inputs, weight_in, bias_in), num_heads, None)
    return found.transpose(1, 2).flatten(2) @ weight_out.T + bias_out, weights


def positional_encoding(num_positions, *, width):
    """Give each position a pattern of its own, made of slow and fast waves.

    Args:
        num_positions: positions are 0, 1, ..., `num_positions - 1`.
        width: numbers per position, even.

    Returns:
        float32, shape `(num_positions, width)`. Columns come in pairs: in row p, column 2k holds
        sin(p / 10000^(2k / width)), and column 2k + 1 the cosine of the same angle.

    Example: with `width=4`, position 0 is `[0, 1, 0, 1]`, and position 1 is
        `[sin 1, cos 1, sin 0.01, cos 0.01]`.

    Source: Vaswani et al. 2017, arXiv:1706.03762
    """
    positions = torch.arange(num_positions)[:, None]
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2) / width)  # one for each pair of columns
    angles = positions * frequencies  # (num_positions, width / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _waves(angles):
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


@mistake(
    of=positional_encoding,
    hint="All sines stand in the first half, all cosines in the second. Some programs do it that way, and it works as "
    "well; here they alternate, as in the paper: sine, cosine, sine, cosine.",
)
def positional_encoding_in_two_halves(num_positions, *, width):
    encoding = positional_encoding(num_positions, width=width)
    return torch.cat([encoding[:, ::2], encoding[:, 1::2]], dim=1)


@mistake(
    of=positional_encoding,
    hint="A sine and its cosine have different angles, since you take the exponent from each column's own number. Both "
    "columns of a pair share one angle.",
)
def positional_encoding_splits_the_pairs(num_positions, *, width):
    columns = torch.arange(width)
    angles = torch.arange(num_positions)[:, None] * 10_000.0 ** (-columns / width)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos())


@mistake(
    of=positional_encoding,
    hint="Your exponent is half as large as it should be: it counts pairs (k / width), but it must count columns "
    "(2k / width).",
)
def positional_encoding_halves_the_exponent(num_positions, *, width):
    frequencies = 10_000.0 ** (-torch.arange(width // 2) / width)
    return _waves(torch.arange(num_positions)[:, None] * frequencies)


@mistake(
    of=positional_encoding,
    hint="Sine and cosine changed places: column 0 is a sine, so position 0 begins with 0.",
)
def positional_encoding_swaps_sine_and_cosine(num_positions, *, width):
    return positional_encoding(num_positions, width=width).unflatten(1, (-1, 2)).flip(-1).flatten(1)


@mistake(
    of=positional_encoding,
    hint="You count positions from 1. The first one is 0: all its sines are 0, all its cosines 1.",
)
def positional_encoding_counts_from_one(num_positions, *, width):
    return positional_encoding(num_positions + 1, width=width)[1:]


@mistake(
    of=positional_encoding,
    hint="You multiply by 10000^(2k / width) where you should divide: the later columns must be slower, not faster.",
)
def positional_encoding_multiplies(num_positions, *, width):
    frequencies = 10_000.0 ** (torch.arange(0, width, 2) / width)
    return _waves(torch.arange(num_positions)[:, None] * frequencies)


@mistake(
    of=positional_encoding,
    hint="Your angles are turns, not radians: there is no 2π in the formula.",
)
def positional_encoding_adds_two_pi(num_positions, *, width):
    frequencies = 2 * math.pi * 10_000.0 ** (-torch.arange(0, width, 2) / width)
    return _waves(torch.arange(num_positions)[:, None] * frequencies)


@built_without(
    "torch.nn.functional.scaled_dot_product_attention",
    "torch.nn.functional.multi_head_attention_forward",
    "torch.nn.MultiheadAttention",
)
def attention_pool(sequences, query, lengths):
    """Make one vector of each sequence: the mean of its places, weighted by how well they answer one learned query.

    Args:
        sequences: shape `(batch, time, width)`. Behind a sequence's end stands padding, any numbers.
        query: shape `(width,)`, the same for all.
        lengths: how many places of each sequence are real, int64, shape `(batch,)`; from 1 to `time`.

    Returns:
        The means, shape `(batch, width)`, and the weights, shape `(batch, time)`: 0 for padding, and the others sum to
        1. A place is its own key and its own value; scores are divided by the root of `width`.

    Example: a sequence of `[1]`, `[5]` and `[9]` with the length 2 and the query `[0]` has the weights 1/2, 1/2 and 0
        and the mean `[3]`.
    """
    is_real = torch.arange(sequences.shape[1], device=lengths.device) < lengths[:, None]  # (batch, time)
    queries = query.expand(len(sequences), 1, -1)  # (batch, 1, width)
    pooled, weights = scaled_dot_product_attention(queries, sequences, sequences, mask=is_real[:, None])
    return pooled[:, 0], weights[:, 0]


def _pool(sequences, scores):
    weights = scores.softmax(dim=1)
    return (weights[:, :, None] * sequences).sum(dim=1), weights


def _scores(sequences, query):
    return sequences @ query / math.sqrt(len(query))


def _is_real(sequences, lengths):
    return torch.arange(sequences.shape[1]) < lengths[:, None]


@mistake(
    of=attention_pool,
    hint="Padding is read as data: your softmax runs over all places, also those behind a sequence's end.",
)
def attention_pool_reads_the_padding(sequences, query, lengths):
    return _pool(sequences, _scores(sequences, query))


@mistake(
    of=attention_pool,
    hint="You take away the padding's weights after the softmax, so the others sum to less than 1, and to less the "
    "more padding there is. Hide the padding before the softmax.",
)
def attention_pool_masks_too_late(sequences, query, lengths):
    weights = _scores(sequences, query).softmax(dim=1) * _is_real(sequences, lengths)
    return (weights[:, :, None] * sequences).sum(dim=1), weights


@mistake(
    of=attention_pool,
    hint="You set the padding to 0, and its scores become 0. But exp(0) is 1: it still draws attention. Only a score "
    "of minus infinity hides it.",
)
def attention_pool_zeroes_the_padding(sequences, query, lengths):
    silent = sequences * _is_real(sequences, lengths)[:, :, None]
    return _pool(silent, _scores(silent, query))


@mistake(
    of=attention_pool,
    hint="One place of the padding still counts: places count from 0, so the last real one is `lengths - 1`.",
)
def attention_pool_sees_one_too_many(sequences, query, lengths):
    return attention_pool(sequences, query, (lengths + 1).clamp(max=sequences.shape[1]))


@mistake(
    of=attention_pool,
    hint="The root is missing: divide the scores by the root of the width.",
)
def attention_pool_forgets_the_root(sequences, query, lengths):
    return attention_pool(sequences, query * math.sqrt(len(query)), lengths)


@mistake(
    of=attention_pool,
    hint="You divide by the lengths at the end. The weights sum to 1 already, so the weighted sum is a mean.",
)
def attention_pool_divides_twice(sequences, query, lengths):
    pooled, weights = attention_pool(sequences, query, lengths)
    return pooled / lengths[:, None], weights


@mistake(
    of=attention_pool,
    hint="All sequences are cut to the shortest one: each has a length of its own.",
)
def attention_pool_cuts_to_the_shortest(sequences, query, lengths):
    return attention_pool(sequences, query, lengths.amin().expand(len(lengths)))


@mistake(
    of=attention_pool,
    hint="You ignore the query: all real places count alike. That is the plain mean of lesson 08.",
)
def attention_pool_takes_the_plain_mean(sequences, query, lengths):
    return attention_pool(sequences, torch.zeros_like(query), lengths)
