from sg_train.corpus.splitting import split_text, split_texts
from sg_train.corpus.tokenizer import WhitespaceTokenizer


def test_an_unfinished_line_says_so() -> None:
    fold = WhitespaceTokenizer().fold
    assert split_text(b"a b\n", fold).ends_line
    unfinished = split_text(b"a b\nc ", fold)
    assert not unfinished.ends_line
    assert len(unfinished.line_starts) == 3


def test_threads_keep_the_order() -> None:
    chunks = [f"w{i} x\n".encode() * (1 + 1000 * (i % 3 == 0)) for i in range(20)]
    fold = WhitespaceTokenizer().fold
    firsts = [text.tokens[0] for text in split_texts(chunks, fold, threads=3)]
    assert firsts == [f"w{i}" for i in range(20)]
