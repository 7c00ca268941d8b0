"""torchaudio, which tests with the marker `torchaudio` compare with; None beside a torch that it does not load with."""

try:
    import torchaudio.functional as AF
    import torchaudio.transforms as AT
except (ImportError, OSError, RuntimeError):
    AF = AT = None
