#!/usr/bin/env python3
"""Writes what the Python references make of small cases: class.json, regression.json, text.json, bootstrap.json.

  python3 -m venv venv
  venv/bin/pip install scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 sacrebleu==2.6.0 rouge-score==0.1.2 transformers==4.57.6
  venv/bin/python train/metric/testdata/golden.py            # writes beside itself
  venv/bin/python train/metric/testdata/golden.py --check    # compares with fresh values, writes nothing

transformers is there for SQuAD's normalisation alone. Inputs are rounded to float32, measures are in float64.
NaN is written as null.
"""
import json
import math
import os
import sys
import warnings

import numpy as np
import sacrebleu
from rouge_score import rouge_scorer
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh
from scipy import special, stats
from sklearn import metrics as sk
from transformers.data.metrics.squad_metrics import normalize_answer

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))


def f32(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def ece(conf, right, n):
    """Guo et al., arXiv:1706.04599, equation 3, bins (lo, hi]."""
    sum = 0.0
    for lo, hi in zip(np.linspace(0, 1, n + 1)[:-1], np.linspace(0, 1, n + 1)[1:]):
        rows = (conf > lo) & (conf <= hi)
        if rows.any():
            sum += rows.mean() * abs(right[rows].mean() - conf[rows].mean())
    return sum


def class_case(name, logits, target, ties=False):
    """logits (rows, cols); one column is the logit of class 1."""
    logits, target = f32(logits), np.asarray(target)
    cols = logits.shape[1]
    if cols == 1:
        p1 = special.expit(logits[:, 0])
        proba = np.stack([1 - p1, p1], 1)
        pred = (p1 >= 0.5).astype(int)
    else:
        proba = special.softmax(logits, axis=1)
        pred = logits.argmax(1)
    keep = target >= 0
    t, p, q, z = target[keep], pred[keep], proba[keep], logits[keep]
    classes = list(range(proba.shape[1]))
    w = {"accuracy": sk.accuracy_score(t, p), "mcc": sk.matthews_corrcoef(t, p),
         "log_loss": sk.log_loss(t, q, labels=classes)}
    for avg in "micro", "macro", "weighted":
        w["precision_" + avg] = sk.precision_score(t, p, average=avg, zero_division=0)
        w["recall_" + avg] = sk.recall_score(t, p, average=avg, zero_division=0)
        w["f1_" + avg] = sk.f1_score(t, p, average=avg, zero_division=0)
    w["f1_1"] = sk.f1_score(t, p, labels=classes, average=None, zero_division=0)[1]
    w["precision_0"] = sk.precision_score(t, p, labels=classes, average=None, zero_division=0)[0]
    w["recall_0"] = sk.recall_score(t, p, labels=classes, average=None, zero_division=0)[0]
    conf, right = q[np.arange(len(t)), p], p == t
    w["ece15"], w["ece3"] = ece(conf, right, 15), ece(conf, right, 3)
    areas, precisions = [], []
    for c in ([1] if cols <= 2 else classes):
        positive = t == c
        if positive.any():
            precisions.append(sk.average_precision_score(positive, q[:, c]))
            if not positive.all():
                areas.append(sk.roc_auc_score(positive, q[:, c]))
    w["auroc"] = np.mean(areas) if areas else math.nan
    w["pr_auc"] = np.mean(precisions) if precisions else math.nan
    if cols > 2 and len(set(t)) == cols:  # the reference as a whole
        assert abs(w["auroc"] - sk.roc_auc_score(t, q, multi_class="ovr")) < 1e-12
        assert abs(w["pr_auc"] - sk.average_precision_score(t, q)) < 1e-12
    if cols > 2 and not ties:
        w["top2"] = sk.top_k_accuracy_score(t, z, k=2, labels=classes)
    return {"name": name, "cols": cols, "logits": logits.ravel().tolist(), "target": target.tolist(), "want": w,
            "confusion": sk.confusion_matrix(t, p, labels=classes).tolist()}


def class_cases():
    r = np.random.default_rng(6)
    two = r.integers(0, 2, 40)
    four = r.integers(0, 4, 60)
    hit = np.eye(4)[four] * 1.5 + r.normal(size=(60, 4))
    holes = np.where(r.random(60) < 0.2, -1, four)
    return [
        class_case("one column", (two * 2 - 1 + r.normal(size=40) * 1.5)[:, None], two),
        class_case("two columns", np.eye(2)[two] + r.normal(size=(40, 2)), two),
        class_case("binary ties", np.round(two + r.normal(size=40))[:, None], two),
        class_case("four classes", hit, four),
        class_case("ignored rows", hit, holes),
        class_case("ties", np.round(hit), four, ties=True),
        class_case("absent target", hit, np.where(four == 2, 3, four)),
        class_case("absent altogether", hit - [0, 0, 50, 0], np.where(four == 2, 3, four)),
        class_case("one class only", hit, np.full(60, 1)),
        class_case("one class only, binary", r.normal(size=(9, 1)), np.zeros(9, int)),
        class_case("perfect", np.eye(4)[four] * 9, four, ties=True),
        class_case("worst", -np.eye(4)[four] * 9, four, ties=True),
        class_case("sure and wrong", np.eye(4)[four] * -1000, four, ties=True),
        class_case("no answer of a class", np.stack([np.ones(6), np.zeros(6)], 1), [0, 1, 0, 1, 1, 1]),
        class_case("one row", [[0.25, 2, -1]], [1]),
    ]


def none_case():
    """Predictions of no class (-1), as a generated answer may be."""
    t = [0, 0, 1, 1, 2, 2, 2, 0]
    p = [0, -1, 1, 2, 2, -1, 2, 1]
    labels = [0, 1, 2]
    w = {"mcc": sk.matthews_corrcoef(t, p), "accuracy": sk.accuracy_score(t, p)}
    for avg in "micro", "macro", "weighted":
        w["precision_" + avg] = sk.precision_score(t, p, labels=labels, average=avg)
        w["recall_" + avg] = sk.recall_score(t, p, labels=labels, average=avg)
        w["f1_" + avg] = sk.f1_score(t, p, labels=labels, average=avg)
    return {"target": t, "pred": p, "want": w}


def multilabel_case():
    """Four labels, the last of no row."""
    r = np.random.default_rng(9)
    t = (r.random((30, 4)) < [0.5, 0.2, 0.7, 0]).astype(int)
    z = f32((t * 2 - 1) + r.normal(size=(30, 4)) * 1.5)
    p, q = (z >= 0).astype(int), special.expit(z)
    w = {"labels_auroc": sk.roc_auc_score(t[:, :3], q[:, :3], average="macro"), "all_auroc": sk.roc_auc_score(t, q, average="micro"),
         "labels_pr_auc": sk.average_precision_score(t[:, :3], q[:, :3], average="macro"), "all_pr_auc": sk.average_precision_score(t, q, average="micro"),
         "all_top1": (t == p).mean(), "labels_log_loss": np.mean([sk.log_loss(a, b, labels=[0, 1]) for a, b in zip(t.T, q.T)])}
    for key, avg in ("labels_", "macro"), ("all_", "micro"):
        w[key + "f1_1"] = sk.f1_score(t, p, average=avg, zero_division=0)
        w[key + "precision_1"] = sk.precision_score(t, p, average=avg, zero_division=0)
        w[key + "recall_1"] = sk.recall_score(t, p, average=avg, zero_division=0)
    return {"cols": 4, "logits": z.ravel().tolist(), "target": t.ravel().tolist(), "want": w}


def regression_case(name, pred, target):
    pred, target = f32(pred), f32(target)
    if pred.ndim == 1:
        pred, target = pred[:, None], target[:, None]
    many = len(pred) > 1

    def each(f):
        return np.mean([f(p, t) for p, t in zip(pred.T, target.T)])
    return {"name": name, "cols": pred.shape[1], "pred": pred.ravel().tolist(), "target": target.ravel().tolist(), "want": {
        "rmse": sk.root_mean_squared_error(target, pred), "mse": sk.mean_squared_error(target, pred),
        "mae": sk.mean_absolute_error(target, pred), "r2": sk.r2_score(target, pred) if many else math.nan,
        "pearson": each(lambda p, t: stats.pearsonr(p, t)[0]) if many else math.nan,
        "spearman": each(lambda p, t: stats.spearmanr(p, t)[0]) if many else math.nan}}


def regression_cases():
    r = np.random.default_rng(7)
    x = r.normal(size=30)
    return [
        regression_case("plain", x + r.normal(size=30) * 0.5, x),
        regression_case("columns", r.normal(size=(20, 3)), r.normal(size=(20, 3))),
        regression_case("ties", np.round(x + r.normal(size=30)), np.round(x)),
        regression_case("large mean", 1e6 + x + r.normal(size=30) * 0.5, 1e6 + x),
        regression_case("perfect", x, x),
        regression_case("worst order", -x, x),
        regression_case("constant prediction", np.ones(5), np.arange(5)),
        regression_case("constant target", np.arange(5), np.ones(5)),
        regression_case("constant and hit", np.ones(5), np.ones(5)),
        regression_case("one row", [1], [2]),
        regression_case("two rows", [1, 3], [2, 1]),
    ]


EN = [
    ("The cat sat on the mat.", ["The cat sat on the mat.", "A cat was sitting on the mat."]),
    ("It costs $3,000.50 (approx.), i.e. 10% more than 2019-20.", ["It cost $3,000.50, approx. 10% more than in 2019-20."]),
    ("&quot;Well&quot; &amp;lt;b&amp;gt; said R&amp;D", ['"Well" <b> said R&D']),
    ("state-\nof-the-art line\nbreak <skipped> 5-6 a-b x.5 5.x ,5 5,", ["state of-the-art line break 5-6 a-b x.5 5.x, 5 5,"]),
    ("don't `stop' [now] {or} ~never~ a/b c@d e^f g_h", ["don't 'stop' (now) {or} never a / b c@d e^f g_h"]),
    ("Stra\u00dfe \u0130stanbul na\u00efve caf\u00e9\u3000\u2028wide\u001cspace \u212a5", ["Stra\u00dfe istanbul naive caf\u00e9 wide space k5"]),
    ("the the the the the the", ["the cat the dog", "the the"]),
    ("an answer", ["The answer, a long one", "answer"]),
    ("", ["Empty text"]),
    ("Empty reference", [""]),
    ("", [""]),
    ("a b c d e f g h i j", ["a b c d e f g h i j k l", "a b c d e f g h"]),
    ("theatre anthem a\u0301the \u00e9a", ["theatre   anthem \u0301 \u00e9a."]),
    ("the2 a1 \u0301the\u0301 a\u0967", ["2 1 \u0301\u0301", "the2 a1 \u0301 \u0301"]),
]
ZH = [
    ("\u6211\u6628\u5929\u53bb\u4e86\u5317\u4eac\uff0c\u5929\u6c14\u5f88\u597d\u3002", ["\u6628\u5929\u6211\u53bb\u4e86\u5317\u4eac\uff0c\u5929\u6c14\u5f88\u597d\u3002"]),
    ("\u4ed6\u8bf4\uff1a\u201c\u4f60\u597d\u2026\u2026\u201dGPT-2 \u6709 1.5B \u53c2\u6570", ["\u4ed6\u8bf4\u201c\u4f60\u597d\u2026\u201d\uff0cGPT-2\u6709 1.5B \u4e2a\u53c2\u6570"]),
    ("\u8fd9\u662f\u4ec0\u4e48?", ["\u90a3\u662f\u4ec0\u4e48\uff1f", "\u8fd9\u662f\u4ec0\u4e48\uff1f"]),
    ("\U00020000\U00020001 \u2460\u2603 \u304b\u306a \u3131 \u2019s", ["\U00020000 \u2460\u2603\u304b\u306a's"]),
    ("  \u8c01  ", ["\u8c01"]),
]
SHORT = [("a b c", ["a b c"]), ("d", ["d"])]
NOTHING = [("x y z w", ["a b c d"])]
PARTLY = [("a b x c d y", ["a b q c d r"])]  # no match of order 3 and 4
CORPORA = {"english": EN, "chinese": ZH, "short": SHORT, "nothing": NOTHING, "partly": PARTLY, "perfect": [EN[0]]}


class Chars:
    def tokenize(self, text):
        return [c for c in text.lower() if not c.isspace()]


def sacre(metric, pairs):
    most = max(len(refs) for _, refs in pairs)
    streams = [[refs[i] if i < len(refs) else None for _, refs in pairs] for i in range(most)]
    return metric.corpus_score([hyp for hyp, _ in pairs], streams).score


def text_measures(pairs):
    w = {"bleu": sacre(sacrebleu.BLEU(), pairs), "bleu_zh": sacre(sacrebleu.BLEU(tokenize="zh"), pairs), "chrf": sacre(sacrebleu.CHRF(), pairs)}
    words = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    chars = rouge_scorer.RougeScorer(["rougeL"], tokenizer=Chars())
    scores = [words.score_multi(refs, hyp) for hyp, refs in pairs]
    for k in "rouge1", "rouge2", "rougeL":
        w[k] = np.mean([s[k].fmeasure for s in scores])
    w["rougeL_chars"] = np.mean([chars.score_multi(refs, hyp)["rougeL"].fmeasure for hyp, refs in pairs])
    w["exact"] = np.mean([hyp in refs for hyp, refs in pairs])
    w["exact_squad"] = np.mean([normalize_answer(hyp) in map(normalize_answer, refs) for hyp, refs in pairs])
    return w


def ranges(test):
    out = []
    for c in range(0x30000):
        if test(chr(c)):
            if out and out[-1][1] == c - 1:
                out[-1][1] = c
            else:
                out.append([c, c])
    return out


def text_cases():
    cases = []
    for name, pairs in CORPORA.items():
        cases.append({"name": name, "hyps": [h for h, _ in pairs], "refs": [r for _, r in pairs], "want": text_measures(pairs)})
    for i, pair in enumerate(EN + ZH):
        cases.append({"name": f"segment {i}", "hyps": [pair[0]], "refs": [pair[1]], "want": text_measures([pair])})
    lines = [t for hyp, refs in EN + ZH for t in [hyp] + refs]
    return {"cases": cases, "chinese": ranges(TokenizerZh._is_chinese_char), "space": ranges(str.isspace),
            "lines": lines, "tok13a": [Tokenizer13a()(s.rstrip()) for s in lines], "zh": [TokenizerZh()(s.rstrip()) for s in lines],
            "squad": [normalize_answer(s) for s in lines]}


def bootstrap_cases():
    """Percentiles; and the exact p of the paired bootstrap of a mean whose rows differ by +1, -1 or 0: the distribution
    of the sum of n draws by repeated convolution, p = P(|S - d n| >= |d| n)."""
    r = np.random.default_rng(8)
    x = r.normal(size=1000)
    percentiles = [{"values": v.tolist(), "lo": np.percentile(v, 2.5), "hi": np.percentile(v, 97.5)} for v in (np.round(x[:101], 3), x[:2], x[:1])]
    tests = []
    for n, plus, minus in (100, 6, 2), (100, 10, 0), (50, 3, 3), (40, 0, 0), (200, 14, 4), (60, 1, 4):
        one = np.array([minus, n - plus - minus, plus]) / n  # -1, 0, 1
        d = np.ones(1)
        for _ in range(n):
            d = np.convolve(d, one)
        s, diff = np.arange(-n, n + 1), plus - minus
        tests.append({"n": n, "plus": plus, "minus": minus, "p": d[np.abs(s - diff) >= abs(diff)].sum()})
    means = np.round(x[:50] * 2 + 5, 3)
    b = stats.bootstrap((means,), np.mean, n_resamples=100000, method="percentile", rng=1).confidence_interval
    return {"percentiles": percentiles, "tests": tests, "mean": {"values": means.tolist(), "lo": b.low, "hi": b.high, "sem": stats.sem(means)}}


def plain(x):
    """JSON's values: NaN as None, NumPy's numbers as Python's."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    if isinstance(x, (bool, str)):
        return x
    if isinstance(x, (int, np.integer)):
        return int(x)
    return None if math.isnan(x) else float(x)


FILES = {"class.json": lambda: {"cases": class_cases(), "none": none_case(), "multilabel": multilabel_case()}, "regression.json": regression_cases,
         "text.json": text_cases, "bootstrap.json": bootstrap_cases}

if __name__ == "__main__":
    bad = 0
    for name, make in FILES.items():
        got, path = json.dumps(plain(make()), separators=(",", ":")) + "\n", os.path.join(HERE, name)
        if "--check" not in sys.argv:
            open(path, "w").write(got)
        elif open(path).read() != got:
            bad += 1
            print(f"{name} differs from fresh values")
    sys.exit(bad)
