"""Lesson 07, sound: the reference of each exercise, and the mistakes that people make."""

import math

import torch

from course_lib.exercises import built_without, mistake


@built_without("torch.Tensor.unfold", "torch.nn.functional.unfold", "course_lib.audio.frame")
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
    num_samples = waveform.shape[-1]
    if num_samples < window:
        raise ValueError(f"the waveform has {num_samples} samples, but one window has {window}")
    num_frames = 1 + (num_samples - window) // hop
    starts = hop * torch.arange(num_frames).unsqueeze(1)  # (num_frames, 1)
    return waveform[..., starts + torch.arange(window)]


@mistake(
    of=frame,
    hint="Window and hop have changed places: your frames are as long as the hop, and begin a whole window apart. The "
    "window is how much one frame sees, the hop how far it moves.",
)
def frame_swaps_window_and_hop(waveform, *, window, hop):
    return frame(waveform, window=min(hop, waveform.shape[-1]), hop=window)


@mistake(
    of=frame,
    hint="Your last frame is missing. Where frames don't overlap, 10 samples hold 10 / 2 of them; but the first one "
    "needs no hop, so there are 1 + (time - window) // hop.",
)
def frame_misses_the_last_one(waveform, *, window, hop):
    return frame(waveform, window=window, hop=hop)[..., :-1, :]


@mistake(
    of=frame,
    hint="You fill the end up with zeros to make one more frame. Its sound stops in the middle, which no listener "
    "would hear there: only full frames count.",
)
def frame_pads_the_end(waveform, *, window, hop):
    num_frames = 1 + math.ceil(max(waveform.shape[-1] - window, 0) / hop)
    missing = (num_frames - 1) * hop + window - waveform.shape[-1]
    return frame(torch.nn.functional.pad(waveform, (0, missing)), window=window, hop=hop)


@mistake(
    of=frame,
    hint="Your frames don't overlap: each one begins where the one before has ended. It should begin `hop` samples "
    "after the beginning of the one before.",
)
def frame_ignores_the_hop(waveform, *, window, hop):
    return frame(waveform, window=window, hop=window)


@mistake(
    of=frame,
    hint="Your frames are columns. One row for each frame is asked for, (..., num_frames, window): stack them along "
    "the axis before the last.",
)
def frame_stacks_columns(waveform, *, window, hop):
    return frame(waveform, window=window, hop=hop).mT


@mistake(
    of=frame,
    hint="Your frames begin one hop too late: the first one begins with the very first sample.",
)
def frame_starts_after_one_hop(waveform, *, window, hop):
    return frame(waveform, window=window, hop=hop)[..., 1:, :]


@built_without("torch.stft", "torch.Tensor.stft", "course_lib.audio.power_spectrogram")
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
    places = torch.arange(window, dtype=waveform.dtype)
    hann = 0.5 - 0.5 * torch.cos(2 * math.pi * places / window)
    spectrum = torch.fft.rfft(frame(waveform, window=window, hop=hop) * hann, n=num_fft)
    return spectrum.abs() ** 2


@mistake(
    of=power_spectrogram,
    hint="You return the magnitude |X|. Power is its square: energies of several frequencies add up, magnitudes don't.",
)
def power_spectrogram_is_the_magnitude(waveform, *, num_fft, window, hop):
    return power_spectrogram(waveform, num_fft=num_fft, window=window, hop=hop).sqrt()


@mistake(
    of=power_spectrogram,
    hint="You transform the frames as they are cut. The jump at both ends of a frame leaks into all frequencies: "
    "multiply each frame by the Hann window first.",
)
def power_spectrogram_without_a_window(waveform, *, num_fft, window, hop):
    return torch.fft.rfft(frame(waveform, window=window, hop=hop), n=num_fft).abs() ** 2


@mistake(
    of=power_spectrogram,
    hint="Your Hann window is the symmetric one, which reaches 0 at both ends. For spectra one takes the periodic one: "
    "divide by `window`, not by `window - 1`.",
)
def power_spectrogram_with_a_symmetric_window(waveform, *, num_fft, window, hop):
    hann = torch.hann_window(window, periodic=False, dtype=waveform.dtype)
    return torch.fft.rfft(frame(waveform, window=window, hop=hop) * hann, n=num_fft).abs() ** 2


@mistake(
    of=power_spectrogram,
    hint="Your frames are as long as the transform. They have `window` samples, and the zeros that fill them up to "
    "`num_fft` come after the weighing.",
)
def power_spectrogram_cuts_frames_of_num_fft(waveform, *, num_fft, window, hop):
    num_fft = min(num_fft, waveform.shape[-1])
    return power_spectrogram(waveform, num_fft=num_fft, window=num_fft, hop=hop)


@mistake(
    of=power_spectrogram,
    hint="You fill the frame up with zeros first, and stretch the Hann window over them: it then fades in over the "
    "frame and ends in the middle of its slope. Weigh the `window` samples, then fill up.",
)
def power_spectrogram_stretches_the_window(waveform, *, num_fft, window, hop):
    hann = torch.hann_window(num_fft, dtype=waveform.dtype)[:window]
    return torch.fft.rfft(frame(waveform, window=window, hop=hop) * hann, n=num_fft).abs() ** 2


@mistake(
    of=power_spectrogram,
    hint="You keep the mirror image: the upper half of the transform of real numbers repeats the lower one. Keep "
    "num_fft // 2 + 1 bins, or use rfft.",
)
def power_spectrogram_keeps_the_mirror_image(waveform, *, num_fft, window, hop):
    hann = torch.hann_window(window, dtype=waveform.dtype)
    return torch.fft.fft(frame(waveform, window=window, hop=hop) * hann, n=num_fft).abs() ** 2


@mistake(
    of=power_spectrogram,
    hint="You square the real part alone. That is how much of the cosine there is; a sine has all of its power in the "
    "imaginary part. Power is real² + imag².",
)
def power_spectrogram_drops_the_sines(waveform, *, num_fft, window, hop):
    hann = torch.hann_window(window, dtype=waveform.dtype)
    return torch.fft.rfft(frame(waveform, window=window, hop=hop) * hann, n=num_fft).real ** 2


@mistake(
    of=power_spectrogram,
    hint="You divide by the length of the transform. Some books do, but here the power is not scaled: everything that "
    "follows, such as the offset below the logarithm, counts on it.",
)
def power_spectrogram_divides_by_the_length(waveform, *, num_fft, window, hop):
    return power_spectrogram(waveform, num_fft=num_fft, window=window, hop=hop) / num_fft


@built_without("course_lib.audio.mel_filterbank")
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
    highest = 2595 * math.log10(1 + sample_rate / 2 / 700)
    points = 700 * (10 ** (torch.linspace(0, highest, num_mels + 2, dtype=torch.float64) / 2595) - 1)
    bins = torch.arange(num_fft // 2 + 1).unsqueeze(1) * (sample_rate / num_fft)  # (bins, 1), in Hz
    rising = (bins - points[:-2]) / (points[1:-1] - points[:-2])
    falling = (points[2:] - bins) / (points[2:] - points[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


def triangles(points, bins):
    """The triangles over any points: rising from 0 to 1, falling back to 0. For mistakes about the points."""
    rising = (bins - points[:-2]) / (points[1:-1] - points[:-2])
    falling = (points[2:] - bins) / (points[2:] - points[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


def mel_points(num_mels, highest_hertz):
    mel = torch.linspace(0, 2595 * math.log10(1 + highest_hertz / 700), num_mels + 2, dtype=torch.float64)
    return 700 * (10 ** (mel / 2595) - 1)


def bins_in_hertz(num_fft, sample_rate):
    return torch.arange(num_fft // 2 + 1).unsqueeze(1) * (sample_rate / num_fft)


@mistake(
    of=mel_filterbank,
    hint="Your bands are equally spaced in Hz. Space the points in mel, then turn them into Hz: low bands become "
    "narrow, high ones wide.",
)
def mel_filterbank_is_spaced_in_hertz(*, num_mels, num_fft, sample_rate):
    points = torch.linspace(0, sample_rate / 2, num_mels + 2, dtype=torch.float64)
    return triangles(points, bins_in_hertz(num_fft, sample_rate))


@mistake(
    of=mel_filterbank,
    hint="Your bands reach up to the sample rate. A spectrum ends at half of it; whatever lies above holds no bin.",
)
def mel_filterbank_reaches_the_sample_rate(*, num_mels, num_fft, sample_rate):
    return triangles(mel_points(num_mels, sample_rate), bins_in_hertz(num_fft, sample_rate))


@mistake(
    of=mel_filterbank,
    hint="Your triangles are straight in mel: you turned the bins into mel. Here the points are turned into Hz, and "
    "the sides are straight lines in Hz.",
)
def mel_filterbank_is_straight_in_mel(*, num_mels, num_fft, sample_rate):
    points, bins = mel_points(num_mels, sample_rate / 2), bins_in_hertz(num_fft, sample_rate)
    points, bins = (2595 * (1 + hertz.double() / 700).log10() for hertz in (points, bins))
    return triangles(points, bins)


@mistake(
    of=mel_filterbank,
    hint="Your bins are a little too close together: num_fft // 2 + 1 bins have only num_fft // 2 steps between them. "
    "Bin k stands for k · sample_rate / num_fft.",
)
def mel_filterbank_squeezes_the_bins(*, num_mels, num_fft, sample_rate):
    bins = torch.arange(num_fft // 2 + 1).unsqueeze(1) * (sample_rate / 2 / (num_fft // 2 + 1))
    return triangles(mel_points(num_mels, sample_rate / 2), bins)


@mistake(
    of=mel_filterbank,
    hint="You divided each band by the sum of its weights. That is a norm that some use; here each triangle is 1 high.",
)
def mel_filterbank_sums_to_one(*, num_mels, num_fft, sample_rate):
    filters = mel_filterbank(num_mels=num_mels, num_fft=num_fft, sample_rate=sample_rate)
    return filters / filters.sum(dim=0).clamp(min=1e-6)


@mistake(
    of=mel_filterbank,
    hint="Your bands are rectangles: every bin between the outer points counts fully. The weight falls from 1 in the "
    "middle to 0 at the neighbors' middles.",
)
def mel_filterbank_is_rectangular(*, num_mels, num_fft, sample_rate):
    return (mel_filterbank(num_mels=num_mels, num_fft=num_fft, sample_rate=sample_rate) > 0).float()


@mistake(
    of=mel_filterbank,
    hint="Your bins and bands have changed places. One row for each bin and one column for each band, so that "
    "power @ filters gives the bands.",
)
def mel_filterbank_has_bands_as_rows(*, num_mels, num_fft, sample_rate):
    return mel_filterbank(num_mels=num_mels, num_fft=num_fft, sample_rate=sample_rate).T


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
    return (mel_energies + 1e-6).log() @ cosines(mel_energies, num_coefficients)


def cosines(like, num_coefficients):
    """The matrix of the orthonormal DCT-II, shape `(num_mels, num_coefficients)`, in the precision of `like`."""
    num_mels = like.shape[-1]
    places = torch.arange(num_mels, dtype=torch.float64).unsqueeze(1) + 0.5
    waves = (math.pi / num_mels * places * torch.arange(num_coefficients)).cos() * math.sqrt(2 / num_mels)
    waves[:, 0] /= math.sqrt(2)
    return waves.to(like.dtype)


@mistake(
    of=mfcc,
    hint="You take the logarithm of the energy as it is. A silent band then gives minus infinity, and one such "
    "band spoils every coefficient: add 0.000001 first.",
)
def mfcc_takes_the_log_of_zero(mel_energies, *, num_coefficients):
    return mel_energies.log() @ cosines(mel_energies, num_coefficients)


@mistake(
    of=mfcc,
    hint="Your logarithm has the base 10. The natural one is asked for; decibels are another unit, and everything "
    "becomes larger or smaller by a factor.",
)
def mfcc_takes_the_log_to_base_ten(mel_energies, *, num_coefficients):
    return (mel_energies + 1e-6).log10() @ cosines(mel_energies, num_coefficients)


@mistake(
    of=mfcc,
    hint="You transform the energies themselves. Without the logarithm a loud band drowns all others, and a filter "
    "multiplies where it should add.",
)
def mfcc_forgets_the_logarithm(mel_energies, *, num_coefficients):
    return mel_energies @ cosines(mel_energies, num_coefficients)


@mistake(
    of=mfcc,
    hint="Your cosine transform is not orthonormal: it has the factor 2 for all k, as in some tables. Scale by "
    "√(2 / N), and coefficient 0 by √(1 / N).",
)
def mfcc_without_orthonormal_scaling(mel_energies, *, num_coefficients):
    waves = cosines(mel_energies, num_coefficients) * math.sqrt(2 * mel_energies.shape[-1])
    waves[:, 0] *= math.sqrt(2)
    return (mel_energies + 1e-6).log() @ waves


@mistake(
    of=mfcc,
    hint="Coefficient 0 is too large by √2. Its cosine is 1 everywhere, which is longer than the other waves: it is "
    "scaled by √(1 / N).",
)
def mfcc_scales_the_zeroth_like_the_others(mel_energies, *, num_coefficients):
    waves = cosines(mel_energies, num_coefficients)
    waves[:, 0] *= math.sqrt(2)
    return (mel_energies + 1e-6).log() @ waves


@mistake(
    of=mfcc,
    hint="Your cosines start at the edge of the first band, at n, not in its middle, at n + 1/2. The waves "
    "are then not orthogonal to each other.",
)
def mfcc_starts_at_the_edge(mel_energies, *, num_coefficients):
    num_mels = mel_energies.shape[-1]
    places = torch.arange(num_mels, dtype=mel_energies.dtype).unsqueeze(1)
    waves = (math.pi / num_mels * places * torch.arange(num_coefficients)).cos() * math.sqrt(2 / num_mels)
    waves[:, 0] /= math.sqrt(2)
    return (mel_energies + 1e-6).log() @ waves


@mistake(
    of=mfcc,
    hint="You begin with coefficient 1 and drop coefficient 0. Some recognizers do, since it says no more than how "
    "loud a frame is; here it is kept.",
)
def mfcc_drops_the_zeroth(mel_energies, *, num_coefficients):
    return (mel_energies + 1e-6).log() @ cosines(mel_energies, num_coefficients + 1)[:, 1:]


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
    hidden_bands = stretches(bands, features.shape[2]).unsqueeze(1)  # (batch, 1, num_mels)
    hidden_moments = stretches(moments, features.shape[1]).unsqueeze(2)  # (batch, num_frames, 1)
    spoken = spoken_frames(features, lengths)
    mean = (features * spoken).sum(dim=(1, 2)) / (lengths * features.shape[2])
    return torch.where((hidden_bands | hidden_moments) & spoken, mean.view(-1, 1, 1), features)


def stretches(masks, length):
    """Whether each of `length` places lies in at least one stretch (first, width), shape `(batch, length)`."""
    places = torch.arange(length)
    first, width = masks.unsqueeze(3).unbind(dim=2)  # (batch, num_masks, 1)
    return ((places >= first) & (places < first + width)).any(dim=1)


def spoken_frames(features, lengths):
    """Whether each frame is no padding, shape `(batch, num_frames, 1)`."""
    return (torch.arange(features.shape[1]) < lengths.unsqueeze(1)).unsqueeze(2)


def hide(features, lengths, bands, moments, fill):
    """What is hidden gets any filling, shape `(batch,)`. For mistakes about the filling."""
    hidden = stretches(bands, features.shape[2]).unsqueeze(1) | stretches(moments, features.shape[1]).unsqueeze(2)
    return torch.where(hidden & spoken_frames(features, lengths), fill.view(-1, 1, 1), features)


@mistake(
    of=spec_augment,
    hint="You fill with zero. A log-mel of zero is rather loud, and silence is far below: the network learns to spot "
    "your masks. Fill with the utterance's mean, which says nothing.",
)
def spec_augment_fills_with_zero(features, lengths, *, bands, moments):
    return hide(features, lengths, bands, moments, torch.zeros_like(features[:, 0, 0]))


@mistake(
    of=spec_augment,
    hint="Your mean counts the padding. A short utterance in a batch with a long one then gets another filling than "
    "alone: take the first `length` frames only.",
)
def spec_augment_averages_the_padding(features, lengths, *, bands, moments):
    return hide(features, lengths, bands, moments, features.mean(dim=(1, 2)))


@mistake(
    of=spec_augment,
    hint="You take one mean for the whole batch. A loud neighbor would then change how a quiet utterance is hidden: "
    "each has a mean of its own.",
)
def spec_augment_averages_the_batch(features, lengths, *, bands, moments):
    mean = features[spoken_frames(features, lengths).squeeze(2)].mean()
    return hide(features, lengths, bands, moments, mean.expand(len(features)))


@mistake(
    of=spec_augment,
    hint="Your masks hide padding too. What stands behind the end of an utterance should stay as it is.",
)
def spec_augment_hides_padding(features, lengths, *, bands, moments):
    spoken = spoken_frames(features, lengths)
    mean = (features * spoken).sum(dim=(1, 2)) / (lengths * features.shape[2])
    everything = torch.full_like(lengths, features.shape[1])
    return hide(features, everything, bands, moments, mean)


@mistake(
    of=spec_augment,
    hint="Bands and moments have changed places: `bands` counts mel bands, the last axis, and `moments` counts frames, "
    "the one before.",
)
def spec_augment_swaps_the_axes(features, lengths, *, bands, moments):
    return spec_augment(features, lengths, bands=moments, moments=bands)


@mistake(
    of=spec_augment,
    hint="You take the second number of a pair for the end of the mask. It is the width: the end is first + width.",
)
def spec_augment_takes_the_width_for_the_end(features, lengths, *, bands, moments):
    pairs = [torch.stack([pair[..., 0], pair[..., 1] - pair[..., 0]], dim=2) for pair in (bands, moments)]
    return spec_augment(features, lengths, bands=pairs[0], moments=pairs[1])


@mistake(
    of=spec_augment,
    hint="Your masks are one too wide: a width of 3 hides first, first + 1 and first + 2, and a width of 0 nothing.",
)
def spec_augment_is_one_too_wide(features, lengths, *, bands, moments):
    one = torch.tensor([0, 1])
    return spec_augment(features, lengths, bands=bands + one, moments=moments + one)


@mistake(
    of=spec_augment,
    hint="You wrote into the features that you were given. They come again in the next epoch, with other "
    "masks: work on a copy.",
)
def spec_augment_writes_into_its_input(features, lengths, *, bands, moments):
    return features.copy_(spec_augment(features, lengths, bands=bands, moments=moments))
