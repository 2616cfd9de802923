from __future__ import annotations

from trioscsi.teaching import opcodes

ROW = """
[[command]]
opcode = {opcode}
name = "NAME"
standard = "SPC-4 6"
length = 6
medium = {medium}
access = "{access}"
"""


def page(tmp_path, *rows):
    table = tmp_path / "opcodes.toml"
    table.write_text("".join(ROW.format(**row) for row in rows))
    return opcodes.page(table)


def test_each_command_is_a_line(tmp_path):
    text = page(
        tmp_path,
        {"opcode": 3, "medium": "false", "access": "write"},
        {"opcode": 160, "medium": "true", "access": "read"},
    )
    assert "\n2 commands, " in text
    assert text.endswith(
        "| 03 | NAME | 6 | SPC-4 6 |  | any |\n"
        "| A0 | NAME | 6 | SPC-4 6 | started | exclusive access |\n"
    )


def test_a_page_that_is_not_there_is_not_current(tmp_path):
    page(tmp_path)
    assert not opcodes.is_current(tmp_path)
    opcodes.write(tmp_path)
    assert opcodes.is_current(tmp_path)
