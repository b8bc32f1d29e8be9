"""Random steps after the read step, and partition formats before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

LITERALS = {
    "number": ["0", "1", "2", "-3", "1.5", "5", "1000000"],
    "text": ['"x"', "'y'", '"é"', '"a b"', '"2020-01-02"'],
    "date": ["datetime(2020, 1, 2)", "datetime(1999, 12, 31, 23, 59, 59)", "datetime(2020, 1, 2, 3, 4, 5)"],
    "boolean": ["True", "False"],
}
FORMATS = ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%d-%b-%Y"]


def steps(random: Random, names: list[str]) -> tuple[dict[str, Any], ...]:
    """Return zero to three steps over columns of these names."""
    if not names:
        return ()
    count = random.choice([0, 0, 0, 1, 1, 1, 2, 3])
    return tuple(_step(random, names) for _ in range(count))


def _step(random: Random, names: list[str]) -> dict[str, Any]:
    match random.choice(["filter", "filter", "keep", "drop", "convert", "convert", "take", "skip"]):
        case "filter":
            return {"filter": condition(random, names, 2)}
        case "keep":
            chosen = random.sample(names, random.randint(1, len(names)))
            return {"keep_columns": ["rid", *[n for n in chosen if n != "rid"]] if "rid" in names else chosen}
        case "drop":
            return {"drop_columns": random.choice([n for n in names if n != "rid"] or ["zzz"])}
        case "convert":
            return {"convert_column_types": [_conversion(random, names)]}
        case "take":
            return {"take": random.choice([0, 1, 2, 3, 10, 500])}
    return {"skip": random.choice([0, 1, 2, 5])}


def _conversion(random: Random, names: list[str]) -> dict[str, Any]:
    target = random.choice(
        [
            *["int", "float", "string", "boolean", "int", "string"],
            {"datetime": {"formats": random.sample(FORMATS, random.randint(1, 2))}},
            {
                "boolean": {
                    "true_values": ["x", "1"],
                    "false_values": ["y", "0"],
                    "mismatch_as": random.choice(["true", "false"]),
                }
            },
        ]
    )
    name = random.choice([name for name in names if name != "rid"] or ["zzz"])
    return {"columns": random.choice([name, [name]]), "column_type": target}


def condition(random: Random, names: list[str], depth: int) -> str:
    """Return an expression of the filter language."""
    if depth and random.random() < 0.35:
        left, right = (condition(random, names, depth - 1) for _ in range(2))
        return random.choice([f"({left}) and ({right})", f"({left}) or ({right})", f"not ({left})"])
    name = random.choice(names)
    column = random.choice([name, f'col("{name}")'])
    kind = random.choice(
        ["number", "number", "number", "text", "text", "date", "boolean", "function", "self", "sum", "none"]
    )
    match kind:
        case "function":
            return random.choice(
                [
                    f'startswith({column}, "x")',
                    f'{column}.startswith("2")',
                    f'ToLower({column}) == "x"',
                    f"Length({column}) > 1",
                ]
            )
        case "self":
            return f"{column} == {column}"
        case "sum":
            operator = random.choice(["+ 1", "- 2", "* 3", "/ 2", "% 4", "// 2", "** 2"])
            return f"{column} {operator} > {random.choice(LITERALS['number'])}"
        case "none":
            return f"{column} {random.choice(['==', '!='])} None"
    operator = random.choice(["==", "!=", "<", "<=", ">", ">="])
    return f"{column} {operator} {random.choice(LITERALS[kind])}"


def partition_format(
    random: Random, files: dict[str, bytes]
) -> tuple[dict[str, bytes], tuple[dict[str, Any], ...]]:
    """Return the files in folders whose names hold values, and the step that takes these."""
    values = random.choice(
        [["2020", "2021"], ["us", "uk"], ["01", "02"], ["1.5", "x"], ["1", "0"], ["2020-01-02", "2020-03-04"]]
    )
    moved = {f"p_{random.choice(values)}/{name}": content for name, content in files.items()}
    text = random.choice(["/p_{part}/", "/p_{part}/*.csv", "p_{part}/{file}.csv"])
    return moved, ({"extract_columns_from_partition_format": {"partition_format": text}},)
