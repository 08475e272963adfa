"""Makes small.txt: 8 KB of sentences from a small grammar, for runs that take seconds. python3 testdata/small.py"""
import pathlib
import random

rng = random.Random(1)
nouns = "whale ship sailor storm harbour lantern map anchor".split()
verbs = "follows finds loses carries watches fears".split()
adjectives = "old grey quiet bright broken small".split()

text = ""
while len(text) < 8 << 10:
    subject, verb, thing = rng.choice(nouns), rng.choice(verbs), rng.choice(nouns)
    adjective = rng.choice(adjectives) + " " if rng.random() < 0.5 else ""
    text += f"The {adjective}{subject} {verb} the {thing}.\n"
pathlib.Path(__file__).with_name("small.txt").write_text(text[: 8 << 10])
