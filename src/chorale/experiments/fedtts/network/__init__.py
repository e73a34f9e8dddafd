"""The Transformer-TTS of Li et al. 2019, its losses, its growth, and how it speaks."""
