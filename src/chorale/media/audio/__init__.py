"""Sound in and out: reading, features. torchaudio, soundfile and PyAV are known here only."""
