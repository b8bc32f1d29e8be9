"""Hostile texts: never executed, never slow, never anything but one error of our tree or an expression."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.errors import UserErrorException
from mltable_lite.expr import bind, fold, parse, to_text
from mltable_lite.types import Field, Kind

FIELDS = [
    Field("a", Kind.INTEGER),
    Field("b", Kind.STRING),
    Field("d", Kind.BOOLEAN),
    Field("e", Kind.DATETIME),
]
PIECES = [
    "a", "b", "d", "e", "x", "é", "ﬁ", "\U0001d4b6", "class", "lambda", "yield", "await", "import", "__import__", "exec", "eval",
    "open", "os", "sys", "__class__", "__subclasses__", "mro", "globals", "and", "or", "not", "in", "is", "if", "else",
    "for", "True", "False", "None", "true", "null", "AND", "like", "between", "col", "datetime", "startswith", "matches",
    "coalesce", "round", "isnull", ".", ",", "(", ")", "[", "]", "{", "}", ":", ":=", ";", "=", "==", "===", "!=", "<>",
    "<", "<=", ">", ">=", "+", "-", "*", "/", "//", "%", "**", "&", "&&", "|", "||", "~", "!", "^", "@", "#", "$", "?",
    "\\", "`", "'", '"', "'''", '"x"', "'(?=a)'", "'((a*)*)*b'", r"'\q'", r"'\N{BULLET}'", "f'{a}'", "b'x'", "r'\\d'", "0",
    "1", "01", "1_", "1.5", "1e999", "1j", "0x", "0xFFFFFFFFFFFFFFFFFFFF", "9" * 80, "-1", "\0", "\ud800", "\u202e", "\xa0",
    "\n", "\r", "\t", "\f", " ", " ", " ", "...", "->", "print",
]  # fmt: skip
TEMPLATES = [
    "__import__('os').system('touch {canary}')",
    "open('{canary}', 'w')",
    "a == 1 or open('{canary}', 'w').write('x')",
    "[x for x in ().__class__.__bases__[0].__subclasses__()]",
    "(lambda: open('{canary}', 'w'))()",
    'f\'{{open("{canary}", "w")}}\' == b',
    "@pd.core.frame.com.builtins.open('{canary}', 'w')",
    "eval(compile('open(\"{canary}\", \"w\")', '', 'exec'))",
    "b.__class__.__mro__",
    "col(open('{canary}', 'w'))",
    "datetime(open('{canary}', 'w'))",
    "exec('import os') if True else 1",
    "a := open('{canary}', 'w')",
    "print(*open('{canary}', 'w'))",
    "b.format(open('{canary}', 'w'))",
    "a == 1) or open('{canary}', 'w') or (a == 1",
    "a\nimport os",
    "{{'a': open('{canary}', 'w')}}",
    "await open('{canary}', 'w')",
    "(yield open('{canary}', 'w'))",
    "9 ** 9 ** 9 ** 9 ** 9 > a",
    "'x' * 10 ** 10 == b",
    "b.matches('((a+)+)+$')",
]


def attempt(text):
    try:
        unbound = parse(text)
        assert parse(to_text(unbound)) == unbound
        bound = bind(unbound, FIELDS)
        assert bind(bound, FIELDS) == bound
        fold(bound)
    except UserErrorException:
        return False
    return True


def test_two_thousand_hostile_texts_run_nothing_and_end_in_one_error_of_ours(tmp_path):
    canary = tmp_path / "canary"
    chance = random.Random(20)
    texts = [template.format(canary=canary) for template in TEMPLATES]
    texts += ["".join(chance.choices(PIECES, k=chance.randint(1, 40))) for _ in range(900)]
    texts += [" ".join(chance.choices(PIECES, k=chance.randint(1, 12))) for _ in range(900)]
    for _ in range(200):
        opening = chance.choice(
            ["(", "[", "not ", "-", "~", "a(", "a[", "a if ", "a.", "a < (", "a in [", "lambda:", "{", "f'"]
        )
        middle, closing = chance.choice(PIECES), chance.choice([")", "]", "", " else a", "}", "'", " == 1)"])
        times = chance.choice([50, 99, 100, 101, 2000])
        texts.append((opening * times + middle + closing * times)[: chance.choice([9_999, 10_000, 20_000])])
    assert len(texts) > 2_000
    for text in texts:
        began = time.process_time()
        attempt(text)
        assert time.process_time() - began < 5, text  # a hang, not a slow machine
    assert not canary.exists()


def test_some_random_texts_are_filters_after_all():
    assert attempt("a == 1 and b.startswith('x')")


@given(st.text(max_size=60))
def test_any_text_gives_an_expression_or_one_error_of_ours(text):
    attempt(text)


@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_any_row_of_tokens_gives_an_expression_or_one_error_of_ours(text):
    attempt(text)
