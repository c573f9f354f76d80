"""What is heard in a WAV file of mynah's."""
import array
import wave

RATE = 48000
QUIET = 300  # of 32,767: below it is no sound
GAP = 0.05  # seconds of quiet that end a sound


class Wrong(Exception):
    """The file is not what was expected."""


def samples_of(path):
    """The left and the right side."""
    with wave.open(path) as file:
        kind = (file.getframerate(), file.getnchannels(), file.getsampwidth())
        if kind != (RATE, 2, 2):
            raise Wrong(f"{path}: rate, channels and bytes are {kind}")
        both = array.array("h", file.readframes(file.getnframes()))
    return both[0::2], both[1::2]


def sounds(samples):
    """Where each sound starts and ends."""
    found, start, last = [], None, None
    for at, value in enumerate(samples):
        if abs(value) > QUIET:
            start = at if start is None else start
            last = at
        elif start is not None and at - last > GAP * RATE:
            found.append((start, last))
            start = None
    if start is not None:
        found.append((start, last))
    return found


def frequency(samples, start, end):
    """By rising zero crossings, in its middle."""
    quarter = (end - start) // 4
    at = [i for i in range(start + quarter, end - quarter) if samples[i - 1] < 0 <= samples[i]]
    return (len(at) - 1) * RATE / (at[-1] - at[0]) if len(at) > 2 else 0.0
