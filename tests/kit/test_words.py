"""Words are counted in scripts with spaces and without."""

import pytest

from procure.kit import words


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        (" \n\t", 0),
        ("Follow twenty changes", 3),
        ("- Follow\n- twenty * changes\n\n---", 3),
        ("the housing-benefit officer's 3.5 days", 5),
        ("Dilynwch ugain newid", 3),
        ("Ακολουθήστε είκοσι αλλαγές", 3),
        ("Проследите двадцать изменений", 3),
        ("الق اتبع عشرين", 3),
        ("스무 가지 변경", 3),
        ("跟踪二十个变更", 4),
        ("二十の変更を追う。", 4),
        ("跟踪 20 个变更", 1 + 1 + 2),
        ("ติดตาม", 1),  # six characters, five of them letters
        ("ติดตามการเปลี่ยนแปลง", 4),
        ("ព្យាយាម", 1),
        ("Procure采购平台", 3),
    ],
)
def test_words_are_counted_in_every_script(text: str, number: int) -> None:
    assert words.count(text) == number


def test_a_long_text_is_counted_at_once() -> None:
    assert words.count("变更" * 10_000) == 10_000
    assert words.count("- " * 10_000) == 0
