"""How good a generated video is, one family of measures a file. Arrays in, numbers out; no network is known here."""
