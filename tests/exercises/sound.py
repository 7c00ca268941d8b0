"""What lesson 07's exercises owe us: sounds of odd lengths, batches, silence, padding."""

import torch

from course_lib.exercises import check, raises


def sound(draw, *shape):
    return draw.normal(*shape, dtype=torch.float64)


def single(draw, *shape):
    """In the precision of everyday features: a window or a cosine made without a dtype is good enough."""
    return draw.normal(*shape)


# frame


@check("A few samples, cut by hand")
def cut_by_hand(frame, draw):
    return [frame(draw.integers(time, high=100), window=3, hop=2) for time in (7, 8, 9, 10)]


@check("The window is how much a frame sees, the hop how far it moves")
def window_and_hop(frame, draw):
    waveform = sound(draw, 41)
    return [frame(waveform, window=window, hop=hop) for window, hop in [(8, 3), (5, 1), (11, 7), (13, 4)]]


@check("A hop longer than the window leaves samples out")
def hop_beyond_the_window(frame, draw):
    return [frame(sound(draw, 29), window=window, hop=hop) for window, hop in [(3, 7), (4, 5), (2, 9)]]


@check("Every full frame counts, up to the very last sample")
def up_to_the_last_sample(frame, draw):
    return [frame(sound(draw, window + 4 * hop), window=window, hop=hop) for window, hop in [(6, 2), (7, 3), (5, 4)]]


@check("What is left over at the end is in no frame")
def leftovers(frame, draw):
    return [frame(sound(draw, time), window=6, hop=4) for time in (15, 16, 17, 19)]


@check("Several sounds at once, each cut by itself")
def several_sounds(frame, draw):
    return [frame(sound(draw, 3, 23), window=7, hop=3), frame(sound(draw, 2, 3, 17), window=5, hop=2)]


@check("A sound as long as one window is one frame; a shorter one is a ValueError")
def too_short(frame, draw):
    exact = [frame(sound(draw, window), window=window, hop=2) for window in (5, 6, 7)]
    return exact, [raises(frame, sound(draw, time), window=8, hop=3) for time in (7, 4)]


# power_spectrogram


@check("A few samples, transformed by hand")
def few_samples(power_spectrogram, draw):
    return [power_spectrogram(single(draw, 9), num_fft=4, window=4, hop=hop) for hop in (1, 2, 4)]


@check("Power, for windows of several lengths")
def several_windows(power_spectrogram, draw):
    return [power_spectrogram(single(draw, 60), num_fft=window, window=window, hop=5) for window in (8, 11, 16)]


@check("Zeros fill each frame up to the transform's length, once it is weighed")
def zeros_fill_up(power_spectrogram, draw):
    return [power_spectrogram(single(draw, 50), num_fft=num_fft, window=10, hop=7) for num_fft in (16, 23, 32)]


@check("A sine has as much power as a cosine")
def sines_and_cosines(power_spectrogram, draw):
    observed, times = [], torch.arange(48, dtype=torch.float64)
    for phase in (0.0, 0.8, torch.pi / 2):
        tone = torch.cos(2 * torch.pi * draw.number(0.1, 0.3) * times + phase).float()
        observed.append(power_spectrogram(tone, num_fft=16, window=16, hop=16))
    return observed


@check("Twice as loud is four times the power")
def twice_as_loud(power_spectrogram, draw):
    waveform = single(draw, 30)
    return [power_spectrogram(scale * waveform, num_fft=12, window=9, hop=4) for scale in (1.0, 2.0, 0.5)]


@check("Several sounds at once")
def several_at_once(power_spectrogram, draw):
    return power_spectrogram(single(draw, 3, 33), num_fft=9, window=7, hop=3), power_spectrogram(
        single(draw, 2, 3, 20), num_fft=8, window=8, hop=5
    )


# mel_filterbank


def weights(filters):
    """Seen from 1, since a weight near 0 is the difference of large numbers: float32 can't promise its digits."""
    return filters + 1 if isinstance(filters, torch.Tensor) else filters


@check("One band, and two: small enough to do by hand")
def small_banks(mel_filterbank, draw):
    rate = 200 * draw.choice([8, 10, 12])
    return [
        weights(mel_filterbank(num_mels=num_mels, num_fft=num_fft, sample_rate=rate))
        for num_mels, num_fft in [(1, 8), (2, 10), (3, 16)]
    ]


@check("The bands that speech recognition uses")
def banks_for_speech(mel_filterbank, draw):
    return [weights(mel_filterbank(num_mels=num_mels, num_fft=512, sample_rate=16_000)) for num_mels in (23, 40, 64)]


@check("Any sample rate and any length of the transform")
def any_rate(mel_filterbank, draw):
    settings = [(8_000, 256), (22_050, 1_024), (11_025, 300)]
    return [weights(mel_filterbank(num_mels=13, num_fft=num_fft, sample_rate=rate)) for rate, num_fft in settings]


@check("Each bin's weights over all bands: neighbors share it")
def neighbors_share(mel_filterbank, draw):
    settings = [(10, 128), (15, 256), (20, 400)]
    banks = [mel_filterbank(num_mels=num_mels, num_fft=num_fft, sample_rate=16_000) for num_mels, num_fft in settings]
    return [bank.sum(dim=1) for bank in banks]


@check("Energies of a spectrum: power @ filters")
def energies(mel_filterbank, draw):
    observed = []
    for num_mels in (8, 12, 21):
        filters = mel_filterbank(num_mels=num_mels, num_fft=200, sample_rate=16_000)
        observed.append(filters.shape[0] == 101 and draw.uniform(5, 101) @ filters)
    return observed


# mfcc


def energies_of(draw, *shape):
    """Energies over several powers of ten, as in speech."""
    return (3 * single(draw, *shape)).exp()


@check("Two bands, and three: small enough to do by hand")
def few_bands(mfcc, draw):
    return [mfcc(energies_of(draw, 1, num_mels), num_coefficients=num_mels - 1) for num_mels in (2, 3, 4)]


@check("As many coefficients as bands: nothing is lost, only turned")
def as_many_as_bands(mfcc, draw):
    return [mfcc(energies_of(draw, 3, num_mels), num_coefficients=num_mels) for num_mels in (5, 8, 11)]


@check("The first 13 of 40")
def thirteen_of_forty(mfcc, draw):
    return [mfcc(energies_of(draw, num_frames, 40), num_coefficients=13) for num_frames in (1, 4, 7)]


@check("A spectrum that is flat, or has one bump")
def flat_or_one_bump(mfcc, draw):
    observed = []
    for band in (0, 3, 8):
        energies = torch.full((2, 9), draw.number(1, 5))
        energies[1, band] *= 50
        observed.append(mfcc(energies, num_coefficients=6))
    return observed


@check("Bands that are silent, or nearly so, stay finite")
def silent_bands(mfcc, draw):
    observed = []
    for scale in (0.0, 1e-7, 1e-6, 1e-5):
        quiet = scale * draw.uniform(4, 10, low=0.5)
        observed.append(mfcc(quiet, num_coefficients=7))
    return observed


@check("Several utterances at once")
def several_utterances(mfcc, draw):
    return mfcc(energies_of(draw, 2, 5, 12), num_coefficients=4), mfcc(
        energies_of(draw, 2, 3, 4, 7), num_coefficients=3
    )


# spec_augment


def utterances(draw, batch, num_frames, num_mels):
    """Log-mels of utterances of several lengths and loudnesses, with padding that one can tell from sound."""
    features = sound(draw, batch, num_frames, num_mels) - 3 + 2 * sound(draw, batch, 1, 1)
    lengths = draw.integers(batch, low=num_frames // 2, high=num_frames - 1)
    lengths[draw.choice(range(batch))] = num_frames
    padding = torch.arange(num_frames) >= lengths.unsqueeze(1)
    features[padding] = 9.0
    return features, lengths


def masks(draw, batch, num_masks, length, *, widest):
    first = draw.integers(batch, num_masks, low=0, high=length - 1)
    return torch.stack([first, draw.integers(batch, num_masks, low=1, high=widest + 1)], dim=2)


def no_masks(batch):
    return torch.zeros(batch, 1, 2, dtype=torch.int64)


@check("Bands alone, no padding")
def bands_alone(spec_augment, draw):
    observed = []
    for num_masks in (1, 2, 3):
        features, lengths = sound(draw, 2, 6, 11) - 4, torch.tensor([6, 6])
        bands = masks(draw, 2, num_masks, 11, widest=3)
        observed.append(spec_augment(features, lengths, bands=bands, moments=no_masks(2)))
    return observed


@check("Moments alone, no padding")
def moments_alone(spec_augment, draw):
    observed = []
    for num_masks in (1, 2, 3):
        features, lengths = sound(draw, 2, 13, 5) - 4, torch.tensor([13, 13])
        moments = masks(draw, 2, num_masks, 13, widest=4)
        observed.append(spec_augment(features, lengths, bands=no_masks(2), moments=moments))
    return observed


@check("Each utterance has its own masks, its own length and its own mean")
def each_its_own(spec_augment, draw):
    observed = []
    for batch in (3, 4, 5):
        features, lengths = utterances(draw, batch, 12, 7)
        bands, moments = masks(draw, batch, 2, 7, widest=2), masks(draw, batch, 2, 12, widest=4)
        observed.append(spec_augment(features, lengths, bands=bands, moments=moments))
    return observed


@check("Padding stays as it was, and counts in no mean")
def padding_stays(spec_augment, draw):
    observed = []
    for length in (3, 5, 8):
        features, lengths = utterances(draw, 3, 9, 6)
        lengths[:] = length
        moments = torch.tensor([[[length - 2, 5]]]).expand(3, 1, 2)
        observed.append(spec_augment(features, lengths, bands=masks(draw, 3, 1, 6, widest=3), moments=moments))
    return observed


@check("A width of 0 hides nothing")
def width_of_zero(spec_augment, draw):
    observed = []
    for first in (0, 2, 4):
        features, lengths = utterances(draw, 2, 8, 6)
        nothing = torch.tensor([[[first, 0]]]).expand(2, 1, 2)
        observed.append(spec_augment(features, lengths, bands=nothing, moments=nothing))
    return observed


@check("The mean is that of the features as they came, also where masks overlap")
def masks_overlap(spec_augment, draw):
    observed = []
    for first in (0, 1, 2):
        features, lengths = utterances(draw, 3, 10, 8)
        pairs = torch.tensor([[[first, 4], [first + 2, 4]]]).expand(3, 2, 2)
        observed.append(spec_augment(features, lengths, bands=pairs, moments=pairs))
    return observed


@check("The features are left as they were")
def features_survive(spec_augment, draw):
    observed = []
    for _ in range(3):
        features, lengths = utterances(draw, 3, 10, 6)
        bands, moments = masks(draw, 3, 2, 6, widest=3), masks(draw, 3, 2, 10, widest=3)
        spec_augment(features, lengths, bands=bands, moments=moments)
        observed.append(features)
    return observed
