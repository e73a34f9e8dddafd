"""The losses, one family a file: sums over this rank's samples, for the caller to divide by the global count."""
