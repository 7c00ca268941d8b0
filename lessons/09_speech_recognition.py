# %% [markdown]
# # 09 · Spelling what was said
#
# Somebody speaks, and letters come out. One network does it all, and nobody tells it which moment belongs to which
# letter. You write the loss that makes this possible, train the network in this notebook, and let voices speak to it
# that it has never heard.
#
# **You will be able to** train a speech recognizer, compute CTC's loss by hand, search for the best text with a
# language model, measure word errors, and find where in the sound each word stands.
#
# **You need** lessons 03 (the training loop), 07 (log-mel) and 08 (the LSTM). **Time:** 90 minutes, with five
# exercises.

# %%
import math
import time
from collections import Counter
from itertools import pairwise, product

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from course_lib import decoding, speech_models
from course_lib.datasets import available, load
from course_lib.device import best_device, budget, fast_precision
from course_lib.exercises import borrow, exercise
from course_lib.metrics import character_error_rate, edit_distance
from course_lib.plots import INK, PALETTE, show
from course_lib.text import Alphabet, NGram
from course_lib.training import Recipe, fit, one_cycle

# %% [markdown]
# ## Letters and moments
#
# The voices are synthetic, the task is real: digits and commands for a house, spoken by dozens of voices in eight
# accents. The voices are divided: nobody who is heard in training is heard in validation or in the test.
#
# **Predict.** Log-mel gives a frame every 10 ms. How many frames are there for each letter?

# %%
from course_lib.audio import log_mel, normalize_features
from course_lib.generate.speech import speak
from course_lib.widgets.sound import play

device, data = best_device(), load("spoken_commands")
train, validation, test = (data.splits[part] for part in ("train", "validation", "test"))
alphabet = Alphabet(" abcdefghijklmnopqrstuvwxyz'")
labels = {part: [alphabet.encode(text).to(device) for text in split.texts] for part, split in data.splits.items()}
features = {
    part: [normalize_features(log_mel(waveform)).to(device) for waveform in split.waveforms()]
    for part, split in data.splits.items()
}
num_frames = sum(len(each) for each in features["train"])
print(f"{len(train):,} sentences, {num_frames / 100 / 60:.0f} minutes, {len(set(train.speakers))} voices")
print(f"{num_frames / sum(len(each) for each in labels['train']):.1f} frames for each letter")
play(validation.waveform(2), label=validation.texts[2])

# %% [markdown]
# Far more frames than letters, and neighbors look alike. So we put four of them side by side, as one frame four times
# as wide, and the LSTM has a quarter of the steps to take. Any layer with a stride shortens the time in such a way, and
# whoever trains must know by how much.
#
# **Predict.** Equal letters in a row will need a frame between them. How many sentences can still be written if one
# frame stands for 40 ms? And for 80?
#
# ### Exercise 1 · `length_after_subsampling` · difficulty ●○○ · 6 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Lay a kernel of 4 on 10 frames and move on by 4. How often does it fit?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# After the first place it can move on floor((n + 2·padding − kernel) / stride) times. Go through the layers one by one;
# each starts with what the one before left.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `lengths = ((lengths + 2 * padding - kernel) // stride + 1).clamp(min=0)` in a loop over the layers.
# </details>

# %% tags=["exercise"]
@exercise
def length_after_subsampling(lengths, layers):
    """Say how many frames each sequence has left after some layers that look at several frames and skip some.

    Args:
        lengths: frames of each sequence, int64, shape `(batch,)`.
        layers: for each layer in turn a tuple of whole numbers `(kernel, stride, padding)`: how many frames it sees,
            how far it moves on, and how many frames are added at each of the two ends.

    Returns:
        int64, shape `(batch,)`. A layer turns n frames into floor((n + 2·padding − kernel) / stride) + 1, and never
        into fewer than 0.

    Example: 100 frames through `[(3, 2, 1), (4, 4, 0)]` become 50, then 12.
    """
    ...  # your code here

# %%
samples = torch.tensor([len(waveform) for waveform in train.waveforms()])
needed = torch.tensor([len(text) + sum(a == b for a, b in pairwise(text)) for text in train.texts])
for stacked in (1, 2, 4, 8, 12):
    left = length_after_subsampling(samples, [(400, 160, 0), (stacked, stacked, 0)])
    print(f"{10 * stacked:3d} ms: {(left >= needed).double().mean():.1%} have enough frames")

# %% [markdown]
# At 40 ms nearly all fit, but not all. So our network reads frames of 40 ms and writes *two* rows for each: one every
# 20 ms.
#
# ## The blank
#
# In each row, the network names one letter, or the **blank**, –, which means "nothing new here". To read such a path,
# merge what repeats, then take out the blanks: `tt–oo–oo–` spells *too*.
#
# **Predict.** Six rows, three labels (–, n, o): 729 paths. How many of them spell "no"? How many "noo"?
#
# ### Exercise 2 · `collapse` · difficulty ●○○ · 5 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# In which order? Try `[3, 0, 3]` both ways.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Write a label if it differs from the one in the frame *before* and is not the blank.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `[label for label, _ in itertools.groupby(path) if label != blank]`
# </details>

# %% tags=["exercise"]
@exercise
def collapse(path, *, blank=0):
    """Read what a path through the frames spells: first merge the runs of equal labels, then take out the blanks.

    Args:
        path: one label for each frame, a list of whole numbers; it may be empty.
        blank: the label that means "nothing new here".

    Returns:
        The labels that are left, a list.

    Example: with h = 1, e = 2, l = 3, o = 4, the path `[1, 1, 0, 2, 3, 0, 3, 3, 4, 0]` spells `[1, 2, 3, 3, 4]`.
    """
    ...  # your code here

# %%
# NBVAL_CHECK_OUTPUT
letters = Alphabet("no")
paths = Counter(letters.decode(collapse(list(path))) for path in product(range(3), repeat=6))
print({text: paths[text] for text in ("", "n", "no", "noo", "nono", "nooon")})

# %% [markdown]
# 70 paths spell "no", and any of them will do. That is the idea of **CTC**, *connectionist temporal classification*:
# nobody says where the letters stand; the probability of a text is the sum over *all* paths that spell it.
#
# To add up exponentially many paths, draw them as ways through a **lattice**: downwards the text with blanks around
# each letter, to the right the time. Each step stays, moves down by one, or skips a blank.
#
# **Predict.** Between which letters of "too" must no blank be skipped?

# %%
states = decoding.extended(alphabet.encode("too"))
may_skip = decoding.may_skip(states)
figure, axes = plt.subplots(figsize=(7.5, 3.4))
for frame, state, jump in product(range(7), range(len(states)), range(3)):
    target = state + jump
    if target < len(states) and (jump < 2 or may_skip[target]):
        color = PALETTE["vermillion"] if jump == 2 else "#B8C2CC"
        axes.plot([frame, frame + 1], [state, target], color=color, linewidth=1.5)
for state, label in enumerate(states.tolist()):
    axes.plot(range(8), [state] * 8, "o", color=PALETTE["blue"] if label else INK, markersize=7 if label else 4)
axes.plot([0, 0], [0, 1], "s", [7, 7], [5, 6], "s", color=PALETTE["green"], markersize=11, zorder=0)
axes.set(title="The lattice of “too”: every way from green to green spells it", xlabel="row", ylim=(6.5, -0.5))
axes.set_yticks(range(7), ["–" if label == 0 else alphabet.decode([label]) for label in states.tolist()])
show(axes, alt="A grid of seven states by eight rows. Ways lead right, down by one, and, only from t to the first o, "
     "down by two, past the blank. They begin in the first two states and end in the last two.")

# %% [markdown]
# Only from t to o there is a shortcut (orange): from o to o it would merge the two.
#
# $\alpha_t(s)$ is the probability of all ways that reach state $s$ in row $t$:
#
# $$\alpha_t(s) = \big[\alpha_{t-1}(s) + \alpha_{t-1}(s-1) + \underbrace{\alpha_{t-1}(s-2)}_{\text{if allowed}}\big]
#   \; p_t(\text{label of } s)$$
#
# It begins in the first two states, with their $p_1$; what the last two hold in the last row, added up, is the
# probability of the text. Two judges wait below: brute force over all paths of a small lattice, and torch's loss on a
# large one.
#
# **Predict.** Will the *gradients* agree with torch's, too: at the logits, and at the log-probabilities?
#
# ### Exercise 3 · `ctc_forward` · difficulty ●●● · 20 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# A product of 500 probabilities is zero in floating point. Keep logarithms: products become sums, and sums become
# `logsumexp`. Where may a path be in the first row, and where in the last?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `alpha` holds one number per state. At first, all are −1e30 but the first two. For each further row, stack three
# versions of it: as it is, shifted by one, shifted by two (only where a skip is allowed); `logsumexp` over the three,
# and add the row's log-probabilities of the states' labels.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `states = labels.new_zeros(2 * len(labels) + 1)`, `states[1::2] = labels`; skips are allowed where
# `states[3::2] != states[1:-2:2]`. In the loop: `step = torch.cat([impossible, alpha])[:-1]`,
# `skip = torch.where(skips, torch.cat([impossible, impossible, alpha])[:-2], impossible)`,
# `alpha = torch.stack([alpha, step, skip]).logsumexp(dim=0) + frame[states]`. At last `-alpha[-2:].logsumexp(dim=0)`.
# </details>

# %% tags=["exercise"]
@exercise
def ctc_forward(log_probs, labels):
    """Compute CTC's loss for one sequence: −log of the probability of all paths together that spell a text.

    Args:
        log_probs: the logarithms of the probabilities, shape `(frames, classes)`; class 0 is the blank. At least one
            frame.
        labels: the text without blanks, int64, shape `(length,)`; it may be empty.

    Returns:
        −log P(text), a tensor of shape `()`, through which gradients flow back to `log_probs`. It works with logarithms
        throughout, so that hundreds of frames are no problem; log 0 is written as −1e30 (with −inf, gradients become
        NaN). So a text that no path spells costs more than 1e20.

    Example: two frames, two classes, all probabilities 1/2, the text `[1]`. The paths `[1, 1]`, `[0, 1]` and `[1, 0]`
        spell it, so the loss is −log(3/4) = 0.2877.
    """
    ...  # your code here

# %%
# NBVAL_CHECK_OUTPUT
noise = torch.Generator().manual_seed(0)
log_probs, by_text = torch.randn(6, 4, dtype=torch.float64, generator=noise).log_softmax(dim=1), Counter()
for path in product(range(4), repeat=6):
    by_text[tuple(collapse(list(path)))] += math.exp(log_probs[range(6), path].sum())
losses = {text: ctc_forward(log_probs, torch.tensor(text, dtype=torch.int64)) for text in by_text}
close = all(math.isclose(math.exp(-losses[text]), by_text[text]) for text in by_text)
print(f"{4**6:,} paths spell {len(by_text)} texts; the probability of each is the sum over its paths: {close}")

logits = torch.randn(200, len(alphabet), dtype=torch.float64, generator=noise).requires_grad_()
text, log_probs = alphabet.encode("turn off the hall heater"), logits.log_softmax(dim=1)
theirs = F.ctc_loss(log_probs, text, torch.tensor(200), torch.tensor(len(text)), reduction="sum")
ours = ctc_forward(log_probs, text)
for name, place in (("logits", logits), ("log-probabilities", log_probs)):
    gradients = [torch.autograd.grad(loss, place, retain_graph=True)[0] for loss in (ours, theirs)]
    print(f"the same gradient at the {name}: {torch.allclose(*gradients)}")

# %% [markdown]
# At the log-probabilities, torch's gradient has the softmax already in it. So compare at the logits; there it is easy
# to read: in each row, *what the network says* minus *what the paths that spell the text say*.
#
# ## The network
#
# A convolution, then two **bidirectional LSTMs**: one reads forwards, one backwards, so each row knows the whole
# sentence. SpecAugment (lesson 07) hides a band and a moment from each training sentence, and
# `shift_bands` gives each its own throat: a longer one lowers all resonances.
#
# **Predict.** After each epoch we note how it reads one validation sentence. What does it write after the first one?

# %%
from course_lib.sequence_batches import SequenceBatches
from course_lib.sound_effects import add_noise, shift_bands, spec_augment
from course_lib.speech_models import ctc_losses, log_probs_of, row_lengths, stack_frames, stacked_lengths


def augment(padded, lengths, *targets, generator):
    padded = shift_bands(padded, most=2, generator=generator)
    masks = {"num_freq_masks": 1, "max_freq": 8, "num_time_masks": 1, "max_time": 15}
    return spec_augment(padded, lengths=lengths, generator=generator, **masks), lengths, *targets


batches = SequenceBatches(features["train"], labels["train"], batch_size=16, shuffle=True, augment=augment)
for_validation = SequenceBatches(features["validation"], labels["validation"], batch_size=len(validation))
hidden_size, num_epochs = budget(cpu=(128, 14), gpu=(384, 40))
torch.manual_seed(0)
recognizer = speech_models.SpeechRecognizer(len(alphabet), hidden_size=hidden_size).to(device)
padded, lengths, targets, target_lengths = next(batches.epoch(0))
logits = recognizer(stack_frames(padded), stacked_lengths(lengths))
print(f"features {tuple(padded.shape)} -> logits {tuple(logits.shape)}, texts {tuple(targets.shape)}")

# %%
diary = []


def letters_right(model, batch):
    padded, lengths, targets, target_lengths = batch
    read = decoding.greedy_decode(model(stack_frames(padded), stacked_lengths(lengths)), row_lengths(lengths))
    diary.append(alphabet.decode(read[2]))
    pairs = zip(targets.tolist(), target_lengths.tolist(), read, strict=True)
    return torch.tensor([1 - edit_distance(text[:length], letters) / length for text, length, letters in pairs])


scores = {"letters_right": letters_right}
recipe = Recipe(lambda model: torch.optim.AdamW(model.parameters(), 5e-3), num_epochs, one_cycle(warmup=0.2), scores,
                precision=fast_precision())  # bf16 where the machine has units for it (lesson 03)
history = fit(recognizer, batches, ctc_losses, recipe=recipe, validation=for_validation)
show(history.plot(title="Learning to spell"), alt=history.describe())
for epoch, text in enumerate(diary, start=1):
    print(f"epoch {epoch:2d}: {text}")

# %% [markdown]
# After one epoch it babbles, in the rhythm of the sentence. Then come syllables, then words. It spells like a child: by
# ear, and unsure where a letter is doubled.
#
# ### Exercise 4 · `word_error_rate` · difficulty ●●○ · 12 min
#
# How good is it? Count the words that must be replaced, inserted or deleted, and divide by the words that were said.
#
# **Predict.** If one letter in forty is wrong, how many of the words are? Is one voice like another?
#
# <details><summary>Hint 1: a nudge</summary>
#
# How far is "turn on" from "turn it on", if you know how far "turn" is from "turn it"?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# A table: cell (i, j) is the fewest errors between the first i words said and the first j words heard. It comes from
# three neighbors: above (+1), left (+1), diagonal (+1 if the words differ).
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# The first row is `0, 1, 2, ...`. Then, for each word said, a new row that begins with its number:
# `row.append(min(above[j - 1] + (said != heard), above[j] + 1, row[-1] + 1))`. The last cell is the answer.
# </details>

# %% tags=["exercise"]
@exercise
def word_error_rate(references, hypotheses):
    """Say how many words went wrong, for each word that was said.

    Args:
        references: what was said: a list of texts, words separated by spaces. Some may be empty, not all.
        hypotheses: what was understood, one text for each reference.

    Returns:
        All errors divided by all words of the references, a number. The errors of a text: the fewest words that must be
        replaced, inserted or deleted to make the reference out of the hypothesis. The rate can exceed 1.

    Example: said "turn on the light" and "ten", understood "turn the light on" and "ten": two errors (a missing "on",
        an "on" too many) in five words, 0.4.
    """
    ...  # your code here

# %%
def read_greedily(log_probs):
    return alphabet.decode(collapse(log_probs.argmax(dim=1).tolist()))


heard, said = log_probs_of(recognizer, features["validation"]), validation.texts
greedy = [read_greedily(each) for each in heard]
print(f"letters wrong {character_error_rate(said, greedy):.1%}, words wrong {word_error_rate(said, greedy):.1%}")

# %%
def rates_of(speaker):
    mine = [i for i, each in enumerate(validation.speakers) if each == speaker]
    texts = [said[i] for i in mine], [greedy[i] for i in mine]
    return 100 * word_error_rate(*texts), 100 * character_error_rate(*texts)


by_voice = sorted((*rates_of(speaker), speaker) for speaker in set(validation.speakers))
words, characters, speakers = zip(*by_voice, strict=True)
figure, axes = plt.subplots(figsize=(7.5, 3.6))
axes.barh(speakers, words, color=PALETTE["sky"], label="words")
axes.barh(speakers, characters, height=0.4, color=PALETTE["blue"], label="letters")
axes.set(title="Errors by voice, none of them heard in training", xlabel="error rate (%)", ylabel="voice")
axes.legend()
show(figure, alt=f"Bars for each validation voice. Words wrong: {words[0]:.0f}% ({speakers[0]}) to {words[-1]:.0f}% "
     f"({speakers[-1]}). Letters wrong: {min(characters):.1f}% to {max(characters):.1f}%.")

# %% [markdown]
# A word is wrong as soon as one of its letters is, so the word error rate is a multiple of the letters'. And an average
# hides who is understood badly: report both, and by voice.
#
# ## Where was it said?
#
# Given the text, the lattice also knows its *most probable* path: `forced_align` walks it back. espeak, which spoke,
# knows when each word really began.
#
# **Predict.** The network was never told any time. How far off will its words be?

# %%
# NBVAL_CHECK_OUTPUT
offsets = []
for text, log_probs, true_times in zip(said, heard, validation.word_times, strict=True):
    spans = decoding.forced_align(log_probs, alphabet.encode(text))
    found = decoding.word_spans(spans, alphabet=alphabet)
    offsets += [0.02 * start - begins for (_, start, _), (_, begins, _) in zip(found, true_times, strict=True)]
offsets = torch.tensor(offsets)
print("half of the words begin within 0.1 s of the truth:", bool(offsets.abs().median() < 0.1))

# %%
from course_lib.widgets.alignment import Heard, describe_alignment, explore_alignment

number = 2
figure, axes = plt.subplots(figsize=(9, 3.6))
axes.imshow(features["validation"][number].cpu().T, origin="lower", aspect="auto", cmap="gray_r",
            extent=(0, len(features["validation"][number]) / 100, 0, 40))
for span in decoding.forced_align(heard[number], alphabet.encode(said[number])):
    letter = alphabet.decode([span.label]).replace(" ", "·")
    axes.text(0.01 * (span.start + span.end), 42, letter, ha="center", fontsize=10, color=PALETTE["vermillion"])
for word, begins, ends in validation.word_times[number]:
    axes.plot([begins + 0.01, ends - 0.01], [-2, -2], color=PALETTE["blue"], linewidth=5, solid_capstyle="butt")
    axes.text((begins + ends) / 2, -4, word, ha="center", va="top", color=PALETTE["blue"])
axes.set(title="Letters where the network hears them (above), words as they were spoken (below)\n",
         xlabel="time (s)", ylabel="mel band", ylim=(-9, 40))
axes.grid(False)
show(figure, alt=describe_alignment(heard[number], said[number], alphabet=alphabet))

# %% [markdown]
# The letters stand where they are spoken, and nobody ever told it.
#
# Below, type any text: it costs the more, the less it fits the sound. Try a word that sounds alike.

# %%
some = [Heard(features["validation"][i].cpu(), heard[i], said[i]) for i in range(8)]
explore_alignment(some, alphabet=alphabet)

# %% [markdown]
# ## The best text
#
# So far we took the best label of each row. But the best *path* need not spell the best *text*: in two rows with
# P(–) = 0.6, the best path is – –, with 0.36. "a" has three paths, with 0.64 together.
#
# ### Exercise 5 · `prefix_beam_search` · difficulty ●●● · 20 min
#
# **Beam search** grows the texts row by row and keeps the best beginnings.
#
# <details><summary>Hint 1: a nudge</summary>
#
# The text "a", and another a: when does it become "aa", and when does it stay "a"? What must you know of its paths?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Keep two log-probabilities for each prefix: of its paths that end in a blank, and of those that end in its last
# letter. In each row, a prefix stays by a blank (from both), stays by its last letter (from the second), and grows by
# each label (from both; by its own last letter only from the first). What meets in one prefix is added up.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# Two helpers: `add(a, b)`, log of exp(a) + exp(b), careful with −inf; and one that adds a path to `grown[prefix]`.
# Start with `{(): (0.0, -inf)}`. Language: `spoken[longer] = spoken[prefix] + language(prefix, new)`, kept for each
# prefix and added to the score when you sort.
# </details>

# %% tags=["exercise"]
@exercise
def prefix_beam_search(log_probs, *, beam_size, language=None):
    """Find the most probable text, where the probability of a text is the sum over all paths that spell it.

    Args:
        log_probs: the logarithms of the probabilities, shape `(frames, classes)`; class 0 is the blank.
        beam_size: how many beginnings ("prefixes") are kept after each frame: those with the highest score.
        language: a function `(prefix, label) -> number` that says what is added to the score when `label` is written
            after `prefix`, a tuple of labels; None adds nothing.

    Returns:
        The best text, a list of labels, and its score: the logarithm of the probability of all its paths that the beam
        kept, plus what the language added for each of its labels.

    Example: two frames, two classes, P(blank) = 0.6 in both. The best path is blank, blank, with 0.36. But the text
        `[1]` has three paths, with 0.64 together: the answer is `([1], log 0.64)`.
    """
    ...  # your code here

# %%
# NBVAL_CHECK_OUTPUT
two_rows = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
best, score = prefix_beam_search(two_rows, beam_size=3)
print(f"greedy: {collapse(two_rows.argmax(dim=1).tolist())}   beam search: {best} with {math.exp(score):.2f}")
print("CTC's forward pass says the same:", f"{math.exp(-ctc_forward(two_rows, torch.tensor(best))):.2f}")

# %% [markdown]
# Beam search and loss agree on what a text is worth. Now **language**: "brotther" sounds right, but nobody writes it.
# An **n-gram** model counts, in the training sentences, which word follows which two. The library's search asks it
# after each word, and writes only what begins a word that exists: a *lexicon*.
#
# How much should language count beside sound? A choice, so: on validation.
#
# **Predict.** How many of the word errors will be left?

# %%
ngram = NGram.fit(train.texts, order=3)


def read_with_language(log_probs, *, weight, bonus=1.0):
    language = decoding.WordModel(ngram, alphabet=alphabet, weight=weight, bonus=bonus)
    best = decoding.prefix_beam_search(log_probs, beam_size=8, language_model=language)[0]
    return alphabet.decode(best.labels)


for weight in (0.25, 0.5, 1.0):
    texts = [read_with_language(each, weight=weight) for each in heard]
    print(f"weight {weight:4.2f}: {word_error_rate(said, texts):.1%} of the words are wrong")

# %% [markdown]
# Hardly any difference between the weights: the one in the middle will do. Now everything is chosen, and only now we ask the test voices,
# once.

# %%
heard_in_test = log_probs_of(recognizer, features["test"])
readings = {
    "greedy": [read_greedily(each) for each in heard_in_test],
    "with language": [read_with_language(each, weight=0.5) for each in heard_in_test],
}
for name, texts in readings.items():
    print(f"{name:14s} letters {character_error_rate(test.texts, texts):.1%}   "
          f"words {word_error_rate(test.texts, texts):.1%}")
new = [i for i in range(len(test)) if not test.heard[i]]
texts = [readings["with language"][i] for i in new]
print(f"the {len(new)} sentences that nobody said in training: "
      f"words {word_error_rate([test.texts[i] for i in new], texts):.1%}")

# %%
# NBVAL_CHECK_OUTPUT
greedy_words, language_words = (word_error_rate(test.texts, texts) for texts in readings.values())
print("greedy: fewer than 8% of the letters are wrong:", character_error_rate(test.texts, readings["greedy"]) < 0.08)
print("with language: fewer than 8% of the words are wrong:", language_words < 0.08)
print("language leaves less than half of the word errors:", language_words < greedy_words / 2)

# %%
wrong = [i for i, text in enumerate(readings["with language"]) if text != test.texts[i]]
for i in wrong[:6]:
    print(f"said      {test.texts[i]}")
    print("\n".join(f"{name.split()[-1]:9s} {texts[i]}" for name, texts in readings.items()) + "\n")
by_voice = Counter(test.speakers[i] for i in wrong).most_common(3)
print(f"{len(wrong)} of {len(test)} sentences have an error; voices with most of them:", dict(by_voice))

# %% [markdown]
# Read your errors, always. Most come from a few voices unlike all those heard in training. Language leaves hardly a
# misspelled word (at the very end, one begun and not finished), though perhaps a wrong one. A house has few commands;
# in free speech it helps less.
#
# ## Noise
#
# In a kitchen, a fan hums and others talk. Beside the network that you trained in silence stands one of the course's
# own: larger, trained longer, on nearly eight times as many sentences, and with noise (`checkpoints/make_speech.py`).
#
# **Predict.** At 5 dB the voice still has three times the energy of the noise. Of 99 validation sentences, what does
# each network understand?

# %%
from course_lib.generate.noise import KINDS, make_noise

noise_trained, card = speech_models.load_recognizer("speech_noise")
voices, decibels, chance = validation.waveforms()[:99], (30, 20, 10, 5, 0), torch.Generator().manual_seed(0)
noises = [make_noise(KINDS[i % 3], len(voice), generator=chance, voices=voices) for i, voice in enumerate(voices)]
figure, axes = plt.subplots(figsize=(7, 3.4))
for name, network in (("trained in silence", recognizer), ("trained in noise", noise_trained.to(device))):
    rates = []
    for snr_db in decibels:
        noisy = [add_noise(voice, noise, snr_db=snr_db) for voice, noise in zip(voices, noises, strict=True)]
        read = log_probs_of(network, [normalize_features(log_mel(each)).to(device) for each in noisy])
        rates.append(100 * character_error_rate(said[:99], [read_greedily(each) for each in read]))
    axes.plot(decibels, rates, "o-", label=f"{name}: {rates[3]:.0f}% at 5 dB")
axes.set(title="What noise costs", xlabel="voice above noise (dB)", ylabel="letters wrong (%)", xlim=(31, -1), ylim=0)
axes.legend()
show(figure, alt="Two rising curves as noise grows. The network trained in silence fails; the other holds.")

# %% [markdown]
# What a network hasn't heard in training, it doesn't understand in use. Even at 30 dB, where the noise has a thousandth
# of the voice's energy, yours makes more mistakes than in silence.
#
# ## While somebody still speaks
#
# A backward LSTM must wait for the end. A **streaming** network has one direction, and hands its state from piece to
# piece: again one of the course's own.
#
# **Predict.** Cut into pieces of 0.32 s, will it read the same as in one go?

# %%
streaming, card = speech_models.load_recognizer("speech_streaming")
stacked, state, pieces = stack_frames(log_mel(validation.waveform(2)))[None], None, []
with torch.inference_mode():
    for piece in stacked.split(8, dim=1):
        logits, state = streaming.listen(piece, state)
        pieces.append(logits[0])
        print(f"{0.32 * len(pieces):4.2f} s  {read_greedily(torch.cat(pieces))}")
    whole = streaming(stacked)[0]
print("in pieces as in one go:", torch.allclose(torch.cat(pieces), whole, atol=1e-4))
print(f"all validation voices: {card['validation']['clean']['cer']:.1%} of the letters are wrong")

# %% tags=["machine"]
seconds = []
with torch.inference_mode():
    for _ in range(30):
        began = time.perf_counter()
        streaming.listen(stacked[:, :8])
        seconds.append(time.perf_counter() - began)
    began = time.perf_counter()
    log_probs_of(recognizer, features["validation"])
    all_at_once = time.perf_counter() - began
typical = sorted(seconds)[15]
print(f"a piece of 0.32 s takes {1000 * typical:.1f} ms; real-time factor {typical / 0.32:.4f}")
print(f"the whole validation set at once: real-time factor {all_at_once / validation.durations.sum():.4f}")

# %% [markdown]
# The letters come while the voice goes on. This network can't look ahead, and yet it makes fewer mistakes than yours:
# it is larger, and it, too, has heard nearly eight times as many sentences. All of them in silence, so noise is its
# undoing.
#
# ## Your own voice
#
# First a voice from the test; and, if you have fetched FSDD (`course data fsdd`), digits that people spoke. Then you:
# record yourself, save, and choose the file; or any WAV, FLAC or Ogg.
#
# **Predict.** The network has heard synthetic voices only. Of ten digits by people, how many does it read?

# %%
from course_lib.paths import data_dir
from course_lib.sound_files import write_sound
from course_lib.widgets.microphone import explore_microphone, recorder, transcribe_sound


def transcribe(waveform):
    (log_probs,) = log_probs_of(noise_trained, [normalize_features(log_mel(waveform)).to(device)])
    return read_with_language(log_probs, weight=0.5)


recording = data_dir() / "recording.wav"
write_sound(recording, speak("please turn on the kitchen light", voice=f"en-us+{test.speakers[0]}"))
print(transcribe_sound(recording, transcribe))
if available("fsdd"):
    people = load("fsdd").splits["test"]
    right = sum(transcribe(waveform) == digit for waveform, digit in zip(people.waveforms(), people.texts, strict=True))
    print(f"{right} of {len(people)} digits spoken by {len(set(people.speakers))} people are read right")
display(recorder())
explore_microphone(transcribe)

# %% [markdown]
# ## What to remember
#
# - CTC needs no times: it adds up all paths that spell the text. Merge first, then take out blanks.
# - In the logarithm, sums are log-sum-exp. Equal letters need a blank in between.
# - The best path is not the best text. Beam search adds up paths; a language model knows what people say.
# - Word errors, divided by what was *said*; by voice; chosen on validation, asked once on test.
# - What was never heard in training isn't understood: voices, noise, rooms.

# %% [markdown]
# ## Going further
#
# - Train with `batch_size=32`. What do you lose, and what do you gain?
# - Give `WordModel` a `lexicon=` without the word "heater", and read a sentence that has it.
# - On a GPU this notebook trains a wider network longer; `course data librispeech` brings people who read books aloud.
#
# Read: A. Graves and others, *Connectionist temporal classification*, 2006,
# [doi:10.1145/1143844.1143891](https://doi.org/10.1145/1143844.1143891); A. Hannun, *Sequence modeling with CTC*, 2017,
# [doi:10.23915/distill.00008](https://doi.org/10.23915/distill.00008).
#
# **Next, lesson 10, attention:** a network that decides where to listen.
