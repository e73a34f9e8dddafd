"""The corpus of a run: its utterances as symbols and mel spectrograms, alone and in batches."""
