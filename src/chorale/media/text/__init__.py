"""Text in: normalised, phonemised by espeak-ng, and numbered as symbols."""
