"""What is trained, one training a file; the common loop carries each of them out."""
