import pytest

from chorale.core.errors import InputError
from chorale.media.text.symbols import END, PADDING, SPECIAL, SymbolTable

pytestmark = pytest.mark.unit


def test_padding_is_zero_the_end_is_one_and_symbols_follow_in_order():
    table = SymbolTable.of(["ba", "cab"], always=".")
    assert table.names == (*SPECIAL, ".", "a", "b", "c")
    assert (PADDING, END, len(table)) == (0, 1, 6)


def test_a_sentence_comes_back_from_its_numbers_and_ends_with_the_end():
    table = SymbolTable.of([["pau", "a", "sh"]])
    numbers = table.encode(["sh", "a", "pau", "a"])
    assert numbers[-1] == END and PADDING not in numbers
    assert table.decode([*numbers, PADDING, PADDING]) == ["sh", "a", "pau", "a"]


def test_a_symbol_that_the_corpus_has_not_is_named_with_those_it_has():
    table = SymbolTable.of(["ab c"])
    with pytest.raises(InputError, match=r"no symbol 'x' 'y'; write it with: a b c$"):
        table.encode("ayxb")


def test_the_names_of_padding_and_end_are_no_symbols():
    with pytest.raises(InputError, match="<end>"):
        SymbolTable.of(["ab"]).encode(["a", "<end>"])


def test_a_table_that_names_a_symbol_twice_or_lacks_the_special_ones_is_refused():
    for names in (["a", "b"], [*SPECIAL, "a", "a"]):
        with pytest.raises(ValueError, match="begins with padding"):
            SymbolTable(names)
