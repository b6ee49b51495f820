#!/usr/bin/env python3
"""Makes table.bin and wordpiece.jsonl from all-MiniLM-L6-v2. README.md says how to run it.

    distill.py --model FOLDER --wordnet FOLDER --out FOLDER [--cache FOLDER] [--sts FOLDER]

1. Every token t of the vocabulary goes through the model as [CLS] t [SEP]; its vector is the mean of
   the three outputs, less the mean over all words.
2. The glosses and examples of WordNet go through the model as well. The principal components of
   their vectors are the 256 dimensions that are kept.
3. Each token's vector is weighted down the more frequent the token is (SIF; Arora et al., "A Simple
   but Tough-to-Beat Baseline for Sentence Embeddings", 2017). The vocabulary is ordered by frequency,
   so that its rank tells the frequency (Zipf).
4. The table is moved, by ridge regression, to where the sum of a text's tokens over the root of
   their number is nearest to the model's vector of the text.
5. Each row is rounded to int8 with a scale of its own.
"""
import argparse, json, os, random, re, struct
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
from safetensors.numpy import load_file
from scipy.special import erf
from scipy.stats import spearmanr
from tokenizers import Tokenizer

DIMS = 256
HEADS = 12
CLS, SEP = 101, 102
WORDS_FROM = 1996  # the first token of the vocabulary that is a word; before it are single characters
CHARS_FROM = 999  # before it are tokens without a text, such as [PAD] and [unused0]
MARKS_TO = 1031  # ASCII marks of punctuation, digits and letters lie between the two
TEXTS = 40_960
SIF = 1e-4
RIDGE = 0.2
STEPS = 25


class Model:
    """The transformer: BERT with 6 layers of 384."""

    def __init__(self, folder):
        read = load_file(folder / "model.safetensors")
        self.w = {name.removeprefix("bert."): np.float32(value) for name, value in read.items()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-12))
        return x * self.w[name + ".weight"] + self.w[name + ".bias"]

    def outputs(self, ids, mask):
        count, length = ids.shape
        e = "embeddings."
        x = self.w[e + "word_embeddings.weight"][ids]
        x = x + self.w[e + "position_embeddings.weight"][:length]
        x = x + self.w[e + "token_type_embeddings.weight"][0]
        x = self.norm(x, e + "LayerNorm")
        hidden = np.where(mask[:, None, None, :] > 0, np.float32(0), np.float32(-1e9))
        split = lambda y: y.reshape(count, length, HEADS, -1).transpose(0, 2, 1, 3)
        for layer in range(6):
            at = f"encoder.layer.{layer}."
            q, k, v = (split(self.linear(x, at + "attention.self." + n)) for n in ("query", "key", "value"))
            scores = q @ k.transpose(0, 1, 3, 2) / np.float32(np.sqrt(q.shape[-1])) + hidden
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            y = (scores @ v).transpose(0, 2, 1, 3).reshape(count, length, -1)
            x = self.norm(self.linear(y, at + "attention.output.dense") + x, at + "attention.output.LayerNorm")
            y = self.linear(x, at + "intermediate.dense")
            y = y * np.float32(0.5) * (1 + erf(y / np.float32(np.sqrt(2))))
            x = self.norm(self.linear(y, at + "output.dense") + x, at + "output.LayerNorm")
        return x

    def tokens(self):
        """One vector a token: the mean of the outputs of [CLS] t [SEP]."""
        count = self.w["embeddings.word_embeddings.weight"].shape[0]
        parts = []
        for start in range(0, count, 1024):
            ids = np.array([[CLS, t, SEP] for t in range(start, min(start + 1024, count))])
            parts.append(self.outputs(ids, np.ones(ids.shape, np.float32)).mean(1))
        return np.concatenate(parts)

    def texts(self, texts, batch=128):
        """One vector of length one a text: the mean of the outputs of its tokens."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        result = np.zeros((len(texts), 384), np.float32)
        for start in range(0, len(texts), batch):
            chosen = order[start : start + batch]
            encoded = [self.tokenizer.encode(texts[i]).ids[:256] for i in chosen]
            ids = np.zeros((len(encoded), max(map(len, encoded))), int)
            mask = np.zeros(ids.shape, np.float32)
            for row, tokens in enumerate(encoded):
                ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
            sums = (self.outputs(ids, mask) * mask[:, :, None]).sum(1)
            result[chosen] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return result


def wordnet(folder):
    """Glosses and examples of WordNet in an order that is always the same. Three kinds are
    shuffled together: examples, glosses, and glosses with their word; the last are not used."""
    found = set()
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text("utf8", "replace").split("\n"):
            if line.startswith("  ") or "|" not in line:
                continue
            head, gloss = line.split("|", 1)
            word = head.split()[4].replace("_", " ").split("(")[0]
            gloss = gloss.strip()
            found.update(("e", e.strip()) for e in re.findall(r'"([^"]+)"', gloss) if len(e.split()) >= 3)
            meaning = re.sub(r'"[^"]*"', "", gloss).strip(" ;")
            if meaning:
                found.update([("d", meaning), ("w", f"{word}: {meaning}")])
    found = sorted(found)
    random.Random(1).shuffle(found)
    examples = [text for kind, text in found if kind == "e"][:40_000]
    meanings = [text for kind, text in found if kind == "d" and len(text) < 160][:30_000]
    texts = examples + meanings
    random.Random(2).shuffle(texts)
    return texts[:TEXTS]


def fit(texts, targets, start, ridge):
    """The table E nearest to `start` with texts @ E near `targets`, by conjugate gradients."""
    made = texts @ start
    start = start * ((made * targets).sum() / (made * made).sum())
    residual = texts.T @ (targets - texts @ start)
    scale = (1 / (np.asarray(texts.multiply(texts).sum(0)).ravel() + ridge))[:, None]
    moved = np.zeros_like(start)
    y = scale * residual
    direction, before = y.copy(), (residual * y).sum(0)
    for _ in range(STEPS):
        a = texts.T @ (texts @ direction) + ridge * direction
        step = before / ((direction * a).sum(0) + 1e-30)
        moved += step * direction
        residual -= step * a
        y = scale * residual
        after = (residual * y).sum(0)
        direction = y + after / (before + 1e-30) * direction
        before = after
    return start + moved


def frequency_weights(count):
    rank = np.maximum(np.arange(count) - WORDS_FROM + 1, 1)
    share = 1 / rank / (np.log(count) + 0.577)
    weights = SIF / (SIF + share)
    # Single characters stand before the words and tell nothing by their rank.
    weights[:WORDS_FROM] = weights[2500]
    weights[CHARS_FROM:MARKS_TO] = 0.3 * weights[WORDS_FROM]
    return weights


def table(model, tokens, vectors, texts):
    ids = [model.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    lengths = np.array([len(i) for i in ids])
    rows = np.repeat(np.arange(len(ids)), lengths)
    counts = (1 / np.sqrt(lengths))[rows]
    bags = sparse.csr_matrix((counts, (rows, np.concatenate(ids))), shape=(len(ids), len(tokens)))
    targets = np.float64(vectors) - vectors.mean(0, dtype=np.float64)
    _, _, components = np.linalg.svd(targets, full_matrices=False)
    kept = components[:DIMS].T
    start = (tokens - tokens[WORDS_FROM:].mean(0, dtype=np.float64)) @ kept
    start *= frequency_weights(len(tokens))[:, None]
    return fit(bags, targets @ kept, start, RIDGE)


def quantise(rows):
    scales = np.float32(np.abs(rows).max(1) / 127)
    numbers = np.rint(rows / scales[:, None]).clip(-127, 127).astype(np.int8)
    return scales, numbers


def correlation(model, rows, folder, part):
    lines = (folder / f"sts-{part}.csv").read_text("utf8").rstrip("\n").split("\n")
    fields = [line.split("\t") for line in lines]
    encode = lambda text: [t for t in model.tokenizer.encode(text, add_special_tokens=False).ids if t >= CHARS_FROM]
    sides = [np.array([rows[encode(f[side])].mean(0) for f in fields]) for side in (5, 6)]
    a, b = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    return spearmanr([float(f[4]) for f in fields], (a * b).sum(1))[0]


FIXTURE = [
    "The user prefers dark mode.", "don't  stop\tme\r\nnow", "unaffable embeddings tokenised", "a" * 100, "a" * 101,
    "Crème brûlée à la carte", "e\u0301clair and Ångström", "İstanbul IĞDIR ǅ", "naïve façade Straße ﬁne", "ΑΒΓ Ωμέγα ς",
    "ПРИВЕТ, мир! ёлка й", "日本語のテキスト", "東京 is 東京都", "漢字とかな交じり文", "한국어 텍스트", "中文文本，测试。", "豈\ufa0e\U00020000𪜀",
    "مرحبا بالعالم", "שָׁלוֹם עולם", "हिन्दी में पाठ", "ภาษาไทย", "বাংলা", "\u202eright to left\u202c", "zero\u200bwidth\u00adsoft\ufeff",
    "🎉", "👍🏽 nice 👩‍👩‍👧", "I ❤ this ✓ done", "♥♦ ☃ ★", "#hash @user user@example.com", "https://example.com/a?b=c&d=1", "C++ vs C# vs .NET 8.0",
    "snake_case camelCase kebab-case", "$12.50 €30 £7 ¥100", "50% of 1,000,000", "2024-01-31T12:00:00Z", "x\x00y\x07z\x7f\x0b\x0c", "a\u0085b\u2028c\u00a0d\u3000e",
    "\ufffd\ue000private", "“quoted” ‘text’ — dash…", "«guillemets» ¿qué? ¡sí!", "", "   ", "...", "##ing ## #", "supercalifragilisticexpialidocious",
    "qwertzuiopasdfghjkl", "½ ² ③ Ⅳ ℃ ™", "ﷺ ㎏ ｆｕｌｌ ｗｉｄｔｈ", "the [bracketed] (text) {here} <tag> `tick` ^ ~ |", "ẞ ŉ ǆ ΐ", "Łódź Øre Đặng Nguyễn",
    "ok" * 60, "日" * 120, "été" * 40,
]


def write(model, rows, out):
    by_id = {number: token for token, number in model.tokenizer.get_vocab().items()}
    kept = [t for t in range(CHARS_FROM, len(rows)) if not re.fullmatch(r"\[\w+\]", by_id[t])]
    scales, numbers = quantise(rows[kept])
    words = "".join(by_id[t] + "\n" for t in kept).encode()
    with open(out / "table.bin", "wb") as file:
        file.write(b"mnshtok1" + struct.pack("<III", len(kept), DIMS, len(words)))
        file.write(scales.astype("<f4").tobytes() + numbers.tobytes() + words)
    with open(out / "wordpiece.jsonl", "w", encoding="utf8") as file:
        for text in FIXTURE:
            tokens = model.tokenizer.encode(text, add_special_tokens=False).tokens
            tokens = [token for token in tokens if token != "[UNK]"]
            file.write(json.dumps({"text": text, "pieces": tokens}, ensure_ascii=True) + "\n")
    restored = np.zeros_like(rows, np.float32)
    restored[kept] = scales[:, None] * numbers
    return restored


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("model", "wordnet", "out"):
        parser.add_argument("--" + name, type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="keeps what the model gave, for the next run")
    parser.add_argument("--sts", type=Path, help="prints the correlation on the STS benchmark in this folder")
    given = parser.parse_args()
    model = Model(given.model)

    def cached(name, make):
        path = given.cache and given.cache / f"{name}.npy"
        if path and path.exists():
            return np.load(path)
        made = make()
        if path:
            os.makedirs(given.cache, exist_ok=True)
            np.save(path, made)
        return made

    texts = wordnet(given.wordnet)
    tokens = cached("tokens", model.tokens)
    vectors = cached("texts", lambda: model.texts(texts))
    restored = write(model, table(model, tokens, vectors, texts), given.out)
    if given.sts:
        for part in ("dev", "test"):
            print(part, round(correlation(model, restored, given.sts, part), 4))


if __name__ == "__main__":
    main()
