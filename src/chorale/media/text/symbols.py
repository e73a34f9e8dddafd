"""Symbols and their numbers: what a network reads instead of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chorale.core.errors import InputError

PADDING = 0
"""Number of what fills a batch up."""
END = 1
"""Number of what ends a sentence."""
SPECIAL = ("<padding>", "<end>")
"""Names of these two."""


class SymbolTable:
    """The symbols of a corpus.

    Args:
        names: Every symbol by its number; the first two are ``SPECIAL``.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if tuple(names[:2]) != SPECIAL or len(set(names)) != len(names):
            raise ValueError("a symbol table begins with padding and end, and names nothing twice")
        self.names = tuple(names)
        self._numbers = {name: number for number, name in enumerate(names)}

    @classmethod
    def of(cls, sentences: Iterable[Iterable[str]], always: Iterable[str] = ()) -> SymbolTable:
        """Return the table of every symbol in ``sentences`` and ``always``, in order of code points."""
        found = set(always)
        for sentence in sentences:
            found.update(sentence)
        return cls([*SPECIAL, *sorted(found)])

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, sentence: Iterable[str]) -> list[int]:
        """Return the numbers of a sentence's symbols, and ``END`` behind them.

        Raises:
            InputError: A symbol is not in the table.
        """
        symbols = list(sentence)
        unknown = sorted({symbol for symbol in symbols if symbol not in self._numbers or symbol in SPECIAL})
        if unknown:
            shown = " ".join(repr(symbol) for symbol in unknown[:5])
            known = " ".join(name for name in self.names[2:] if name != " ")
            raise InputError(f"the corpus has no symbol {shown}", f"write it with: {known}")
        return [*(self._numbers[symbol] for symbol in symbols), END]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Return the symbols of ``numbers``, without padding and end."""
        return [self.names[number] for number in numbers if number not in (PADDING, END)]
