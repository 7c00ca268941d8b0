"""Lesson 07: its references held to torchaudio, to the library's finished forms, and to what a tone must give."""

import math
import sys

import nbformat
import pytest
import torch

from course_lib import audio, paths
from course_lib.exercises.registry import load_lesson
from tests.lib.torchaudio_peer import AF, AT

LESSON = load_lesson("sound").exercises
frame, power_spectrogram, mel_filterbank, mfcc, spec_augment = (
    LESSON[name].reference for name in ("frame", "power_spectrogram", "mel_filterbank", "mfcc", "spec_augment")
)
SPECTROGRAM = {"n_fft": 512, "win_length": 400, "hop_length": 160, "center": False, "pad": 56}


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def assert_close(ours, theirs, tolerance=1e-4):
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("shape", "window", "hop"), [((30,), 7, 3), ((2, 41), 8, 5), ((2, 3, 19), 4, 9), ((6,), 6, 2)])
def test_frames_are_torchs_unfolding_and_the_librarys(shape, window, hop):
    waveform = noise(*shape)
    assert torch.equal(frame(waveform, window=window, hop=hop), waveform.unfold(-1, window, hop))
    assert torch.equal(frame(waveform, window=window, hop=hop), audio.frame(waveform, window=window, hop=hop))


def test_frames_of_too_little_are_refused():
    with pytest.raises(ValueError, match="9 samples, but one window has 10"):
        frame(noise(9), window=10, hop=3)


@pytest.mark.torchaudio
@pytest.mark.parametrize("shape", [(16_000,), (2, 3, 1_234)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_power_spectrogram_is_torchaudios_and_the_librarys(shape, dtype):
    waveform = 0.1 * noise(*shape, dtype=dtype)
    ours = power_spectrogram(waveform, num_fft=512, window=400, hop=160)
    assert_close(ours, AT.Spectrogram(**SPECTROGRAM, power=2.0).to(dtype)(waveform).mT)
    assert_close(ours, audio.power_spectrogram(waveform))


def test_a_tone_that_fits_into_the_window_has_its_power_in_three_bins():
    times = torch.arange(400, dtype=torch.float64)
    power = power_spectrogram(torch.sin(2 * math.pi * 25 / 400 * times), num_fft=400, window=400, hop=160)[0]
    expected = torch.zeros(201, dtype=torch.float64)
    expected[24:27] = torch.tensor([50.0, 100.0, 50.0]) ** 2  # Hann: half of N / 2 in the middle, a quarter beside it
    torch.testing.assert_close(power, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.torchaudio
@pytest.mark.parametrize(
    ("num_mels", "num_fft", "sample_rate"), [(40, 512, 16_000), (23, 256, 8_000), (64, 1024, 22_050)]
)
def test_the_mel_filterbank_is_torchaudios_and_the_librarys(num_mels, num_fft, sample_rate):
    options = {"num_mels": num_mels, "num_fft": num_fft, "sample_rate": sample_rate}
    theirs = AF.melscale_fbanks(num_fft // 2 + 1, 0.0, sample_rate / 2, num_mels, sample_rate, None, "htk")
    assert_close(mel_filterbank(**options), theirs)
    assert_close(mel_filterbank(**options), audio.mel_filterbank(**options), 1e-6)
    assert mel_filterbank(**options).dtype == torch.float32


@pytest.mark.torchaudio
@pytest.mark.parametrize("shape", [(16_000,), (3, 4_321)])
@pytest.mark.parametrize("num_coefficients", [13, 40])
def test_mfcc_after_the_other_three_is_torchaudios_and_the_librarys(shape, num_coefficients):
    waveform = 0.1 * noise(*shape)
    filters = mel_filterbank(num_mels=40, num_fft=512, sample_rate=16_000)
    energies = power_spectrogram(waveform, num_fft=512, window=400, hop=160) @ filters
    options = {"log_mels": True, "melkwargs": {"n_mels": 40, **SPECTROGRAM}}
    theirs = AT.MFCC(16_000, n_mfcc=num_coefficients, **options)(waveform).mT
    ours = mfcc(energies, num_coefficients=num_coefficients)
    assert_close(ours, theirs)
    assert_close(ours, audio.mfcc(waveform, num_coefficients=num_coefficients))


@pytest.mark.torchaudio
def test_the_mistake_without_orthonormal_scaling_is_torchaudios_dct_without_norm():
    wrong = LESSON["mfcc"].mistakes["mfcc_without_orthonormal_scaling"].implementation
    energies = noise(5, 23, dtype=torch.float64).exp()
    theirs = (energies + 1e-6).log() @ AF.create_dct(13, 23, None).double()
    assert_close(wrong(energies, num_coefficients=13), theirs)


def test_all_coefficients_keep_lengths_and_distances():
    logs = noise(6, 20, dtype=torch.float64)
    turned = mfcc(logs.exp() - 1e-6, num_coefficients=20)
    torch.testing.assert_close(torch.cdist(turned, turned), torch.cdist(logs, logs), rtol=1e-6, atol=1e-6)


@pytest.mark.torchaudio
@pytest.mark.parametrize("seed", range(8))
def test_spec_augment_hides_what_torchaudio_hides(seed, monkeypatch):
    features = noise(1, 30, 17, seed=seed)
    chance = torch.rand(4, generator=torch.Generator().manual_seed(seed)).tolist()
    masks, hidden, mean = [], features.mT, features.mean().item()
    for axis, size, widest, (share, place) in ((1, 17, 8, chance[:2]), (2, 30, 12, chance[2:])):
        draws = iter([share, place])
        with monkeypatch.context() as patch:
            patch.setattr(torch, "rand", lambda *size, draws=draws: torch.full(size, next(draws)))
            hidden = AF.mask_along_axis(hidden, widest, mean, axis)
        masks.append(torch.tensor([[[int(place * (size - share * widest)), int(share * widest)]]]))
    ours = spec_augment(features, torch.tensor([30]), bands=masks[0], moments=masks[1])
    assert not torch.equal(ours, features)
    assert_close(ours, hidden.mT, 1e-6)


def test_an_utterance_is_hidden_in_a_batch_as_it_is_alone():
    features, lengths = noise(4, 12, 9), torch.tensor([12, 5, 8, 1])
    bands, moments = torch.tensor([[[2, 3], [7, 2]]]).expand(4, 2, 2), torch.tensor([[[0, 2], [4, 5]]]).expand(4, 2, 2)
    together = spec_augment(features, lengths, bands=bands, moments=moments)
    for i, length in enumerate(lengths.tolist()):
        alone = features[i : i + 1, :length]
        alone = spec_augment(alone, lengths[i : i + 1], bands=bands[:1], moments=moments[:1])
        assert_close(together[i, :length], alone[0], 1e-6)
        assert torch.equal(together[i, length:], features[i, length:])


def test_without_torchaudio_the_lesson_says_so_and_goes_on(monkeypatch, capsys):
    notebook = nbformat.read(paths.find_lesson("sound").notebook, as_version=4)
    (cell,) = [each.source for each in notebook.cells if "import torchaudio" in each.source and "MFCC" in each.source]
    word = noise(8_000)
    energies = power_spectrogram(word, num_fft=512, window=400, hop=160) @ mel_filterbank(
        num_mels=40, num_fft=512, sample_rate=16_000
    )
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    exec(cell, {"audio": audio, "energies": energies, "mfcc": mfcc, "torch": torch, "word": word, "RATE": 16_000})
    said = capsys.readouterr().out
    assert "library's, to 0.001: True" in said and "The comparison with torchaudio is left out" in said
