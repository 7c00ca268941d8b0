"""Features held to torchaudio under the conventions that course_lib.audio states, and to what happens at the edges."""

import math

import pytest
import torch

from course_lib import audio
from tests.lib.torchaudio_peer import AF, AT

SPECTROGRAM = {"n_fft": 512, "win_length": 400, "hop_length": 160, "center": False, "pad": 56}


def speech_like(*shape, seed=0, dtype=torch.float32):
    """Noise under a melody: every frequency occurs, and loudness changes."""
    time = torch.arange(shape[-1], dtype=torch.float64) / audio.SAMPLE_RATE
    noise = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    tone = (2 * math.pi * (200 + 1500 * time) * time).sin() * (0.5 + 0.5 * (9 * time).cos())
    return (0.3 * tone + 0.02 * noise).to(dtype)


def assert_close(ours, theirs, **options):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, **{"atol": 1e-4, **options})


@pytest.mark.torchaudio
@pytest.mark.parametrize("shape", [(16_000,), (3, 5_321), (2, 3, 400)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_power_spectrogram_is_torchaudios(shape, dtype):
    waveform = speech_like(*shape, dtype=dtype)
    theirs = AT.Spectrogram(**SPECTROGRAM, power=2.0).to(dtype)(waveform).mT
    assert_close(audio.power_spectrogram(waveform), theirs)


@pytest.mark.torchaudio
@pytest.mark.parametrize(("num_fft", "window", "hop"), [(256, 256, 64), (1024, 800, 333), (400, 400, 400)])
def test_any_window_and_hop_give_torchaudios_spectrogram(num_fft, window, hop):
    waveform = speech_like(2, 4_000)
    options = {"n_fft": num_fft, "win_length": window, "hop_length": hop, "center": False}
    theirs = AT.Spectrogram(**options, pad=(num_fft - window) // 2)(waveform).mT
    assert_close(audio.power_spectrogram(waveform, num_fft=num_fft, window=window, hop=hop), theirs)


@pytest.mark.torchaudio
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
@pytest.mark.parametrize(
    ("num_mels", "num_fft", "sample_rate"), [(40, 512, 16_000), (23, 256, 8_000), (80, 1024, 22_050)]
)
def test_the_mel_filterbank_is_torchaudios(scale, norm, num_mels, num_fft, sample_rate):
    options = {"num_mels": num_mels, "num_fft": num_fft, "sample_rate": sample_rate, "scale": scale, "norm": norm}
    ours = audio.mel_filterbank(**options)
    theirs = AF.melscale_fbanks(num_fft // 2 + 1, 0.0, sample_rate / 2, num_mels, sample_rate, norm, scale)
    assert_close(ours, theirs, atol=1e-4 * theirs.max().item())


@pytest.mark.torchaudio
@pytest.mark.parametrize("shape", [(16_000,), (3, 5_321)])
@pytest.mark.parametrize("num_mels", [20, 40, 64])
def test_log_mel_is_torchaudios(shape, num_mels):
    waveform = speech_like(*shape)
    mel = AT.MelSpectrogram(16_000, n_mels=num_mels, f_min=0.0, norm=None, mel_scale="htk", **SPECTROGRAM)(waveform)
    assert_close(audio.log_mel(waveform, num_mels=num_mels), (mel.mT + 1e-6).log())


@pytest.mark.torchaudio
@pytest.mark.parametrize("shape", [(16_000,), (3, 5_321)])
@pytest.mark.parametrize("num_coefficients", [13, 40])
def test_mfcc_is_torchaudios(shape, num_coefficients):
    waveform = speech_like(*shape)
    options = {"dct_type": 2, "norm": "ortho", "log_mels": True, "melkwargs": {"n_mels": 40, **SPECTROGRAM}}
    theirs = AT.MFCC(16_000, n_mfcc=num_coefficients, **options)(waveform).mT
    assert_close(audio.mfcc(waveform, num_coefficients=num_coefficients), theirs)


@pytest.mark.torchaudio
@pytest.mark.parametrize("reach", [1, 2, 4])
def test_deltas_are_torchaudios(reach):
    features = torch.randn(2, 31, 7, generator=torch.Generator().manual_seed(0))
    theirs = AF.compute_deltas(features.mT, win_length=2 * reach + 1).mT
    assert_close(audio.deltas(features, reach=reach), theirs, atol=1e-6)


@pytest.mark.torchaudio
def test_decibels_are_torchaudios_below_the_loudest():
    power = torch.rand(20, 30, generator=torch.Generator().manual_seed(0)) ** 30
    theirs = AF.amplitude_to_DB(power, 10.0, 1e-10, math.log10(power.max().item()), top_db=60.0)
    assert_close(audio.to_decibels(power, top=60.0), theirs)


def test_a_batch_is_its_waveforms_one_by_one():
    waveforms = speech_like(4, 3_000)
    for function in (audio.frame, audio.power_spectrogram, audio.log_mel, audio.mfcc):
        alone = torch.stack([function(waveform) for waveform in waveforms])
        torch.testing.assert_close(function(waveforms), alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("num_samples", "num_frames"), [(400, 1), (559, 1), (560, 2), (16_000, 98)])
def test_only_full_frames_count(num_samples, num_frames):
    assert audio.log_mel(speech_like(num_samples)).shape == (num_frames, 40)


@pytest.mark.parametrize("function", [audio.frame, audio.power_spectrogram, audio.log_mel, audio.mfcc])
def test_less_than_one_window_is_refused_with_both_lengths(function):
    with pytest.raises(ValueError, match="399 samples, but one window has 400"):
        function(torch.zeros(2, 399))


def test_digital_silence_has_a_finite_logarithm():
    assert_close(audio.log_mel(torch.zeros(800)), torch.full((3, 40), math.log(1e-6)))


def test_whole_numbers_are_refused_since_nobody_knows_their_scale():
    with pytest.raises(TypeError, match="divide int16 by 32768"):
        audio.log_mel(torch.zeros(800, dtype=torch.int16))


def test_wrong_settings_are_refused_in_words():
    with pytest.raises(ValueError, match="hop 0"):
        audio.frame(torch.zeros(800), hop=0)
    with pytest.raises(ValueError, match="num_fft is 256"):
        audio.power_spectrogram(torch.zeros(800), num_fft=256)
    with pytest.raises(ValueError, match="hold no bin"):
        audio.mel_filterbank(num_mels=200)
    with pytest.raises(ValueError, match="'bark'"):
        audio.mel_filterbank(scale="bark")
    with pytest.raises(ValueError, match="num_coefficients is 41"):
        audio.mfcc(torch.zeros(800), num_coefficients=41)


def test_changing_a_filterbank_leaves_the_next_one_alone():
    audio.mel_filterbank().zero_()
    assert audio.mel_filterbank().sum() > 0


def test_gradients_reach_the_waveform():
    waveform = speech_like(1_000).requires_grad_()
    audio.mfcc(waveform).square().sum().backward()
    assert waveform.grad.abs().min() < waveform.grad.abs().max() < math.inf


def test_normalized_features_have_mean_0_and_deviation_1_and_ignore_loudness():
    features = 5 + 3 * torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(0))
    features[..., 3] = 7.0
    normalized = audio.normalize_features(features)
    assert_close(normalized.mean(dim=1), torch.zeros(2, 4))
    assert_close(normalized.std(dim=1, correction=0), torch.tensor([1.0, 1, 1, 0]).expand(2, 4))
    assert_close(audio.normalize_features(features + 2), normalized)
