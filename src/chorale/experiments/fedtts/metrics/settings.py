"""With which settings distortions are measured, here and by the command for anyone's files. No heavy imports."""

from __future__ import annotations

ORDER = 24
"""Highest cepstral coefficient; the usual one for speech."""
WORLD_FRAME_MS = 5.0
"""Distance between WORLD's frames, milliseconds; its own default."""
