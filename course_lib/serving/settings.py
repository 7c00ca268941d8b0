"""What the service may be told: where it listens, and how much it takes on."""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """All limits in one place. Whatever a client sends, memory and waiting times stay within them.

    Attributes:
        host: the address to listen on; the default can be reached from this machine only.
        port: 0 takes a free one.
        token: if set, clients have to send it: `Authorization: Bearer TOKEN`.
        origins: other sites whose pages may use the service, such as "https://example.org"; browsers ask for this.
        max_queue: requests of one model that may wait; the next one is refused with 429.
        max_batch: requests that are computed together.
        max_delay_s: how long the first of them waits for others.
        deadline_s: a request that has no answer after so long gets a 504.
        body_seconds: how long a client may take to send a body.
        header_seconds: how long a client may take to send the head of a request.
        max_image_bytes: of a picture's file.
        max_pixels: of a picture.
        max_audio_bytes: of a sound file.
        max_audio_seconds: of a recording or a stream.
        max_streams: streams at the same time.
        stream_idle_s: a stream that sends nothing for so long is closed.
        max_bytes_in_flight: of all bodies that are being received or decoded.
        max_connections: open connections.
        drift_window: inputs that are judged together for drift.
        drain_seconds: how long accepted requests may take to finish after SIGTERM.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    origins: tuple[str, ...] = ()
    max_queue: int = 128
    max_batch: int = 32
    max_delay_s: float = 0.002
    deadline_s: float = 5.0
    body_seconds: float = 10.0
    header_seconds: float = 5.0
    max_image_bytes: int = 8_000_000
    max_pixels: int = 16_000_000
    max_audio_bytes: int = 8_000_000
    max_audio_seconds: float = 30.0
    max_streams: int = 16
    stream_idle_s: float = 10.0
    max_bytes_in_flight: int = 128_000_000
    max_connections: int = 512
    drift_window: int = 50
    drain_seconds: float = 10.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("port", "max_delay_s") else 1e-9
            if isinstance(value, int | float) and not value >= least:
                raise ValueError(f"{field.name} is {value}, but must be {'at least' if least == 0 else 'above'} 0.")
