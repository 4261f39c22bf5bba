#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes nm-settings-ovpn(5) of options.def, keys.txt and a frame.
usage: make-man.py options.def options.c keys.txt frame.in VERSION > page"""
import re
import sys

FATES = (('F_REFUSED', 'Refused'), ('F_NEVER', 'Never executed'), ('F_LATER', 'Without effect'),
         ('F_HARMLESS', 'Not needed'))


def esc(text):
    return text.replace('\\', '\\e').replace('-', '\\-').replace("'", '\\(aq')


def read(name):
    with open(name, encoding='utf-8') as f:
        return f.read()


def rows(text):
    """[(section, directive, arguments, key, flags, reason)]"""
    section, out = '', []
    for line in text.splitlines():
        m = re.match(r'/\* ---- (.*?)(?: \(spec.*)? \*/', line)
        if m:
            section = m.group(1)
        m = re.match(r'OPT\((\w+), "([^"]*)", "([^"]*)", (NULL|"[^"]*"), (\w+), ([^"]*?), (NULL|".*")\)$', line)
        if m:
            _, directive, args, key, _, flags, reason = m.groups()
            out.append((section, directive, args, key.strip('"'), set(re.findall(r'F_\w+', flags)),
                        reason.strip('"') if reason != 'NULL' else None))
        elif line.startswith('OPT('):
            sys.exit('make-man: cannot read: ' + line)
    return out


NAMES = {'net6': 'address', 'ip4': 'address', 'ip6': 'address', 'mask': 'netmask', 'dns': 'address'}


def grammar(args):
    if ' / ' in args:
        return ' or '.join(grammar(part) for part in args.split(' / '))
    words, depth = [], 0
    for item in args.split():
        optional, many = item[-1] in '?*', item[-1] in '*+'
        item = item.rstrip('?*+').lstrip('~')
        if item.startswith('='):
            word = '|\\:'.join('\\fB%s\\fR' % esc(x) for x in item[1:].split('|'))
        elif '..' in item:
            word = '\\fI%s\\fR' % ('number' if len(item) > 12 else esc(item.replace('..', ' to ')))
        else:
            word = '\\fI%s\\fR' % NAMES.get(item, item)
        words.append(('[' if optional else '') + word + (' ...' if many else ''))
        depth += optional
    return ' '.join(words) + ']' * depth


def option(row):
    _, directive, args, key, flags, reason = row
    fate = next((word for flag, word in FATES if flag in flags), None)
    known = [esc('vpn.data ' + key)] if key != 'NULL' else []
    known += ['also as a block'] if 'F_INLINE' in flags else []
    known += ['also from the server'] if 'F_PUSH' in flags and not fate else []
    known += ['also in <connection>'] if 'F_CONN' in flags and not fate else []
    text = 'Only for servers: kept, no effect.' if 'F_SERVER' in flags else \
        '%s: %s.' % (fate, esc(reason)) if fate else 'Honoured.'
    if known and 'F_SERVER' not in flags:
        text += ' (%s)' % ', '.join(known)
    return '.TP\n\\fB%s\\fR %s\n%s\n' % (esc(directive), grammar(args), text)


def keys_table(text, wanted):
    out, seen = [], set()
    for line in text.splitlines():
        if line.startswith('='):
            out.append('.SS %s\n' % line[1:])
        elif line and line[0] != '#':
            key, values, absent, meaning = line.split('|')
            seen.add(key)
            out.append('.TP\n\\fB%s\\fR\n%s\n.br\nValues: %s. Absent: %s.\n' % (
                esc(key), meaning.replace('-', '\\-'), values.replace('-', '\\-'),
                absent.rstrip('.').replace('-', '\\-')))
    missing = wanted - seen
    if missing:
        sys.exit('make-man: keys.txt lacks %s' % ', '.join(sorted(missing)))
    return ''.join(out)


def main():
    table, code, keys, frame, version = sys.argv[1:]
    options = rows(read(table))
    out, section = [], None
    for row in options:
        if row[0] != section:
            section = row[0]
            out.append('.SS %s\n' % (section[:1].upper() + section[1:]))
        out.append(option(row))
    directives = {r[1] for r in options}
    ids = {r[1].upper().replace('-', '_'): r[1] for r in options}
    aliases = re.findall(r'\{"([a-z-]+)", OVPN_OPT_(\w+)\}', read(code))
    names = ['.TP\n\\fB%s\\fR\nThe same as \\fB%s\\fR.\n' % (esc(a), esc(ids[i])) for a, i in aliases if a not in directives]
    out.append('.SS Other spellings\n' + ''.join(names))
    page = read(frame).replace('@VERSION@', version)
    page = page.replace('@KEYS@\n', keys_table(read(keys), {r[3] for r in options if r[3] != 'NULL'}))
    sys.stdout.write(page.replace('@OPTIONS@\n', ''.join(out)).replace('@COUNT@', str(len(options) + len(names))))


main()
