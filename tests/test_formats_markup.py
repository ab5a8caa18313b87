import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sg_train.corpus.formats.markup import (
    _drop_before,
    blocks_of,
    read_html,
    read_xml,
)
from sg_train.errors import CorpusError

TEI = 'xmlns="http://www.tei-c.org/ns/1.0"'


def xml(
    text: str | bytes, *fields: str, skip=None, recovers: bool = False
) -> list[str]:
    stream = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    found = read_xml(stream, "f", blocks_of(fields, skip), recovers=recovers)
    return [" ".join(sentence.split()) for sentence in found]


def html(text: str, encoding: str = "utf-8") -> list[str]:
    stream: Any = io.BytesIO(text.encode(encoding))
    found = read_html(io.BufferedReader(stream), "f")
    return [" ".join(sentence.split()) for sentence in found]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("<t><p>one  two\n three</p><p>four</p></t>", ["one two three", "four"]),
        ("<t><p>ex<hi>am</hi>ple</p></t>", ["example"]),
        ("<t><p>one<lb/>two<pb/>three</p></t>", ["one two three"]),
        ('<t><p>ex<lb break="no"/>ample</p></t>', ["example"]),
        ("<t><p><w>one</w><w>two</w><pc>.</pc></p></t>", ["one two ."]),
        ("<t><p><s>one</s><s>two</s></p></t>", ["one", "two"]),
        ("<t><p>a<s>one</s>b</p></t>", ["one", "a b"]),
        ("<t><lg><l>one</l><l>two</l></lg></t>", ["one", "two"]),
        ("<t><p>one<note>no <p>never</p></note>s</p></t>", ["ones"]),
        ("<t><teiHeader><p>no</p></teiHeader><p>one</p></t>", ["one"]),
        (
            "<t><p>a &amp; b &lt; c &#233;<![CDATA[<d>]]><!-- no --></p></t>",
            ["a & b < c é<d>"],
        ),
        ("<t><p/><p> </p><p>one</p></t>", ["one"]),
        (f"<TEI {TEI}><head>A</head><x><p>b</p></x></TEI>", ["A", "b"]),
        (
            '<!DOCTYPE t [<!ENTITY e "one">]><t><p>&e; two</p></t>',
            ["one two"],
        ),
    ],
)
def test_each_block_is_a_sentence(text: str, sentences: list[str]) -> None:
    assert xml(text) == sentences


def test_fields_name_the_elements() -> None:
    text = "<t><title>a</title><p>b</p><body>c <i>d</i></body></t>"
    assert xml(text, "title", "body") == ["a", "c d"]
    assert xml(text, "i") == ["d"]


def test_words_and_their_attributes_can_be_read() -> None:
    text = (
        f'<TEI {TEI}><p><s><w lemma="be">is</w> <w lemma="New York">N</w><w>x</w></s>'
        '<s><w lemma="a">b</w></s></p></TEI>'
    )
    assert xml(text, "w@lemma") == ["be New York", "a"]
    assert xml(text, "w@") == ["is N x", "b"]
    with pytest.raises(CorpusError, match="cannot be combined with other fields"):
        xml(text, "w@lemma", "p")


def test_what_is_skipped_can_be_chosen() -> None:
    text = "<t><p>one<note>two</note></p><fw><p>three</p></fw></t>"
    assert xml(text) == ["one"]
    assert xml(text, skip=[]) == ["onetwo", "three"]
    assert xml(text, "p", skip=["note"]) == ["one", "three"]


def test_the_declared_encoding_is_used() -> None:
    text = '<?xml version="1.0" encoding="{}"?><t><p>čaj é</p></t>'
    for encoding in ("utf-8", "utf-16", "iso-8859-2"):
        assert xml(text.format(encoding).encode(encoding)) == ["čaj é"]
    wrong = text.format("utf-8").encode("iso-8859-2")
    with pytest.raises(CorpusError, match="f, line 1: not well-formed XML"):
        xml(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "<t><p>one</p>",
        "<t><p>one</t>",
        "<t>\n<p>a & b</p></t>",
        "<t><p>&none;</p></t>",
        '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><t><p>&x;</p></t>',
        "<t><p>\0</p></t>",
        "<t><p>" + "x" * 10_100_000 + "</p></t>",
        "<t>" + "<p>" * 300 + "</t>",
    ],
)
def test_faulty_xml_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(CorpusError, match=r"f, line \d: not well-formed XML \("):
        xml(text)


def test_entities_that_grow_are_refused() -> None:
    entities = "".join(
        f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "lol"}">' for i in range(10)
    )
    with pytest.raises(CorpusError, match="amplification"):
        xml(f"<!DOCTYPE t [{entities}]><t><p>&e9;</p></t>")


def test_faults_can_be_read_past() -> None:
    assert xml("<t><p>a & b</p><p>c</t>", recovers=True) == ["a b", "c"]


def test_without_such_elements_those_with_text_are_named() -> None:
    with pytest.raises(
        CorpusError, match=r"no text in the elements p, s, .*with text are body, title;"
    ):
        xml("<t><title>a</title><body>b</body><body>c</body></t>")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("<p>one<p>two&nbsp;three", ["one", "two three"]),
        ("<html><head><title>no</title></head><body>one<br>two</body>", ["one two"]),
        ("<div>a<div>b</div>c</div>", ["b", "a c"]),
        (
            "<ul><li>one<li>t<b>w</b>o</ul><script>no</script><style>p</style>",
            ["one", "two"],
        ),
        ("<table><tr><td>one</td><th>two</th></table>", ["one", "two"]),
        ("<p>un<closed <b>markup</p>&lt;x&gt;<p>next", ["unmarkup", "next", "<x>"]),
    ],
)
def test_html_is_read_as_browsers_do(text: str, sentences: list[str]) -> None:
    assert html(text) == sentences


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1250"])
def test_html_has_the_declared_encoding(encoding: str) -> None:
    text = f"<html><meta charset='{encoding}'><p>čaj</html>"
    assert html(text, encoding) == ["čaj"]


def test_html_without_text_is_refused() -> None:
    with pytest.raises(CorpusError, match="f: HTML without text"):
        html("<html><script>x</script></html>")


names = st.sampled_from(["p", "s", "hi", "div", "note", "l"])
trees = st.recursive(
    st.text("ab ", max_size=5),
    lambda inner: st.tuples(names, st.lists(inner, max_size=4)),
    max_leaves=20,
)


def build(tree) -> str:
    if isinstance(tree, str):
        return tree
    name, inner = tree
    return f"<{name}>{''.join(map(build, inner))}</{name}>"


@given(st.lists(trees, max_size=5))
def test_no_text_of_a_block_is_lost_or_doubled(forest) -> None:
    text = f"<t>{''.join(map(build, forest))}</t>"
    root = etree.fromstring(text)
    for note in root.findall(".//note"):
        note.text = None
        del note[:]
    expected = sum(
        len("".join(block.itertext()).replace(" ", ""))
        for block in root.xpath("//p|//s|//l")
        if not block.xpath("ancestor::p|ancestor::s|ancestor::l")
    )
    if not expected:
        return
    assert sum(len(s.replace(" ", "")) for s in xml(text)) == expected


def test_what_has_been_read_is_dropped() -> None:
    root = etree.fromstring("<t><a/><b><c/><d><p/></d></b><e/></t>")
    _drop_before(root.find(".//d"))
    assert etree.tostring(root) == b"<t><b><d><p/></d></b><e/></t>"


def test_long_documents_are_read_to_their_end() -> None:
    text = "".join(f"<doc><x>no</x><p>n{i} two</p>no</doc>" for i in range(1000))
    assert xml(f"<t>{text}</t>") == [f"n{i} two" for i in range(1000)]
