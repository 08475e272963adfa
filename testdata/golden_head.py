#!/usr/bin/env python3
"""Makes train/lpft/testdata/head.json: linear heads that scikit-learn fits to small random features.

  python3 -m venv venv && venv/bin/pip install scikit-learn==1.9.1 numpy
  venv/bin/python testdata/golden_head.py

For each case: x (40, 6), y, the weight of each example, C; scikit-learn's LogisticRegression (softmax of 3 classes; one a label) or
Ridge on standardised features, and what it says of x: probabilities or values. Fixed seeds.
"""
import json
import os

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train", "lpft", "testdata", "head.json")


def main():
    r, cases = numpy.random.RandomState(3), []
    x = r.normal(size=(40, 6)) * [1, 10, 0.1, 1, 3, 1] + [0, 5, 1, -20, 0, 0]
    z = StandardScaler().fit_transform(x)
    scores = z @ r.normal(size=(6, 3)) + r.gumbel(size=(40, 3))
    weight = r.choice([0.5, 1.0, 2.0], size=40)
    weight /= weight.mean()
    for c in (0.01, 1):
        m = LogisticRegression(C=c, tol=1e-10, max_iter=10000).fit(z, scores.argmax(1), sample_weight=weight)
        cases.append(("softmax", c, numpy.eye(3)[scores.argmax(1)], m.predict_proba(z)))
        labels = (scores[:, :2] > 0).astype(float)
        p = [LogisticRegression(C=c, tol=1e-10, max_iter=10000).fit(z, labels[:, k], sample_weight=weight).predict_proba(z)[:, 1] for k in range(2)]
        cases.append(("logistic", c, labels, numpy.stack(p, 1)))
        y = scores[:, :1]
        cases.append(("identity", c, y, Ridge(alpha=1 / c).fit(z, y, sample_weight=weight).predict(z).reshape(40, 1)))
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w") as f:
        json.dump({"made_by": "testdata/golden_head.py (scikit-learn %s)" % sklearn.__version__, "x": x.tolist(), "weight": weight.tolist(),
                   "cases": [{"link": l, "c": c, "y": y.tolist(), "want": w.tolist()} for l, c, y, w in cases]}, f, separators=(",", ":"))


if __name__ == "__main__":
    main()
