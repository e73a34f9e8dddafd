"""Data-free adversarial distillation with activation regularization and virtual interpolation (arXiv:2102.11638)."""
