"""How well speech is synthesised, one family of measures a file. Arrays in, numbers out; no network is known here."""
