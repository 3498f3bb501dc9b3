"""The last words of an engine's log."""

from __future__ import annotations

from pathlib import Path

from ftctl.supervise.lastwords import last_words, telling

TRACEBACK = """\
loading weights: 100%|####| 38/38
Traceback (most recent call last):
  File "launcher.py", line 3, in <module>
    main()
ValueError: Template qwen33 does not exist.

"""


def test_the_raised_error_is_found() -> None:
    assert telling(TRACEBACK.splitlines(), 6) == ["ValueError: Template qwen33 does not exist."]


def test_a_rank_prefix_and_a_dotted_name_are_errors_too() -> None:
    lines = ["noise", "[rank0]: torch.OutOfMemoryError: CUDA out of memory.", "more"]
    assert telling(lines, 6) == lines[1:]


def test_without_an_error_the_last_lines_speak() -> None:
    assert telling([f"line {number}" for number in range(9)], 2) == ["line 7", "line 8"]


def test_a_progress_bar_is_one_line_per_state(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("10%\r20%\r30%\n")
    assert last_words(log) == ["10%", "20%", "30%"]
    assert last_words(tmp_path / "none") == []
