# %% [markdown]
# # 07 · From pressure waves to pictures
#
# A second of sound is 16,000 numbers, and hardly one of them means anything by itself. You turn them into a small
# picture in which words have shapes: the picture that every speech recognizer of this course reads.
#
# **You will be able to** sample without aliasing, cut sound into frames, read a spectrogram and choose its window, say
# what decibels and mel are, compute log-mels and MFCC that equal torchaudio's, and hide parts of them so that a network
# learns more.
#
# **You need** lessons 01 to 03, and sines and cosines. Headphones help. **Time:** 80 minutes, with five exercises.

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch

from course_lib import audio, sound_effects
from course_lib.exercises import borrow, exercise
from course_lib.generate.speech import speak
from course_lib.plots import PALETTE, show
from course_lib.widgets.sound import play
from course_lib.widgets.spectrogram import describe_spectrogram, explore_spectrogram

RATE = 16_000  # samples per second, everywhere in this course

# %% [markdown]
# ## Sound is a row of numbers
#
# Sound is air pressure that goes up and down. A microphone measures it at regular moments: 16,000 times a second all
# over this course. Each measurement is a **sample**, here between −1 and 1.
#
# **Predict.** A pure tone of 440 Hz, half a second long: how many samples, and how many of them make up one swing?

# %%
def tone(hertz, *, seconds=0.5, rate=RATE):
    times = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return 0.5 * torch.sin(2 * math.pi * hertz * times)


concert_pitch = tone(440)
print(f"{len(concert_pitch):,} samples; one swing takes {RATE / 440:.1f} of them")
play(concert_pitch, label="a tone of 440 Hz")

# %% [markdown]
# ## Too few samples
#
# Now measure less often: 8,000 times a second. That still gives a tone of 5,000 Hz more than one sample for each swing.
#
# **Predict.** You take 8,000 samples a second of a 5,000 Hz tone, and play them at that rate. What will you hear: the
# same tone, silence, a lower one?

# %%
low_rate = 8_000
play(tone(5_000), label="5,000 Hz, sampled 16,000 times a second")
play(tone(5_000, rate=low_rate), label="5,000 Hz, sampled 8,000 times a second", sample_rate=low_rate)
play(tone(3_000), label="3,000 Hz, sampled 16,000 times a second")

figure, axes = plt.subplots(figsize=(7.5, 2.8))
smooth, dots = torch.arange(0, 1.5e-3, 2e-6), torch.arange(13) / low_rate
for hertz, sign, color in ((5_000, 1, "sky"), (3_000, -1, "vermillion")):
    wave = sign * 0.5 * torch.sin(2 * math.pi * hertz * smooth)
    axes.plot(1000 * smooth, wave, color=PALETTE[color], label=f"{hertz:,} Hz", linewidth=1.5)
axes.plot(1000 * dots, tone(5_000, rate=low_rate)[:13], "o", color=PALETTE["black"], label="samples")
axes.set(title="Two tones through the same samples", xlabel="time (ms)", ylabel="pressure")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="A fast wave of 5,000 Hz and a slower one of 3,000 Hz. They differ everywhere, except at the moments "
     "in which samples are taken, 8,000 times a second: there both go through the same dots.")

# %% [markdown]
# Between two samples nobody was looking, so both tones fit. This is **aliasing**: at a rate of $r$, everything above
# $r/2$ comes back folded down, $5000 \to 8000 - 5000 = 3000$. No program can undo it. So one filters *first*: what the
# new rate can't hold must go.
#
# **Predict.** A chirp climbs from 100 to 7,500 Hz in two seconds. You keep every second sample. What does it do after
# the first second?

# %%
times = torch.arange(2 * RATE, dtype=torch.float64) / RATE
chirp = 0.5 * torch.sin(2 * math.pi * (100 * times + (7_500 - 100) / 4 * times**2))
folded = chirp[::2]
filtered = sound_effects.resample(chirp, from_rate=RATE, to_rate=low_rate)
play(chirp, label="the chirp, 16,000 samples a second")
play(folded, label="every second sample of it", sample_rate=low_rate)
play(filtered, label="filtered, then every second sample", sample_rate=low_rate)

# %% [markdown]
# It turns around and comes down again. Filtered first, it ends in silence instead, which is honest. Soon you will *see*
# all three.
#
# ## Frames
#
# Speech changes all the time, but not within 25 ms: the mouth is too slow. So cut the sound into **frames** of 25 ms
# (the *window*, 400 samples), one every 10 ms (the *hop*, 160 samples), and study each as if it stood still.
#
# **Predict.** How many full frames are there in one second? It isn't 100.
#
# ### Exercise 1 · `frame` · difficulty ●○○ · 8 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Take 10 samples, a window of 4 and a hop of 3, and write down where each frame begins and where it ends.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# There are `1 + (time - window) // hop` frames, and frame i begins at `i * hop`. Cut from the last axis: there may be
# others before it.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `pieces = [waveform[..., start : start + window] for start in range(0, time - window + 1, hop)]`, then
# `torch.stack(pieces, dim=-2)`. Before that, the `ValueError`.
# </details>

# %% tags=["exercise"]
@exercise
def frame(waveform, *, window, hop):
    """Cut a waveform into overlapping frames.

    Args:
        waveform: shape `(..., time)`: one sound, or several.
        window: samples in a frame.
        hop: samples from the beginning of one frame to the beginning of the next.

    Returns:
        Shape `(..., num_frames, window)`. The first frame begins with the first sample. Only full frames count, and all
        of them: what is left over at the end is dropped.

    Raises:
        ValueError: the waveform is shorter than one window.

    Example: `[1, 2, 3, 4, 5, 6]` with `window=3, hop=2` gives `[[1, 2, 3], [3, 4, 5]]`.
    """
    ...  # your code here


# %%
print("frames in one second:", len(frame(torch.zeros(RATE), window=400, hop=160)))
word = speak("seven", voice="en-us+f2")
play(word, label="seven, spoken by the course's own voice f2")
frames = frame(word, window=400, hop=160)
figure, panels = plt.subplots(2, 1, figsize=(7.5, 4))
panels[0].plot(torch.arange(len(word)) / RATE, word, linewidth=0.6)
panels[0].set(title="The word", xlabel="time (s)", ylabel="pressure")
for number, name in ((5, "in the s"), (16, "in the first e")):
    panels[0].axvspan(number * 0.01, number * 0.01 + 0.025, color=PALETTE["orange"], alpha=0.5)
    panels[1].plot(torch.arange(400) / 16, frames[number], linewidth=1.2, label=name)
panels[1].set(title="Two of its frames", xlabel="time in the frame (ms)", ylabel="pressure")
panels[1].legend(loc="upper right", ncols=2)
show(figure, alt="Above, the waveform of the word seven, with two frames marked. Below, these frames: in the s, a "
     "restless scribble; in the e, a pattern that repeats itself about five times in 25 ms.")

# %% [markdown]
# The *s* is noise. The *e* repeats itself: vocal cords that open and close nearly 200 times a second.
#
# ## Which tones are in a frame?
#
# Compare the frame with waves that fit into it 0, 1, 2, ... times: multiply, add up. That is the **discrete Fourier
# transform** (DFT), $X_k = \sum_n x_n\, e^{-2\pi i k n / N}$. Its real part asks for cosines, its imaginary part for
# sines; $|X_k|^2$ is the power at $k \cdot r / N$ Hz, wherever the wave starts.
#
# **Predict.** N = 400 samples, 16,000 of them a second. In which bin is a tone of 1,000 Hz?

# %%
# NBVAL_CHECK_OUTPUT
def slow_dft(samples):
    n = torch.arange(len(samples), dtype=torch.float64)
    angles = 2 * math.pi * torch.outer(n[: len(n) // 2 + 1], n) / len(n)  # (bins, samples)
    return torch.complex(angles.cos() @ samples, -(angles.sin() @ samples))


piece = tone(1_000)[:400]
spectrum = slow_dft(piece)
print("the fast transform gives the same:", torch.allclose(spectrum, torch.fft.rfft(piece)))
print("loudest bin:", spectrum.abs().argmax().item())
print("bins that are not empty:", (spectrum.abs() > 1e-6).sum().item())

# %% [markdown]
# Bins are 40 Hz apart, and 1,000 Hz is bin 25, alone: exactly 25 swings fit into the frame. Real sounds are less kind.
#
# **Predict.** A tone of 1,020 Hz makes 25.5 swings. Where does its power go: into bins 25 and 26, or everywhere? (The
# figure is in **decibels**, as ears work: −10 dB is a tenth of the power, −20 dB a hundredth, −60 dB a millionth.)

# %%
piece, places = tone(1_020)[:400], torch.arange(400, dtype=torch.float64)
hann = 0.5 - 0.5 * torch.cos(2 * math.pi * places / 400)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), width_ratios=[1, 1.3])
for name, weighed, color in (("as it is cut", piece, "vermillion"), ("Hann", piece * hann, "blue")):
    left.plot(places / 16, weighed, color=PALETTE[color], linewidth=1)
    decibels = audio.to_decibels(torch.fft.rfft(weighed).abs() ** 2, top=140)
    right.plot(40 * torch.arange(201), decibels, color=PALETTE[color], label=name)
left.set(title="The frame", xlabel="time (ms)", ylabel="pressure")
right.set(title="Its spectrum", xlabel="frequency (Hz)", ylabel="power below the peak (dB)", ylim=(-120, 5))
right.legend()
show(figure, alt="Left: a frame of a tone as it is cut, and the same with both ends faded out. Right: the power of the "
     "frame as it is cut spreads over all frequencies; with the Hann window it falls off steeply on both sides.")

# %% [markdown]
# Everywhere. The DFT takes the frame for a pattern that repeats forever, and at its ends that pattern jumps: power
# **leaks**. The **Hann window** fades both ends out. The leak is gone; the peak is a little wider, and everybody pays
# that price.
#
# ### Exercise 2 · `power_spectrogram` · difficulty ●●○ · 12 min
#
# Frames, Hann window, DFT, power: one row of numbers for each moment, the **short-time Fourier transform**. Zeros
# behind each frame add no knowledge, only bins in between; 512 is a length that computers like.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Three lines: cut, weigh, transform. Which of `window` and `num_fft` belongs to which?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Your `frame` does the cutting. The Hann window has `window` weights and multiplies each frame. `torch.fft.rfft` keeps
# the half that matters, and its `n` fills up with zeros.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `weights = torch.hann_window(window, dtype=waveform.dtype)`, then
# `torch.fft.rfft(frame(waveform, window=window, hop=hop) * weights, n=num_fft).abs() ** 2`.
# </details>

# %% tags=["exercise"]
@exercise
def power_spectrogram(waveform, *, num_fft, window, hop):
    """Say how much of each frequency there is in each frame.

    Args:
        waveform: shape `(..., time)`, at least one window long.
        num_fft: length of the transform, at least `window`: each frame, once weighed, gets zeros at its end up to here.
        window: samples in a frame, weighed by a periodic Hann window, 0.5 − 0.5·cos(2πn / window).
        hop: samples from frame to frame.

    Returns:
        Power |X|², not scaled, shape `(..., num_frames, num_fft // 2 + 1)`: the transform of real numbers is its own
        mirror image, so its first half and the middle say all.

    Example: for the samples `[0, 1, 0, -1]` with `num_fft=4, window=4, hop=4` the Hann window is [0, 0.5, 1, 0.5],
        the frame becomes [0, 0.5, 0, −0.5], and the answer is `[[0, 1, 0]]`.
    """
    ...  # your code here


# %%
def draw_spectrogram(axes, waveform, *, title, window=400, rate=RATE, top=70):
    power = power_spectrogram(waveform, num_fft=2048, window=window, hop=window // 5)
    decibels = audio.to_decibels(power, top=top)
    extent = [0, len(waveform) / rate, 0, rate / 2000]
    axes.imshow(decibels.T, origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes.set(title=title, xlabel="time (s)", ylabel="frequency (kHz)")
    axes.grid(False)


figure, panels = plt.subplots(1, 3, figsize=(8.5, 3.2), width_ratios=[1, 1, 1])
draw_spectrogram(panels[0], chirp, title="The chirp")
draw_spectrogram(panels[1], folded, title="Every second sample", rate=low_rate)
draw_spectrogram(panels[2], filtered, title="Filtered first", rate=low_rate)
show(figure, alt="Three spectrograms. The chirp climbs in a straight line to 7.5 kHz. Of every second sample, the line "
     "climbs to 4 kHz, turns around and comes down. Filtered first, it climbs to 4 kHz and ends.")

# %% [markdown]
# That is what you heard: up, and down again where it should have gone on.
#
# ## Look at a word
#
# **Predict.** The same spectrogram of *seven*, once as power, once in decibels. In which one do you see the *s*?

# %%
power = power_spectrogram(word, num_fft=512, window=400, hop=160)
pictures = {"Power": power / power.max(), "Decibels": audio.to_decibels(power, top=70)}
figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.2))
for axes, (name, picture) in zip(panels, pictures.items(), strict=True):
    image = axes.imshow(picture.T, origin="lower", aspect="auto", extent=[0, len(word) / RATE, 0, 8], cmap="magma")
    figure.colorbar(image, ax=axes, label="share of the largest" if name == "Power" else "dB below the largest")
    axes.set(title=name, xlabel="time (s)", ylabel="frequency (kHz)")
    axes.grid(False)
show(figure, alt="The word seven twice. As power, a few bright specks near the bottom, the rest black. In decibels, "
     "the hiss of the s above 4 kHz, bands of the vowels below 4 kHz, and the stripes of the voice.")
print(f"the loudest bin has {power.max() / power.median():,.0f} times the power of the middle one")

# %% [markdown]
# Power shows a few loud specks; decibels show the word. The *s* hisses high up, the vowels have bright bands that
# bend: the **formants**, resonances of throat and mouth. They are what makes an *e* an *e*.
#
# ## Sharp in time, or sharp in pitch
#
# **Predict.** Two clicks 12 ms apart, while two tones 60 Hz apart go on. A window of 5 ms sees one pair, a window
# of 50 ms the other. Which sees which?

# %%
pair = tone(1_000, seconds=0.3) + tone(1_060, seconds=0.3)
pair[[2_400, 2_400 + round(0.012 * RATE)]] += 12.0
figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.2))
for axes, milliseconds in zip(panels, (5, 50), strict=True):
    draw_spectrogram(axes, pair, title=f"window of {milliseconds} ms", window=16 * milliseconds, top=40)
    axes.set(ylim=(0.5, 1.6))
show(figure, alt="Left, 5 ms: two separate upright lines, the clicks, and one thick blurred band, the tones. Right, 50 "
     "ms: two separate thin level lines, the tones, and one broad upright smear, the clicks.")

# %% [markdown]
# You can't have both: a window of $T$ seconds tells tones apart that differ by some $2/T$ Hz, and that is 400 Hz for 5
# ms, 40 Hz for 50 ms. (The thick band beats: both tones meet and part 60 times a second.) Speech takes 25 ms.
#
# ## The mel scale
#
# Ears don't hear in Hz. **Predict.** Both melodies take five equal steps from 200 to 5,000 Hz: one in Hz, the other in
# **mel**, $2595 \log_{10}(1 + f/700)$. Which one climbs evenly to your ear?

# %%
def to_mel(hertz):
    return 2595 * math.log10(1 + hertz / 700)


in_hertz = torch.linspace(200, 5_000, 6).tolist()
in_mel = [700 * (10 ** (mel / 2595) - 1) for mel in torch.linspace(to_mel(200), to_mel(5_000), 6).tolist()]
for name, steps in (("Hz", in_hertz), ("mel", in_mel)):
    play(torch.cat([tone(hertz, seconds=0.25) for hertz in steps]), label=f"equal steps in {name}")
    print(f"equal steps in {name}:", ", ".join(f"{hertz:,.0f}" for hertz in steps), "Hz")

# %% [markdown]
# In Hz, the first step is a leap and the last ones are hardly steps. Mel comes closer to what ears do.
#
# ### Exercise 3 · `mel_filterbank` · difficulty ●●● · 15 min
#
# So gather the bins into bands that are equally wide in mel: narrow below, wide above.
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many corners do 3 triangles have, if each one's ends are its neighbors' peaks?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `num_mels + 2` points, equally spaced in mel, turned back into Hz. For each bin and band compute two straight lines,
# one rising, one falling. The triangle is the smaller of both, and never below 0.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# With `bins` of shape (bins, 1): `rising = (bins - points[:-2]) / (points[1:-1] - points[:-2])`,
# `falling = (points[2:] - bins) / (points[2:] - points[1:-1])`, `torch.minimum(rising, falling).clamp(min=0)`.
# </details>

# %% tags=["exercise"]
@exercise
def mel_filterbank(*, num_mels, num_fft, sample_rate):
    """Make overlapping triangles, equally spaced in mel, that gather the bins of a spectrum into bands.

    Args:
        num_mels: how many bands.
        num_fft: length of the transform, even; its bin k stands for k · sample_rate / num_fft Hz.
        sample_rate: in Hz.

    Returns:
        Float32, shape `(num_fft // 2 + 1, num_mels)`: the weight of each bin in each band. With mel = 2595 ·
        log10(1 + f / 700), take `num_mels + 2` points, equally spaced in mel from 0 Hz to half of the sample rate, and
        turn them back into Hz. Band m rises from 0 at point m to 1 at point m + 1, and falls to 0 at point m + 2, along
        straight lines in Hz; elsewhere it is 0.

    Example: `num_mels=1, num_fft=4, sample_rate=1600` has its points at 0, 325.1 and 800 Hz. The bins at 0, 400 and
        800 Hz get the weights 0, (800 − 400) / (800 − 325.1) = 0.842, and 0.
    """
    ...  # your code here


# %%
def draw_bands(axes, picture, waveform, **limits):
    extent = [0, len(waveform) / RATE, 0, picture.shape[1]]
    axes.imshow(picture.T, origin="lower", aspect="auto", cmap="magma", extent=extent, **limits)
    axes.set(xlabel="time (s)", ylabel="mel band")
    axes.grid(False)


filters = mel_filterbank(num_mels=40, num_fft=512, sample_rate=RATE)
energies = power @ filters  # (frames, 40)
figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2))
left.plot(torch.arange(257) * 31.25 / 1000, filters[:, ::3], linewidth=1.2)
left.set(title="Every third of 40 bands", xlabel="frequency (kHz)", ylabel="weight")
draw_bands(right, (energies + 1e-6).log(), word)
right.set(title="seven, as a network sees it: log-mels")
show(figure, alt="Left: triangles between 0 and 8 kHz, narrow and close together below, wide above. Right: the word "
     "seven in 40 mel bands: the vowels now fill most of the picture, the s is a bright field at the top.")

# %% [markdown]
# From 257 bins to 40 bands: the vowels, where the words differ, now fill most of the picture. The logarithm of the
# energies makes it a **log-mel**, and this is what the lessons on speech feed to their networks.
#
# Here you can turn all the knobs. **Predict** before you turn them: what becomes of the man's voice (m1) with a window
# of 5 ms and a hop of 1 ms? And with a window of 100 ms?

# %%
sounds = {"seven, f2": word, "seven, m1": speak("seven", voice="en-us+m1"), "chirp": chirp, "tones, clicks": pair / 8}
print(describe_spectrogram(word, num_mels=20))  # the same in characters
explore_spectrogram(sounds)

# %% [markdown]
# With 5 ms there are upright stripes, one for each opening of the vocal cords; with 100 ms flat ones, the overtones.
#
# ## Thirteen numbers
#
# Neighboring bands say similar things. A cosine transform sorts them: its first waves carry the rough shape of the
# spectrum, which is the mouth, the later ones fine ripples, which are the voice's pitch. Keep 13: **mel-frequency
# cepstral coefficients**, MFCC.
#
# **Predict.** A louder microphone adds 6 dB to every band. Which of the 13 change?
#
# ### Exercise 4 · `mfcc` · difficulty ●●○ · 12 min
#
# Digital silence has no energy at all. What does the logarithm of zero do to a sum?
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write the cosines as a matrix with one column for each coefficient. Then the whole transform is one `@`.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Row n, column k of the matrix: $\cos(\pi/N \cdot (n + 1/2) \cdot k)$. Each column is then scaled to length 1: by
# $\sqrt{2/N}$, and column 0 by $\sqrt{1/N}$.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `places = torch.arange(N, dtype=mel_energies.dtype).unsqueeze(1) + 0.5`, `orders = torch.arange(num_coefficients)`,
# `waves = torch.cos(math.pi / N * places * orders) * math.sqrt(2 / N)`, `waves[:, 0] /= math.sqrt(2)`;
# `(mel_energies + 1e-6).log() @ waves`.
# </details>

# %% tags=["exercise"]
@exercise
def mfcc(mel_energies, *, num_coefficients):
    """Describe the shape of each frame's spectrum by a few numbers.

    Args:
        mel_energies: energy in each mel band, at least 0, shape `(..., num_frames, num_mels)`.
        num_coefficients: K, how many to keep; at most `num_mels`.

    Returns:
        Shape `(..., num_frames, K)`. With L = ln(energy + 0.000001) and N bands, coefficient k from 0 to K − 1 is
        c_k · sum over n from 0 to N − 1 of L_n · cos(π / N · (n + 1/2) · k), where c_0 = √(1 / N) and all other
        c_k = √(2 / N): the orthonormal DCT-II.

    Example: two bands with the energies e and 1, where e = 2.718...: L is [1, 0], and the two coefficients are
        √(1/2) · 1 = 0.707 and √(2/2) · cos(π/4) = 0.707.
    """
    ...  # your code here


# %%
change = mfcc(4 * energies, num_coefficients=13) - mfcc(energies, num_coefficients=13)
print("four times the power moves the coefficients", (change.abs().amin(dim=0) > 0.5).nonzero().flatten().tolist())

coefficients = mfcc(energies, num_coefficients=40)
back = mfcc(torch.eye(40).exp() - 1e-6, num_coefficients=40).T  # orthonormal: turned over, it leads back
figure, axes = plt.subplots(figsize=(7.5, 3.2))
axes.plot((energies[16] + 1e-6).log(), ".-", label="40 log-mels", linewidth=1)
for keep, color in ((13, "vermillion"), (4, "green")):
    axes.plot(coefficients[16, :keep] @ back[:keep], label=f"from {keep} coefficients", color=PALETTE[color])
axes.set(title="One frame of the first e in seven", xlabel="mel band", ylabel="ln energy")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="The 40 log-mels of a frame, a jagged curve. Drawn again from 13 coefficients, it is a smooth curve "
     "with the same hills; from 4, hardly more than a slope.")

# %% [markdown]
# Only coefficient 0: loudness is one number, and it stands apart. Thirteen coefficients keep the hills, which are the
# formants, and drop the ripple.
#
# One frame says nothing of movement. **Deltas** do: the slope of each feature over five frames, `audio.deltas`.
# Recognizers before deep learning took 13 MFCC, 13 deltas, and 13 deltas of deltas.
#
# ## The same word from two voices

# %%
voices = {"a woman's voice, f2": "en-us+f2", "a man's voice, m1": "en-us+m1"}
figure, panels = plt.subplots(2, 2, figsize=(8.5, 4.4))
for column, (name, voice) in zip(panels.T, voices.items(), strict=True):
    said = speak("seven", voice=voice)
    play(said, label=f"seven: {name}")
    column[0].plot(torch.arange(len(said)) / RATE, said, linewidth=0.5)
    column[0].set(title=name, xlabel="time (s)", ylabel="pressure", ylim=(-0.7, 0.7))
    draw_bands(column[1], audio.log_mel(said), said)
show(figure, alt="The word seven by a woman's and a man's voice. Their waveforms look unlike each other, their "
     "log-mels show the same sequence of shapes.")

# %% [markdown]
# The waveforms have little in common, the pictures nearly all. Now a test. Three voices say the ten digits. For each
# word of one voice, take the nearest word of another voice: no training, just distances, all words stretched to one
# length.
#
# **Predict.** How many of ten are right with waveforms? With power, log-mels, MFCC, deltas alone? Chance: one.

# %%
digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
said = [[speak(digit, voice=voice) for digit in digits] for voice in ("en-us+f2", "en-us+m1", "en+m3")]
pictures = {"waveform": lambda sound: sound[:, None], "power": audio.power_spectrogram,
            "log-mel": audio.log_mel, "MFCC": audio.mfcc, "deltas": lambda sound: audio.deltas(audio.mfcc(sound))}


def right_words(name, knows, asks):
    length = 4_000 if name == "waveform" else 40
    rows = [[torch.nn.functional.interpolate(pictures[name](sound).T[None], size=length).flatten() for sound in voice]
            for voice in (asks, knows)]
    nearest = torch.cdist(torch.stack(rows[0]), torch.stack(rows[1])).argmin(dim=1)
    return (nearest == torch.arange(10)).sum().item()


# %%
right = {name: [right_words(name, *pair) for pair in itertools.permutations(said, 2)] for name in pictures}
for name, counts in right.items():
    print(f"{name:9s} right of ten, for each pair of voices: {counts}, in all {sum(counts) / 60:.0%}")

# %%
# NBVAL_CHECK_OUTPUT
print("waveforms are hardly better than chance, below 25%:", sum(right["waveform"]) / 60 < 0.25)
print("log-mels and MFCC find more than 80%:", min(sum(right[name]) for name in ("log-mel", "MFCC")) / 60 > 0.8)

# %% [markdown]
# 15% with waveforms, hardly more than chance; 43% with power; 92% with log-mels and 95% with MFCC, before anything has
# learned anything; 72% from movement alone. But these are clean words, all from one program. People differ more.
#
# ## Hide some of it
#
# A network that sees a word a thousand times may lean on one detail. **SpecAugment** hides some bands and some moments,
# others in each epoch. What does one put there?
#
# ### Exercise 5 · `spec_augment` · difficulty ●●○ · 15 min
#
# Somebody else throws the dice: you get the masks.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A log-mel of 0 isn't silence: that is ln 0.000001 = −13.8. Which value says the least?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Two loops are fine, over utterances and over masks: fill a tensor of bools, `hidden`, for bands and moments. Padding
# is never hidden. Then put each utterance's mean where it says so.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# For utterance i: `spoken = features[i, : lengths[i]]`, `hidden = torch.zeros_like(spoken, dtype=torch.bool)`; for each
# pair `hidden[:, first : first + width] = True`, or `hidden[first : first + width] = True`; then
# `answer[i, : lengths[i]] = spoken.masked_fill(hidden, spoken.mean())`, where `answer` is `features.clone()`.
# </details>

# %% tags=["exercise"]
@exercise
def spec_augment(features, lengths, *, bands, moments):
    """Hide some bands and some moments of each utterance behind the utterance's mean.

    Args:
        features: log-mels, shape `(batch, num_frames, num_mels)`; left as they were. Utterances that are shorter than
            the longest one have padding at their end.
        lengths: how many frames of each utterance are no padding, int64, at least 1, shape `(batch,)`.
        bands: int64, shape `(batch, num_masks, 2)`. A pair (first, width) hides the mel bands first, first + 1, ...,
            first + width − 1 in all frames. A width may be 0.
        moments: the same for frames. What it hides may reach into the padding.

    Returns:
        Same shape. What is hidden has the mean of that utterance's own features: over its first `length` frames and
        all bands, as they came. Padding is left as it was.

    Example: one utterance `[[1, 2], [3, 6], [0, 0]]` of length 2 has the mean 3. With `bands=[[[1, 1]]]` and
        `moments=[[[0, 0]]]` it becomes `[[1, 3], [3, 3], [0, 0]]`.
    """
    ...  # your code here


# %%
features = audio.log_mel(word).unsqueeze(0)  # (1, frames, 40)
length = torch.tensor([features.shape[1]])
dice = torch.Generator().manual_seed(2)
nothing = torch.zeros(1, 2, 2, dtype=torch.int64)
figure, panels = plt.subplots(1, 3, figsize=(8.5, 2.8), sharey=True)
for axes, title in zip(panels, ("as it is", "in one epoch", "in the next one"), strict=True):
    masks = torch.randint(2, 7, (2, 1, 2, 2), generator=dice)  # bands and moments: first, width
    masks[..., 0] *= 5
    bands, moments = (nothing, nothing) if title == "as it is" else masks
    hidden = spec_augment(features, length, bands=bands, moments=moments)
    draw_bands(axes, hidden[0], word, vmin=features.min(), vmax=features.max())
    axes.set(title=title)
show(figure, alt="The log-mels of seven, and the same twice with level and upright bars of one even color across them.")

# %% [markdown]
# The bars have the picture's mean color: they stand for "nothing to learn here", not for silence.
#
# ## The same as everybody's
#
# Whoever trains on one program's features and uses another's fails in silence, so conventions are written down: no
# centering, periodic Hann window, HTK's mel without norm, natural logarithm of the energy plus 0.000001, orthonormal
# DCT. Under the same ones, torchaudio must agree.
#
# **Predict.** Yours, torchaudio's, and the library's `audio.mfcc`: how far apart?

# %%
# NBVAL_CHECK_OUTPUT
yours = mfcc(energies, num_coefficients=13)
print("yours and the library's, to 0.001:", torch.allclose(yours, audio.mfcc(word), atol=1e-3))
try:
    import torchaudio
except (ImportError, OSError, RuntimeError) as trouble:  # its last release does not load beside every torch
    print(f"The comparison with torchaudio is left out, since it can't be imported here: {trouble}")
else:
    stft = {"n_fft": 512, "win_length": 400, "hop_length": 160, "center": False, "pad": 56}
    theirs = torchaudio.transforms.MFCC(RATE, n_mfcc=13, log_mels=True, melkwargs={"n_mels": 40, **stft})(word).T
    print("yours and torchaudio's, to 0.001:", torch.allclose(yours, theirs, atol=1e-3))

# %% [markdown]
# ## What to remember
#
# - A rate of $r$ holds frequencies below $r/2$; filter before you sample, or they fold.
# - Frames of 25 ms every 10 ms, faded by a Hann window: cut ends leak.
# - A long window is sharp in pitch, a short one in time; never both.
# - Decibels and mel: equal steps are equal to the ear.
# - Log-mels are what networks read; 13 MFCC keep the shape of the spectrum and drop the pitch.
# - Add a little before the logarithm. Hide with the mean, not with zero. Write conventions down.

# %% [markdown]
# ## Going further
#
# - Read your own voice into the explorer: `course_lib.sound_files.read_sound("my.wav")`.
# - Which digits are mixed up, and do deltas help? `course_lib.generate.voices` lists more voices.
# - `sound_effects.add_noise` and `reverberate` make sounds harder to hear. At how many dB do `right_words` give up?
# - Give `right_words` only the coefficients 13 to 39. What is left in them?
#
# Read: S. Davis, P. Mermelstein, *Comparison of parametric representations for monosyllabic word recognition*, 1980,
# [doi:10.1109/TASSP.1980.1163420](https://doi.org/10.1109/TASSP.1980.1163420); D. Park and others, *SpecAugment*, 2019,
# [arXiv:1904.08779](https://arxiv.org/abs/1904.08779).
#
# **Next, lesson 08, recurrent networks:** a network with a memory reads these pictures from left to right.
