# SPDX-License-Identifier: GPL-2.0-or-later
"""Renegotiation under dynamic tls-crypt, whatever protects the first handshake, with servers of 2.6 and 2.7."""
import re

from lab import check, newer_openvpn, wait_for
from pki import read
from registry import add


def inline(tag, path):
    return '<%s>\n%s</%s>' % (tag, read(path), tag)


def wrapping(l, kind):
    """Lines of the server, lines of the client."""
    if kind == 'tls-auth':
        k = l.pki.static_key('ta')
        return ['tls-auth %s 0' % k], ['key-direction 1', inline('tls-auth', k)]
    if kind == 'tls-crypt':
        k = l.pki.static_key('tc')
        return ['tls-crypt ' + k], [inline('tls-crypt', k)]
    if kind == 'tls-crypt-v2':
        return ['tls-crypt-v2 ' + l.pki.v2_server()], [inline('tls-crypt-v2', l.pki.v2_client())]
    return [], []


def dynamic(kind, who, newer):
    def f(l):
        server, client = wrapping(l, kind)
        program = newer_openvpn() if newer else ['openvpn']
        s = l.server('dyn-%s-%s' % (kind, who), server + (['disable-dco'] if newer else []) + [
            'reneg-sec 3 3' if who == 'server' else 'reneg-sec 0'], program=program)

        def then(name):
            check('dyn-tls-crypt' in s.log(), 'the server does not know it')
            seen = s.log().count('Control Channel: TLSv')
            wait_for('two renegotiations', lambda: s.log().count('Control Channel: TLSv') >= seen + 2, 20, 0.1)
            l.ping(s, 5)
            bad = re.findall('.*(?:TLS Error|tls-crypt unwrap|Authenticate/Decrypt).*', s.log())
            check(not bad, '; '.join(bad))
        l.cycle(s, client + ['reneg-sec 3' if who == 'client' else 'reneg-sec 0'], then=then)
        l.drop_server(s.name)
    return f


for _k, _w in (('none', 'client'), ('tls-auth', 'server'), ('tls-auth', 'client'), ('tls-crypt', 'client'),
               ('tls-crypt', 'server'), ('tls-crypt-v2', 'client')):
    add('links', 'dynamic-tls-crypt-%s-%s' % (_k, _w), dynamic(_k, _w, False))
for _k, _w in (('none', 'server'), ('tls-auth', 'client'), ('tls-crypt', 'client')):
    add('newer', 'dynamic-tls-crypt-%s-%s' % (_k, _w), dynamic(_k, _w, True))
