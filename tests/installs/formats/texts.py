"""Texts of each format as people write them: any value, with any spacing, comments and styles that the format has."""

from __future__ import annotations

import json

from hypothesis import strategies as st

WORDS = st.text(alphabet="abcXYZ019_-", min_size=1, max_size=6)
STRINGS = st.one_of(
    WORDS,
    st.sampled_from(
        [
            "",
            "-y",
            "a b",
            "true",
            "1",
            "no",
            'q"x',
            "it's",
            "\\",
            "a: b",
            "# no",
            "a,b",
            "é ü",
            "x/*y*/",
            "//z",
            "a\nb",
            "\u2028",
            "${V}",
        ]
    ),
)
SCALARS = st.one_of(
    STRINGS, st.integers(-(10**9), 10**9), st.booleans(), st.floats(allow_nan=False, allow_infinity=False, width=16)
)
KEYS = st.one_of(WORDS, st.sampled_from(["a.b", "mcpServers", "args", "x y", "é", 'q"k', "it's", "<<", "true", "1"]))


def objects(scalars, keys=KEYS):
    values = st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)), max_leaves=12
    )
    return st.dictionaries(keys, values, min_size=1, max_size=4)


def paths(value, path=()):
    """All paths in a value, with those of lists and objects themselves."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield (*path, step)
        yield from paths(item, (*path, step))


def objects_in(value, path=()):
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from objects_in(item, (*path, step))


@st.composite
def jsonc(draw, value, five=False):
    """Return a text of `value`, as JSON with comments or as JSON5."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    unit = draw(st.sampled_from(["  ", "\t", "    "]))
    odd = draw(st.booleans())

    def gap():
        if not odd:
            return ""
        return draw(st.sampled_from(["", "", "", " ", "/* c, } */", f" // it's {{{newline}", f"{newline} ", "/**/"]))

    def string(text):
        if five and draw(st.booleans()):
            inner = json.dumps(text, ensure_ascii=draw(st.booleans()))[1:-1].replace('\\"', '"').replace("'", "\\'")
            return f"'{inner}'"
        return json.dumps(text, ensure_ascii=draw(st.booleans()))

    def key(text):
        return text if five and text.isidentifier() and draw(st.booleans()) else string(text)

    def write(item, indent):
        if not isinstance(item, dict | list):
            return string(item) if isinstance(item, str) else json.dumps(item)
        opening, closing = "{}" if isinstance(item, dict) else "[]"
        if not item:
            return opening + gap() + closing
        lines = draw(st.booleans())
        inner = indent + unit
        start = newline + inner if lines else ""
        members = (
            [f"{key(k)}{gap()}:{gap()} {write(v, inner)}" for k, v in item.items()]
            if isinstance(item, dict)
            else [write(v, inner) for v in item]
        )
        text = opening
        for index, member in enumerate(members):
            text += start + gap() + member + gap()
            if index < len(members) - 1 or draw(st.booleans()):
                text += "," + ("" if lines else " ") + gap()
        return text + (newline + indent if lines else "") + closing

    return gap() + write(value, "") + gap() + draw(st.sampled_from(["", newline]))


@st.composite
def toml(draw, value):
    """Return a text of `value` (no null in it) with headers, dotted keys, inline tables and comments."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    lines: list[str] = []

    def string(text):
        plain = text.isprintable()
        style = draw(st.sampled_from(["basic", "literal", "long", "long literal"])) if plain else "basic"
        if style == "literal" and "'" not in text:
            return f"'{text}'"
        if style == "long literal" and "'" not in text:
            return f"'''{text}'''"
        inner = json.dumps(text)[1:-1]
        return f'"""{inner}"""' if style == "long" else f'"{inner}"'

    def key(text):
        if text and all(c.isascii() and (c.isalnum() or c in "_-") for c in text):
            return text
        return json.dumps(text)

    def remark():
        return draw(st.sampled_from(["", "", " # c = [", "  "]))

    def inline(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{key(k)} = {inline(v)}" for k, v in item.items()) + "}"
        if isinstance(item, list):
            if item and draw(st.booleans()):
                return "[" + "".join(f"{newline}  {inline(v)},{remark()}" for v in item) + newline + "]"
            return "[" + draw(st.sampled_from(["", " "])) + ", ".join(map(inline, item)) + "]"
        return string(item) if isinstance(item, str) else json.dumps(item)

    def table(item, path):
        headers = []
        for k, v in item.items():
            if (isinstance(v, dict) and v and draw(st.booleans())) or (
                isinstance(v, list) and v and all(isinstance(x, dict) for x in v) and draw(st.booleans())
            ):
                headers.append((k, v))
            elif isinstance(v, dict) and v and draw(st.booleans()):
                lines.extend(f"{key(k)} . {key(inner)}={inline(x)}{remark()}" for inner, x in v.items())
            else:
                lines.append(f"{draw(st.sampled_from(['', '  ']))}{key(k)} = {inline(v)}{remark()}")
        for k, v in headers:
            name = ".".join(map(key, (*path, k)))
            lines.extend(draw(st.sampled_from([[], [""], ["# c"]])))
            for one in v if isinstance(v, list) else [v]:
                lines.append(f"[[{name}]]" if isinstance(v, list) else f"[ {name} ]{remark()}")
                table(one, (*path, k))

    table(value, ())
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


@st.composite
def yaml(draw, value):
    """Return a text of `value` in block and flow style, plain and quoted."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    step = draw(st.sampled_from(["  ", "    "]))

    def remark():
        return draw(st.sampled_from(["", "", " # c: ["]))

    def scalar(item):
        if not isinstance(item, str):
            return json.dumps(item)
        styles = ["double"]
        if item.isprintable():
            styles.append("single")
        if (
            item
            and all(c.isascii() and (c.isalnum() or c in "_") for c in item)
            and item[0].isalpha()
            and item.lower() not in {"true", "no"}
        ):
            styles.append("plain")
        style = draw(st.sampled_from(styles))
        if style == "plain":
            return item
        return "'" + item.replace("'", "''") + "'" if style == "single" else json.dumps(item)

    def flow(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in item.items()) + "}"
        return "[" + ", ".join(map(flow, item)) + "]" if isinstance(item, list) else scalar(item)

    def block(item, indent):
        """Return the lines of a non-empty list or object."""
        found = []
        for k, v in item.items() if isinstance(item, dict) else enumerate(item):
            head = f"{indent}{scalar(k)}:" if isinstance(item, dict) else f"{indent}-"
            if isinstance(v, dict | list) and v and draw(st.booleans()):
                if isinstance(item, list):
                    inner = block(v, indent + "  ")
                    found += [f"{head} {inner[0].lstrip(' ')}", *inner[1:]]
                else:
                    indentless = isinstance(v, list) and draw(st.booleans())
                    found += [head + remark(), *block(v, indent if indentless else indent + step)]
            else:
                found.append(f"{head} {flow(v)}{remark()}")
            found += draw(st.sampled_from([[], [], [""], [f"{indent}# c"]]))
        return found

    return newline.join(block(value, "")) + draw(st.sampled_from(["", newline]))
