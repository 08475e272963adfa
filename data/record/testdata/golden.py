"""Writes csv.json: what Python's csv makes of small texts, drawn by seed. Standard library only (made with 3.11).

Line ends within fields are written as LF, and rows without a field are left out, as package record has it. A text that
ends within quotes has no rows: Python takes what there is, and package record refuses it.
"""
import csv, io, json, os, random, re

FIXED = ['a,b\n5" pipe,x\n', 'a\n"x" y\n', 'a\n"x"y"z"\n', 'a\n"x""y"z""w\n', 'a,b\r1,2\r3,4\r', 'a,b\r\n"1\r\n2",3\n\r4,5\r',
         'a\n ""x""\n', 'a,b\n"",""\n', 'a\n"', 'a\n"""', 'a\n""""', 'a\nx"\n"\n', 'a,b\n"1\r2",3\r']


def rows(text):
    end = list(csv.reader(io.StringIO(text + '\n"Z"\n', newline='')))
    if end[-1] != ['Z']:
        return None
    all = csv.reader(io.StringIO(text, newline=''))
    return [[re.sub('\r\n?', '\n', f) for f in row] for row in all if row]


if __name__ == '__main__':
    r = random.Random(1)
    texts = FIXED + [''.join(r.choice('ab,,""\n\r ') for _ in range(r.randrange(1, 16))) for _ in range(600)]
    here = os.path.dirname(os.path.abspath(__file__))
    with open(here + '/csv.json', 'w') as f:
        f.write('[\n' + ',\n'.join(json.dumps({'text': t, 'rows': rows(t)}) for t in texts) + '\n]\n')
