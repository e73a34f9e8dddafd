"""Federated Transformer-TTS with a dynamic transformer (arXiv:2107.08795): speech synthesis trained over MPI."""
