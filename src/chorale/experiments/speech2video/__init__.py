"""A talking face from speech alone, by cross-modal distillation and a GAN (arXiv:2107.04806)."""
