"""The words of a PDF that ``studio.pdf`` wrote, page by page: enough of the format for that, and no more."""

import base64
import re
import zlib

OBJECT = re.compile(rb"(\d+) 0 obj\s(.*?)endobj", re.S)
STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.S)
SHOWN = re.compile(rb"/(F[\d+]+) [\d.]+ Tf|\(((?:[^()\\]|\\.)*)\) Tj|(T\*)", re.S)
ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.S)


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page; lines apart by a line break."""
    objects = {int(number): body for number, body in OBJECT.findall(pdf)}
    fonts = {}
    for name, number in re.findall(rb"/(F\d+\+\d+) (\d+) 0 R", pdf):
        table = re.search(rb"/ToUnicode (\d+) 0 R", objects[int(number)])
        pairs = re.findall(rb"<(\w\w)> <(\w{4})>", _stream(objects[int(table[1])]))
        fonts[name] = {int(sign, 16): chr(int(letter, 16)) for sign, letter in pairs}
    (kids,) = re.findall(rb"/Kids \[([^\]]*)\]", pdf)
    contents = [re.search(rb"/Contents (\d+) 0 R", objects[int(kid)])[1] for kid in re.findall(rb"(\d+) 0 R", kids)]
    return [_shown(_stream(objects[int(number)]), fonts) for number in contents]


def text_of(pdf: bytes) -> str:
    """All of it, with single spaces: a sentence that wraps is found in one piece."""
    return " ".join(" ".join(pages_of(pdf)).split())


def _stream(body: bytes) -> bytes:
    data = STREAM.search(body)[1]
    if b"ASCII85" in body[: body.index(b"stream")]:
        data = base64.a85decode(b"<~" + data.strip(), adobe=True)
    return zlib.decompressobj().decompress(data)


def _shown(content: bytes, fonts: dict[bytes, dict[int, str]]) -> str:
    said, letters = [], {}
    for font, text, line in SHOWN.findall(content):
        if font:
            letters = fonts.get(font, {})
        elif line:
            said.append("\n")
        else:
            said.append("".join(letters.get(sign, "?") for sign in _unescaped(text)))
    return "".join(said)


def _unescaped(text: bytes) -> bytes:
    named = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

    def one(found: re.Match[bytes]) -> bytes:
        sign = found[1]
        return bytes([int(sign, 8)]) if len(sign) == 3 else named.get(sign, sign)

    return ESCAPE.sub(one, text)
