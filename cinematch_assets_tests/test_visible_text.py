import pytest

from cinematch_assets.visible_text import visible, without_markup

pytestmark = pytest.mark.faults("hostile-names")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Heat (1995)", "Heat (1995)"),
        ("Amélie [/b] :smile:", "Amélie [/b] :smile:"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\u001b]52;c;ZXZpbA==\\u0007"),
        ("\x9b31m", "\\u009b31m"),
        ("abc\rxyz\x08", "abc\\u000dxyz\\u0008"),
        ("gnp.\u202eexe", "gnp.\\u202eexe"),
        ("\u0645\u06cc\u200c\u062e 👩\u200d🚀", "\u0645\u06cc\u200c\u062e 👩\u200d🚀"),
        ("line\u2028separator", "line\\u2028separator"),
    ],
)
def test_whatever_steers_a_terminal_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_no_script_can_be_closed_or_opened() -> None:
    shown = without_markup("</script><img src=x onerror=`a`>&amp;")
    assert set('<>&`"') & set(shown) == set()
    assert len(shown) == len("</script><img src=x onerror=`a`>&amp;")
