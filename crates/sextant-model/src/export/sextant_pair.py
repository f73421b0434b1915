"""Turns pairs of entities into the rows of token ids that the model beside this file was trained on.

    from sextant_pair import PairEncoder

    encoder = PairEncoder(".")                        # reads sextant_pair.json and tokenizer.json there
    inputs = encoder([(left, right), ...])            # {"input_ids": [[...], ...], "attention_mask": ...}

An entity is a text, or for products also a dict with a `title` and any of `brand`, `description`,
`attributes` (a dict, or a list of names and values) and `type_path` (a list, root first). It is written by
its template; a part of the template whose fields are empty is left out together with its ` | `. A row that
is too long loses tokens field by field, the longest first, and keeps some of both sides; the template is
never cut. Special tokens written out in a text are read as plain text.

Needs nothing but the package `tokenizers`. Give `inputs` to PyTorch or NumPy as they are.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer

SEPARATOR = " | "
# Unicode's white space. `str.strip` would also take the separators U+001C to U+001F.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
PRODUCT = ("title", "brand", "attributes", "type_path", "description")
# These name an entity; the others add detail and are cut before them.
NAMING = ("text", "title")
# Of a type path the end says most: it is cut at its start.
CUT_AT_START = ("type_path",)


class PairEncoder:
    """Writes pairs as rows of token ids."""

    def __init__(self, folder="."):
        folder = Path(folder)
        config = json.loads((folder / "sextant_pair.json").read_text(encoding="utf-8"))
        if config["format"] != 1:
            raise ValueError(f"sextant_pair.json has format {config['format']}, this file reads 1: take both from one export")
        self.config = config
        self.max_tokens = config["max_tokens"]
        self.templates = {side: parse(config[side]["template"]) for side in ("left", "right")}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.tokenizer.encode_special_tokens = True

    def __call__(self, pairs):
        """The model's inputs for some pairs: for each input a list of rows, padded on the right."""
        rows = self.rows(pairs)
        longest = max((len(ids) for ids, _ in rows), default=0)
        fill = lambda values, by: values + [by] * (longest - len(values))
        inputs = {
            "input_ids": [fill(ids, self.config["pad_id"]) for ids, _ in rows],
            "attention_mask": [fill([1] * len(ids), 0) for ids, _ in rows],
            "token_type_ids": [fill(segments, 0) for _, segments in rows],
        }
        return {name: inputs[name] for name in self.config["inputs"]}

    def rows(self, pairs):
        """For each pair its token ids and the segment of each token, without padding."""
        rendered = []
        for number, pair in enumerate(pairs):
            for side, entity in zip(("left", "right"), pair, strict=True):
                try:
                    rendered.append(self.render(side, entity))
                except ValueError as error:
                    raise ValueError(f"pair {number} (counted from 0), {side}: {error}") from None
        texts = ["".join(text for text, _ in spans) for spans in rendered]
        encodings = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        sides = [divide(spans, encoding) for spans, encoding in zip(rendered, encodings)]
        for number, spans in enumerate(sides):
            if not any(field in NAMING and ids for field, ids in spans):
                side = ("left", "right")[number % 2]
                raise ValueError(f"pair {number // 2} (counted from 0), {side}: the tokenizer finds nothing in {texts[number]!r}")
        return [self.row(*sides[first : first + 2]) for first in range(0, len(sides), 2)]

    def render(self, side, entity):
        """An entity as spans of text, each with the field that it shows, `None` for the template's own text."""
        fields = values(entity, self.config[side]["kind"])
        prefix = self.config["prefix"] if side == "left" else ""
        spans = [(prefix + " ", None)] if prefix else []
        first = True
        for part in self.templates[side]:
            shown = [(fields[piece], piece) if is_field else (piece, None) for is_field, piece in part]
            places = [text for text, field in shown if field]
            if places and not any(places):
                continue
            spans += ([] if first else [(SEPARATOR, None)]) + [(text, field) for text, field in shown if text]
            first = False
        return spans

    def row(self, left, right):
        """One row of the spans of both sides, cut to `max_tokens`."""
        open_, between, close = (self.config[name] for name in ("open", "between", "close"))
        spans = left + right
        fixed = len(open_ + between + close) + sum(len(ids) for field, ids in spans if not field)
        lengths = [(len(ids), field in NAMING) for field, ids in spans if field]
        keep = iter(kept(lengths, self.max_tokens - fixed, self.max_tokens // 4))
        joined = []
        for side in (left, right):
            joined.append([])
            for field, ids in side:
                if field:
                    count = next(keep)
                    ids = ids[len(ids) - count :] if field in CUT_AT_START else ids[:count]
                joined[-1] += ids
        first, second = open_ + joined[0] + between, joined[1] + close
        return first + second, [0] * len(first) + [self.config["right_segment"]] * len(second)


def kept(fields, room, floor):
    """How many tokens each field keeps, so that all together have at most `room`.

    The longest field gives way first, token by token; of equally long ones the later. Fields that name an
    entity are kept up to `floor` tokens as long as others have anything to give, and never lost whole.
    """
    tokens = [count for count, _ in fields]
    for least in (max(floor, 1), 1):
        floors = [min(count, least if naming else 0) for count, (_, naming) in zip(tokens, fields)]
        cut_to = lambda level: [min(count, max(level, low)) for count, low in zip(tokens, floors)]
        if sum(tokens) <= room:
            return tokens
        low, high = 0, max(tokens)  # the lowest level at which the fields still fill the room
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if sum(cut_to(middle)) >= room else (middle + 1, high)
        at_level = cut_to(low)
        excess = sum(at_level) - room
        if excess > 0:
            for i in reversed(range(len(tokens))):
                if excess > 0 and at_level[i] == low > floors[i]:
                    at_level[i] -= 1
                    excess -= 1
        tokens = at_level
    if sum(tokens) > room:
        raise ValueError("the template takes more tokens than a row has: too long a prefix or template for max_tokens")
    return tokens


def divide(spans, encoding):
    """Gives each token of a text to the span in which it ends."""
    ends, end = [], 0
    for text, _ in spans:
        end += len(text)
        ends.append(end)
    divided = [(field, []) for _, field in spans]
    place = 0
    for token, (_, end) in zip(encoding.ids, encoding.offsets):
        while place > 0 and ends[place - 1] >= end:
            place -= 1
        while place < len(ends) and ends[place] < end:
            place += 1
        if place < len(ends):
            divided[place][1].append(token)
    return divided


def parse(template):
    """A template as parts, each a list of (is a field, text or name)."""
    parts = []
    for part in template.split(SEPARATOR):
        pieces, rest = [], part
        while rest:
            literal, _, after = rest.partition("{")
            name, _, rest = after.partition("}")
            pieces += [(False, literal)] if literal else []
            pieces += [(True, name)] if name else []
        parts.append(pieces)
    return parts


def values(entity, kind):
    """The text of each field of an entity."""
    if isinstance(entity, str):
        fields = dict.fromkeys(PRODUCT, "") | {"text": strip(entity), "title": strip(entity)}
    elif not isinstance(entity, dict):
        raise ValueError(f"expected a text or a product, found {entity!r}")
    elif kind != "product":
        raise ValueError(f"expected the text of a {kind}, found a product")
    else:
        entity = {key: value for key, value in entity.items() if value is not None}
        unknown = sorted(entity.keys() - set(PRODUCT))
        if unknown or "title" not in entity:
            raise ValueError(f"a product has a title and may have {', '.join(PRODUCT[1:])}; found {sorted(entity)}")
        path = [strip(node) for node in entity.get("type_path", []) if node is not None]
        fields = {key: strip(entity.get(key, "")) for key in ("title", "brand", "description")}
        fields["type_path"] = " > ".join(node for node in path if node)
        fields["attributes"] = attributes(entity.get("attributes", []))
    if not fields["title"]:
        raise ValueError("the text is empty")
    return fields


def attributes(given):
    """Named properties as `name: value, …`, those without a value left out."""
    if isinstance(given, dict):
        given = given.items()
    given = [item for item in given if item is not None]
    pairs = [(item["name"], item["value"]) if isinstance(item, dict) else item for item in given]
    pairs = [(strip(name), strip(number(value))) for name, value in pairs if value is not None]
    return ", ".join(f"{name}: {value}" if name else value for name, value in pairs if value)


def number(value):
    """A number or truth value as JSON texts of training were read; anything else as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if -(2**63) <= value < 2**64:
            return str(value)
        value = float(value)
    if not isinstance(value, float):
        return value
    plain = repr(value)
    if "e" not in plain:
        return plain
    digits, exponent = plain.split("e")
    if exponent == "-05":
        return f"{digits[:-len(digits.lstrip('-'))]}0.0000{digits.lstrip('-').replace('.', '')}"
    return f"{digits}e{int(exponent):+d}"


def strip(text):
    if not isinstance(text, str):
        raise ValueError(f"expected a text, found {text!r}")
    return text.strip(WHITE_SPACE)
