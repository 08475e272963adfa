"""Writes golden.json: what transformers renders for the templates beside this file and for the rows below.

    pip install transformers==4.57.6 jinja2==3.1.6
    python golden.py

templates/*.jinja are written in the format of each published family of models; smollm2.jinja is the one in
SmolLM2-135M-Instruct (tokenizer.chat_template of the GGUF file, Apache-2.0), as it stands there.
"""
import datetime
import json
import pathlib

import jinja2
import transformers
from transformers.utils import chat_template_utils as chats

assert (transformers.__version__, jinja2.__version__) == ("4.57.6", "3.1.6")
HERE = pathlib.Path(__file__).parent


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 5, 4, 3)


chats.datetime = Clock

SYSTEM = {"role": "system", "content": " Answer in <b>one</b> line. "}
USER = {"role": "user", "content": "What's 2 + 2?\n"}
ASSISTANT = {"role": "assistant", "content": "It's \"4\" \u2014 naturally.\nBye"}
MORE = {"role": "user", "content": "\u00bfY 3 \u00d7 3? \U0001f642 & so on"}
THOUGHT = {"role": "assistant", "content": "<think>\n3 times 3\n</think>\n\n9"}
CALL = {"type": "function", "id": "abcdefgh1", "function": {"name": "weather", "arguments": {"city": "Zürich", "days": 2, "exact": True, "unit": None, "at": 1.0}}}
TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather\nof a <city>.", "parameters": {
    "type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "its name"}, "days": {"type": ["integer", "null"]},
        "tags": {"type": "array", "items": {"type": "number"}}, "x": {"type": "object"}}}}}
EMPTY = {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}}
CALLS = [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]},
         {"role": "tool", "name": "weather", "content": "rain", "tool_call_id": "abcdefgh1"},
         {"role": "assistant", "content": "It rains."}, MORE]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
PARTS = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " see? "}]}

# The variables with which each template is rendered.
CHATS = {
    "one": {"messages": [USER], "add_generation_prompt": True},
    "system": {"messages": [SYSTEM, USER], "add_generation_prompt": True},
    "turns": {"messages": [SYSTEM, USER, ASSISTANT, MORE], "add_generation_prompt": True},
    "done": {"messages": [USER, ASSISTANT], "add_generation_prompt": False},
    "thought": {"messages": [USER, THOUGHT, MORE, THOUGHT], "add_generation_prompt": False},
    "quick": {"messages": [USER], "add_generation_prompt": True, "enable_thinking": False},
    "tools": {"messages": [SYSTEM, USER], "add_generation_prompt": True, "tools": [TOOL, EMPTY]},
    "calls": {"messages": CALLS, "add_generation_prompt": True, "tools": [TOOL]},
    "calls/system tools": {"messages": CALLS, "add_generation_prompt": True, "tools": [EMPTY], "tools_in_user_message": False},
    "answered": {"messages": CALLS[:3], "add_generation_prompt": True},
    "twice the user": {"messages": [USER, MORE], "add_generation_prompt": True},
    "parts": {"messages": [SYSTEM, PARTS], "add_generation_prompt": True},
    "documents": {"messages": [USER], "add_generation_prompt": True, "documents": [{"doc_id": 7, "text": "Facts."}],
                  "tools": [TOOL], "controls": {"length": "long"}},
    "empty": {"messages": [], "add_generation_prompt": True},
}

# What the rows read.
VARS = {"a": 7, "b": -2, "f": 2.5, "s": "Hello, World", "u": "naïve ☃ 🙂", "t": True, "no": None, "l": [3, 1, 2],
        "d": {"x": 1, "k": "v", "items": 5}, "m": [{"n": "b", "v": 2}, {"n": "a", "v": 1}, {"n": "B", "v": 2, "o": {"p": 1}}], "e": []}

ROWS = r"""
{{ -1|string|length }} {{ - -a|string|length }} {{ -a * 2 }} {{ -f }} {{ -0.0 }} {{ not a == 7 }}
{% set g = l|select %}{{ g|list }}{{ g|list }}{% for x in g %}{{ x }}{% else %}read{% endfor %}
{{ a + b }} {{ a - b }} {{ a * b }} {{ a / 2 }} {{ a // 2 }} {{ b // 3 }} {{ a % 3 }} {{ b % 3 }} {{ 2 ** 10 }}
{{ 1 / 3 }} {{ 4 / 2 }} {{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1.5e300 * 1e10 }}
{{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ -a }} {{ - -a }} {{ true + 1 }} {{ 1e3 }} {{ 2.50 }}
{{ 1 / 0 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ 2 >= 2 }} {{ 1 != 2 }}
{{ 'a' < 1 }}
{{ 'World' in s }} {{ 'x' in d }} {{ 'z' not in d }} {{ 2 in l }} {{ 'a' in missing }} {{ not 2 in l }} {{ (1, 'a') }} {{ (1,) }} {{ () }}
{{ 1 in 'a1' }}
{{ t and 'yes' or 'no' }} {{ no or 'x' }} {{ e and 1 }} {{ not e }} {{ '' or 0 or none }} {{ not not a }}
{{ 'A' if t else 'B' }} {{ 'A' if no else 'B' if no else 'C' }} [{{ 'A' if no }}]
{{ s ~ 1 ~ none ~ true ~ 1.0 ~ missing ~ [1, 'a'] }}
{{ 'ab' * 3 }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ 'a' + 1 }}
{{ missing }}|{{ d.zzz }}|{{ d['zzz'] }}|{{ l[9] }}|{{ none.x }}|{{ a.x }}
{{ missing.x }}
{{ d.zzz.y }}
{{ missing + 'a' }}
{{ 'a' + missing }}
{{ missing() }}
{{ missing < 1 }}
{% for x in missing %}x{% else %}none{% endfor %}
{{ no }} {{ true }} {{ True }} {{ None }} {{ [none, true, 'a', "it's", 1.0, {'k': (1, 'x')}] }} {{ {} }} {{ [] }}
{{ ['\n\t\\ \'"', 'é☃', '\x01\x7f', "\u200b"] }}
{{ 'a\nb\tc\\d\'e\x41\u00e9\101\q' }} {{ "d\"q" }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[:-7] }} {{ s[::-1] }} {{ s[99:] }}| {{ u[6] }} {{ u[-1:] }} {{ u[2:4] }}
{{ l[0] }} {{ l[-1] }} {{ l[1:] }} {{ l[::-1] }} {{ l[-100:100] }} {{ l[true] }} {{ (1, 2, 3)[:2] }} {{ l[none:2] }}
{{ l[::0] }}
{{ m[0].n }} {{ d.k }} {{ d['k'] }} {{ d['ite' ~ 'ms'] }} {{ d.get('k') }} {{ d.get('q') }} {{ d.get('q', 3) }}
{{ d.keys()|list }} {{ d.values()|list }} {{ d.items()|list }} {{ d.items()|length }}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for k, v in d|items %}{{ k }}{% endfor %}
{{ {'a': 1, 'a': 2, 1: 'x'} }} {{ {1: 'x'}[1] }} {{ {1: 'x'}['1'] is defined }}
{{ {[1]: 2} }}
{{ '  x y '.strip() }}| {{ 'xxaxx'.strip('x') }} {{ 'xxaxx'.lstrip('x') }} {{ 'xxaxx'.rstrip('x') }} {{ ' a '|trim }}| {{ 'xax'|trim('x') }}
{{ 'a,b,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ' a  b '.split() }} {{ ' a  b c '.split(none, 1) }} {{ ''.split(',') }} {{ ''.split() }}
{{ 'a'.split('') }}
{{ s.startswith('Hell') }} {{ s.endswith('ld') }} {{ s.find('World') }} {{ s.find('q') }} {{ u.find('🙂') }}
{{ s.upper() }} {{ s.lower() }} {{ 'hello wORLD-x'.title() }} {{ 'hello wORLD'.capitalize() }} {{ "it's me".title() }} {{ "it's me-you (x)"|title }} {{ 'éa B'|capitalize }}
{{ s.replace('l', 'L') }} {{ s|replace('o', '0') }} {{ 'ab'.replace('', '-') }}
{{ ', '.join(['a', 'b']) }} {{ l|join('-') }} {{ m|join(',', attribute='n') }} {{ 'abc'|join('.') }} {{ [1, none]|join }}
{{ ','.join([1]) }}
{{ '{} {}'.format(1, 'a') }} {{ '{}'.format(1, 2) }} {{ 'x'.format() }}
{{ '{} {}'.format(1) }}
{{ l.append(4) }}
{{ d.update({'a': 1}) }}
{{ l.append is defined }} {{ s.__class__ is defined }} {{ l.zzz is defined }}
{{ range(3)|list }} {{ range(1, 4)|list }} {{ range(5, 0, -2)|list }} {{ range(3)|length }} {{ range(3)[1] }} {{ 2 in range(3) }} {{ range(0)|list }}
{{ range(100001) }}
{{ range(10 ** 12) }}
{{ dict(a=1, b='x') }}
{% set ns = namespace(x=1, y='a') %}{% set ns.x = ns.x + 1 %}{% set ns.z = 9 %}{{ ns.x }}{{ ns.y }}{{ ns.z }}{{ ns.q is defined }}{{ ns['x'] }}
{% set d.x = 1 %}
{% set ns = namespace(c=0) %}{% for i in range(5) %}{% set ns.c = ns.c + i %}{% set z = i %}{% endfor %}{{ ns.c }}{{ z is defined }}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }};{% endfor %}{{ x }}
{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}{% set p, q = 1, 2 %}{{ p + q }}{% set r = 1, 2 %}{{ r }}
{% set a, b = [1] %}
{% set x %}  block {{ a }}{% endset %}[{{ x }}]{% set y | upper | trim %} up {% endset %}[{{ y }}]
{% filter upper %}a{{ s }}{% endfilter %}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }};{% endfor %}
{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{{ loop.last }}{% else %}E{% endfor %}{% for i in l if i > 9 %}{% else %}E{% endfor %}
{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in [1, 2] %}{% for j in 'ab' %}{{ loop.index }}{{ i }}{{ j }}{% if j == 'a' %}{% break %}{% endif %}{% endfor %}{{ loop.index }}{% endfor %}
{% for a, b in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}{% for c in u %}{{ c }}.{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% break %}
{% macro f(x, y=2, z=x) %}{{ x }}{{ y }}{{ z }}{% endmacro %}{{ f(1) }}{{ f(1, z=3) }}{{ f(y=5, x=4) }}{{ f() }}{{ f(1)|upper }}
{% macro f(x) %}{{ x }}{% endmacro %}{{ f(1, 2) }}
{% macro f(x) %}{{ x }}{% endmacro %}{{ f(q=2) }}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}
{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(5) }}
{% macro f(x) %}<{{ caller() }}{{ caller() }}{{ x }}>{% endmacro %}{% call f(1) %}in{{ a }}{% endcall %}
{% macro f(x) %}<{{ caller(x) }}>{% endmacro %}{% call(y) f(1) %}in{{ y }}{% endcall %}
{% set g = 1 %}{% macro f() %}{{ g }}{{ h }}{% endmacro %}{% set g = 2 %}{% set h = 3 %}{{ f() }}{% for h in [9] %}{{ f() }}{% endfor %}
{% generation %}{{ s }}{% endgeneration %}
{# comment {{ a }} #}x{#- y -#} z
{{ d is mapping }} {{ l is mapping }} {{ s is string }} {{ a is string }} {{ l is iterable }} {{ a is iterable }} {{ s is iterable }} {{ d is sequence }} {{ l is sequence }} {{ a is sequence }} {{ missing is iterable }} {{ missing is sequence }}
{{ a is number }} {{ t is number }} {{ a is integer }} {{ t is integer }} {{ f is float }} {{ t is boolean }} {{ t is true }} {{ no is false }} {{ no is none }} {{ no is not none }} {{ missing is undefined }} {{ missing is defined }} {{ missing is none }} {{ 1 is true }}
{{ a is odd }} {{ a is even }} {{ a is eq 7 }} {{ a is equalto(8) }} {{ a is ne 8 }} {{ a is gt 3 }} {{ a is lt 3 }} {{ a is ge 7 }} {{ a is le 6 }} {{ a is in [7] }} {{ not a is odd }}
{{ a is defined and b is defined }} {{ 'x' if a is defined else 'y' }} {{ a is not string }} {{ a == 7 is true }}
{{ a is nonsense }}
{{ s is odd }}
{{ [1] in d }}
{{ a|nonsense }}
{{ missing|default('x') }} {{ ''|default('x') }}| {{ ''|default('x', true) }} {{ no|d('x') }} {{ no|default('x', boolean=true) }} {{ missing|d }}|
{{ s|upper|lower|length }} {{ u|length }} {{ l|count }} {{ d|length }} {{ missing|length }}
{{ a|length }}
{{ l|first }} {{ l|last }} {{ e|first }}| {{ s|first }} {{ s|last }} {{ l|min }} {{ l|max }} {{ e|max }}| {{ ['b', 'A']|min }}
{{ l|sort }} {{ l|sort(reverse=true) }} {{ ['b', 'A', 'a', 'C']|sort }} {{ ['b', 'A', 'a']|sort(case_sensitive=true) }} {{ m|sort(attribute='n')|map(attribute='v')|list }}
{{ [1, 'a']|sort }}
{{ l|reverse|list }} {{ s|reverse }} {{ ['a', 'A', 'b', 'a']|unique|list }} {{ m|unique(attribute='v')|map(attribute='n')|list }}
{{ m|map(attribute='n')|list }} {{ ['a', 'b']|map('upper')|join }} {{ [' a']|map('trim')|list }} {{ ['ab']|map('replace', 'a', 'x')|list }}
{{ m|map(attribute='o')|map(attribute='p')|list }}
{{ m|selectattr('v', 'equalto', 2)|map(attribute='n')|list }} {{ m|rejectattr('v', 'eq', 2)|list }} {{ m|selectattr('o')|list|length }} {{ m|selectattr('o', 'defined')|list|length }} {{ l|select('odd')|list }} {{ l|reject('gt', 2)|list }} {{ [0, 1, '']|select|list }} {{ m|selectattr('n', 'in', ['a'])|list|length }}
{% if m|selectattr('v', 'equalto', 99) %}generators are true{% endif %}{{ (l|select|list) == l }}
{{ l|select|length }}
{{ no|select('odd')|list }}{{ 0|map('upper')|list }}{{ no|rejectattr('x')|list }}{% set ns = namespace(q=none) %}{{ ns.q is none }}{% for i in [none, 1] %}{{ loop.previtem is none }}{% endfor %}
{% set loop = 5 %}{% for i in [loop] %}{{ loop.index }}{{ i }}{% endfor %}{{ loop }}{% for i in [1] %}{% for j in [loop.index0] %}{{ j }}{{ loop.last }}{% endfor %}{% endfor %}
{% for i in [1] %}{% set y = 1 %}{% generation %}{% set y = 2 %}{% endgeneration %}{% if i %}{% set y = y + 5 %}{% endif %}{{ y }}{% endfor %}{{ y is defined }}
{% macro f() %}{% set q = 1 %}{{ q }}{{ loop is defined }}{% endmacro %}{% for i in [1] %}{{ f() }}{% endfor %}{{ q is defined }}
{{ a[:2] }}
{{ d[:2] }}
{{ a|indent }}
{{ missing|int }}
{{ 'x'.format is defined }} {{ d.items is defined }} {{ d['keys'] is defined }} {{ l['append'] is defined }} {{ d.pop is defined }}
{{ "a" if "b" in "abc" and not "z" in "abc" else "c" }} {{ "a" is in "abc" }} {{ 1 if 2 else 3 if 0 else 4 }} {{ (1 if 0) is undefined }} {{ a is not none and a is number }}
{{ 'a b'.split(' ') | map('upper') | join('-') }} {{ 'abc' | list | reverse | join }} {{ (d.items() | list)[0][1] }} {{ d.values() | sum if false else 's' }} {{ d.keys() | join(',') }} {{ d.items() | map('first') | list }}
{{ d|dictsort }} {{ {'b': 1, 'A': 2}|dictsort }} {{ d|list }} {{ 'ab'|list }} {{ missing|list }}
{{ '42'|int }} {{ 'x'|int }} {{ 'x'|int(-1) }} {{ 3.9|int }} {{ '3.7'|int }} {{ '1.5'|float }} {{ 'x'|float }} {{ 3|float }} {{ 7|string }} {{ none|string }} {{ true|int }}
{{ 'a\nb\n\nc'|indent }}| {{ 'a\nb'|indent(2, true) }} {{ 'a\n\nb'|indent(2, blank=true) }} {{ 'a\nb'|indent('> ') }} {{ 'a\n'|indent(2) }}|
{{ d|tojson }} {{ [1, 'é"<&>\n\u007f\u0001', none, true, 1.0, 1e20, (1, 2), {}] | tojson }} {{ {1: 2, 'x': 3}|tojson }} {{ s|tojson }} {{ 'é🙂'|tojson(true) }}
{{ d|tojson(indent=2) }} {{ [[], {}, [1, {'a': []}]]|tojson(indent=1) }} {{ {'a': 1}|tojson(indent=0) }}
{{ missing|tojson }}
{{ range(3)|tojson }}
{{ '<a>'|safe }} {{ '<' ~ ('<a>'|safe) }} {{ '<a>' }}
{{ 'a'|safe|upper }} {{ ('<'|safe) == '<' }} {{ ('<'|safe) is string }}
{{ [1, 2] == [1, 2.0] }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ (1,) == [1] }} {{ none == false }} {{ '1' == 1 }} {{ missing == missing2 }} {{ missing == none }}
{{ raise_exception('Stop: ' ~ a) }}
{{ strftime_now('%Y-%m-%d %H:%M:%S %B %b %A %a %p %I %y %% %-d %-m %e %F %T') }}
{{ a, b }} {{ (a, b)|join }} {{ [1, 2,] }} {{ {'a': 1,} }} {{ dict(a=1,) }}
{{ l|map('string')|map('upper')|list|tojson }} {{ (l|length) - 1 }} {{ l|length - 1 }} {{ -1|abs }} {{ 'a' ~ 'b'|upper }} {{ a - 1|abs }} {{ not t == false }}
{{ s.split(', ')[1].lower()[0] }} {{ (s ~ 'x')[-1] }} {{ [1, 2][0] }} {{ {'a': {'b': 1}}.a.b }} {{ {'a': {}}['a'] }} {{ 'x'.upper()|lower }}
{% if a > 5 and s %}A{% elif a %}B{% else %}C{% endif %}{% if e %}A{% elif no %}B{% else %}C{% endif %}{% if missing %}A{% endif %}
{% include 'x' %}
{% do l.append(1) %}
{% if a %}
{% for x in l %}
{{ a
{% endif %}
{{ a b }}
{{ 'abc }}
{{ [1, 2 }}
{{ }}
{% set true = 1 %}
{% elif %}
{{ a.'b' }}
{{ 'é' ~ "é" }} {{ '🙂'|length }} {{ s|trim|length }} {{ "\U0001f642" }}
{{ [3, 1]|sort|first }} {{ ([1, 2]|first) + 1 }} {{ l[l|length - 1] }} {{ m[-1]['o']['p'] }} {{ m|last|length }} {{ l[:2] + l[2:] == l }} {{ 'x' * 0 }}| {{ d.k is defined and d.k is not none }}
""".strip("\n").split("\n")

# More rows, a line each. ⏎ stands for a line break within a row.
ROWS += [row.replace("⏎", "\n") for row in (HERE / "rows.txt").read_text(encoding="utf-8").split("\n")[:-1]]

# White space: rows with line breaks.
ROWS += [
    "  {% if t %}\n  yes\n  {% endif %}\nend\n",
    "  {%+ if t %}\n  yes\n  {%+ endif %}\nend\n\n",
    "a\n  {%- if t -%}\n  yes\n  {%- endif -%}\n b",
    "a {% if t %} b {% endif %} c\n",
    "{% if t +%}\nx{% endif +%}\ny",
    "x {{- a -}} y {{ a }}\n{{ a }}\n\n  {{ a }}  \n",
    "  {# c #}\nx\n  {# c #} y\n{#- c -#}\nz {# c +#}\nw",
    "{% for i in l %}\n    {{ i }}\n{% endfor %}\n",
    "{% for i in l -%}\n    {{ i }}\n{%- endfor %}\n",
    "a\r\nb\rc\r\n",
    "{%- set x = 1 %}\n\n{%- set y = 2 -%}\n\n  {{ x + y }}\n\n",
    "\t{% if t %}x{% endif %}\n\t{% if t %}\n\ty\n\t{% endif %}  \n",
    "{% if t %}\n\n\nx{% endif %}\n{{ '{%' }}{{ '}}' }}{{ {'a': {'b': 1}} }} } {",
    "{{ [\n  1,\n  2\n] }}{%\nif t\n%}x{%\nendif\n%}",
    "{%- for m in m %}{{- m.n }}\n{%- if not loop.last %}, {% endif %}\n{%- endfor %}",
]


def render(template, variables):
    """Returns the text, or what the exception says."""
    try:
        compiled = chats._compile_jinja_template(template)
        return {"text": compiled.render(**json.loads(json.dumps(variables)))}
    except Exception as e:  # Python has many kinds for what is one error here
        raised = type(e) is jinja2.exceptions.TemplateError  # by raise_exception
        return {"raised" if raised else "error": str(e) or type(e).__name__}


def main():
    cases = []
    for path in sorted((HERE / "templates").glob("*.jinja")):
        for name, variables in CHATS.items():
            out = render(path.read_text(), {"tools": None, "documents": None, **variables, **SPECIAL} if "tools" not in variables
                         else {"documents": None, **variables, **SPECIAL})
            cases.append({"template": path.name, "chat": name, **out})
    golden = {
        "made by": f"golden.py, transformers {transformers.__version__}, jinja2 {jinja2.__version__}",
        "special": SPECIAL, "chats": CHATS, "cases": cases, "vars": VARS,
        "rows": [{"template": row, **render(row, VARS)} for row in ROWS],
    }
    (HERE / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n")


main()
