"""Speaks one text by eSpeak NG's library: JSON on standard input, a line of JSON and 16-bit samples on standard output.

A program, not a module to import. The structures are those of ``speak_lib.h`` of eSpeak NG 1.50 to 1.52.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

_SYNCHRONOUS, _PHONE_EVENTS, _NO_EXIT = 2, 1, 0x8000
_RATE, _PITCH, _RANGE = 1, 3, 4
_UTF8 = 1
_END_OF_EVENTS, _PHONE = 0, 7


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


def main() -> int:
    """Speak, or say why not and return 1."""
    asked = json.loads(sys.stdin.buffer.read())
    library, data = _library()
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONE_EVENTS | _NO_EXIT)
    if rate_hz <= 0:
        print("its data is not there", file=sys.stderr)
        return 1
    blocks: list[bytes] = []
    events: list[tuple[str, int]] = []

    def take(wave: Any, count: int, given: Any) -> int:
        if count > 0 and wave:
            blocks.append(ctypes.string_at(wave, 2 * count))
        index = 0
        while given[index].type != _END_OF_EVENTS:
            if given[index].type == _PHONE:
                events.append((given[index].id.string.decode(errors="replace"), given[index].sample))
            index += 1
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))(take)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(asked["voice"].encode()) != 0:
        print("it has no such voice", file=sys.stderr)
        return 1
    for parameter, value in ((_RATE, asked["wpm"]), (_PITCH, asked["pitch"]), (_RANGE, asked["range"])):
        library.espeak_SetParameter(parameter, value, 0)
    text = asked["text"].encode()
    library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    sys.stdout.buffer.write(json.dumps({"rate_hz": rate_hz, "events": events}).encode() + b"\n" + b"".join(blocks))
    return 0


def _library() -> tuple[ctypes.CDLL, bytes | None]:
    """Return the library that the package espeakng-loader carries, and where its data lie.

    Raises:
        ImportError: The package is not installed.
    """
    import espeakng_loader

    # The library looks for a folder of this name within the path.
    return ctypes.CDLL(espeakng_loader.get_library_path()), str(Path(espeakng_loader.get_data_path()).parent).encode()


if __name__ == "__main__":
    sys.exit(main())
