"""Random delimited text, with a liking for what is hard to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from case import Case
from make_steps import partition_format, steps

if TYPE_CHECKING:
    from random import Random

THEMES: dict[str, list[str]] = {
    "int": ["0", "1", "2", "5", "-3", "42", "1000000", "9007199254740992"],
    "bit": ["0", "1"],
    "sign": ["00", "01", "+1", "-0", "1", "0"],
    "zeros": ["007", "00501", "+7", "-007", "12"],
    "big": [
        "9223372036854775807",
        "9223372036854775808",
        "9007199254740993",
        "1" * 30,
        "-9223372036854775809",
        "3",
    ],
    "float": ["1.5", ".5", "1.", "1e5", "-0.0", "2.25", "-7"],
    "odd float": ["nan", "NaN", "inf", "-Infinity", "1e400", "1e-400", "2.5"],
    "word": ["true", "False", "T", "F", "Yes", "NO", "N"],
    "words and bits": ["true", "false", "1", "0"],
    "iso": ["2020-01-02", "2020-02-29", "1999-12-31"],
    "iso forms": [
        "2020-1-2",
        "2020/01/02",
        "2020-01-02 03:04:05",
        "2020-01-02T03:04:05.678",
        "2020/1/2 3:4:5",
    ],
    "zoned": [
        "2020-01-02T03:04:05Z",
        "2020-01-02 03:04:05+02:00",
        "2020-01-02T03:04:05.1-0530",
        "2020-01-02 03:04:05 UTC",
    ],
    "ambiguous": ["01/02/2020", "03/04/2020", "5-6-2020"],
    "day first": ["13/02/2020", "01/02/2020", "31-12-2020", "13/02/2020 10:00:00"],
    "month first": ["02/13/2020", "01/02/2020", "01/13/2020 3:04 PM", "12/31/2020"],
    "named": ["02-Jan-2020", "02/Feb/2020", "2-Mar-20"],
    "short year": ["01/13/20", "01/02/20", "13/1/20"],
    "far": ["3000-01-01", "0001-01-01", "9999-12-31", "1677-09-22", "2262-04-11"],
    "no date": [
        "2020-02-30",
        "2020-01-02 03:04",
        "2020.01.02",
        "20200102",
        "24:00:00",
        "2020-13-01",
        "0000-01-01",
    ],
    "text": ["x", "é", "a b", "it's", "日本", "null", "NA", "None", "x", "y"],
    "spaces": [" 5 ", " x", "  ", "\t7", "5\xa0", " 2020-01-02 "],
    "number text": ["1,000", "1_000", "0x10", "5%", "1d", "--1", "1e", "$5"],
    "quoted": ["a,b", 'say "hi"', "a;b", "a|b", "'q'", "a\tb", '"', '""'],
    "lines": ["l1\nl2", "l1\r\nl2", "\n"],
}
USUAL = ["int", "int", "float", "word", "iso", "iso forms", "text", "text", "zeros", "bit"]
NAMES = ["a", "b", "c", "d", "e"]
ODD_NAMES = ["", " ", " a ", "a", "Column2", "a b", "é", "x,y", 'q"q', "A", "1", "Path"]
BLANK, QUOTED_EMPTY = "", '""'
DELIMITERS = [",", ",", ",", ";", "|", "\t", " "]
ENCODINGS = ["utf8", "utf8", "utf8", "utf8", "latin1", "windows1252", "ascii", "utf16", "iso88591"]


def make(random: Random, number: int) -> Case:
    """Return a pair of one to three delimited files."""
    delimiter = random.choice(DELIMITERS)
    options = _options(random, delimiter)
    header = options.get("header", "all_files_same_headers")
    names = NAMES[: random.randint(1, 4)]
    if random.random() < 0.08:
        names[random.randrange(len(names))] = random.choice(ODD_NAMES)
    columns = [_column(random) for _ in names]
    if not options.get("support_multi_line") and random.random() < 0.9:
        columns = [[cell for cell in column if "\n" not in cell] or ["x"] for column in columns]
    if random.random() < 0.85:
        names, columns = ["rid", *names], ["rid", *columns]
    texts = {}
    row = 0
    for index in range(random.choice([1, 1, 1, 2, 3])):
        order = list(range(len(names)))
        if index and random.random() < 0.15:
            order = _other_columns(random, order)
        rows = random.choice([0, 1, 2, 3, 5, 8]) if random.random() < 0.85 else random.randint(198, 206)
        body = [[_cell(random, columns[i], row + r) for i in order] for r in range(rows)]
        texts[f"f{index}.csv"] = _text(
            random, [names[i] for i in order] if header != "no_header" else None, body, delimiter
        )
        row += rows
    files = {name: _encoded(random, text, options.get("encoding", "utf8")) for name, text in texts.items()}
    before: tuple[dict[str, Any], ...] = ()
    if random.random() < 0.08:
        files, before = partition_format(random, files)
    usable = (
        [name for name in names if name.isidentifier()] if header != "no_header" else ["Column1", "Column2"]
    )
    return Case(number, "delimited", files, before=before, options=options, steps=steps(random, usable))


def _options(random: Random, delimiter: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if delimiter != "," or random.random() < 0.2:
        options["delimiter"] = delimiter
    for name, share, values in (
        (
            "header",
            0.3,
            ["no_header", "from_first_file", "all_files_different_headers", "all_files_same_headers"],
        ),
        ("support_multi_line", 0.15, [True]),
        ("empty_as_string", 0.12, [True]),
        ("include_path_column", 0.1, [True]),
        ("encoding", 0.25, ENCODINGS),
        ("infer_column_types", 0.08, [False]),
        ("partition_size", 0.1, [20, 100, 1000]),
    ):
        if random.random() < share:
            options[name] = random.choice(values)
    if "infer_column_types" not in options and random.random() < 0.15:
        options["infer_column_types"] = _infer(random)
    return options


def _infer(random: Random) -> dict[str, Any]:
    infer: dict[str, Any] = {}
    if random.random() < 0.6:
        infer["sample_size"] = random.choice([1, 2, 3, 1000])
    if random.random() < 0.6:
        kind = random.choice(
            [
                "int",
                "float",
                "string",
                "boolean",
                {"datetime": {"formats": ["%Y-%m-%d"]}},
                {
                    "boolean": {
                        "true_values": ["x", "1"],
                        "false_values": ["y", "0"],
                        "mismatch_as": random.choice(["error", "true", "false"]),
                    }
                },
            ]
        )
        infer["column_type_overrides"] = [{"columns": random.choice(["a", ["a", "b"]]), "column_type": kind}]
    return infer


def _column(random: Random) -> list[str]:
    """Return the cells that a column is drawn from; the first half of a late column's are drawn first."""
    draw = random.random()
    if draw < 0.55:
        cells = THEMES[random.choice(USUAL)]
    elif draw < 0.85:
        cells = THEMES[random.choice(list(THEMES))]
    else:
        one, two = (THEMES[random.choice(list(THEMES))] for _ in range(2))
        cells = [*one, *one, *two]
    cells = list(cells)
    if random.random() < 0.3:
        cells += [BLANK] * max(1, len(cells) // 3)
    if random.random() < 0.06:
        cells += [QUOTED_EMPTY]
    if random.random() < 0.2:
        cells = random.sample(cells, min(len(cells), 2))
    return cells


def _cell(random: Random, column: list[str] | str, row: int) -> str:
    if isinstance(column, str):
        return f"r{row}"
    late = row > 199 and random.random() < 0.2
    return random.choice(THEMES[random.choice(list(THEMES))] if late else column)


def _other_columns(random: Random, order: list[int]) -> list[int]:
    match random.choice(["swap", "less", "more"]):
        case "swap":
            return order[::-1]
        case "less":
            return order[:-1] or order
    return [*order, order[-1]]


def _text(random: Random, names: list[str] | None, body: list[list[str]], delimiter: str) -> str:
    end = random.choice(["\n", "\n", "\n", "\r\n"])
    quote_all = random.random() < 0.1
    lines = (
        [delimiter.join(_field(random, name, delimiter, quote_all) for name in names)]
        if names is not None
        else []
    )
    for cells in body:
        fields = [_field(random, cell, delimiter, quote_all) for cell in cells]
        if random.random() < 0.02:
            fields = fields[: random.randint(1, len(fields))]
        elif random.random() < 0.02:
            fields += [random.choice(["", "7", "extra"]) for _ in range(random.randint(1, 2))]
        lines.append(delimiter.join(fields))
        if random.random() < 0.01:
            lines.append("")
    text = end.join(lines) + (end if random.random() < 0.9 and lines else "")
    if random.random() < 0.01:
        text = text.replace("\r\n", "\n").replace("\n", "\r")
    if random.random() < 0.02:
        text = text.replace("x", random.choice(['"', 'x"', '"x"y', "\r"]), 1)
    return text


def _field(random: Random, cell: str, delimiter: str, quote_all: bool) -> str:
    if cell == QUOTED_EMPTY:
        return cell
    if quote_all or any(c in cell for c in (delimiter, '"', "\n", "\r")) or random.random() < 0.02:
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _encoded(random: Random, text: str, encoding: str) -> bytes:
    if not text:
        return b""
    if encoding == "utf16":
        order = "utf-16-be" if random.random() < 0.1 else "utf-16-le"
        return ("\ufeff" if random.random() < 0.8 or order.endswith("be") else "").encode(
            order
        ) + text.encode(order)
    if encoding in ("latin1", "windows1252", "iso88591"):
        return text.encode("cp1252", errors="replace")
    mark = b"\xef\xbb\xbf" if random.random() < 0.05 else b""
    return mark + text.encode()
