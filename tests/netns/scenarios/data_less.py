# SPDX-License-Identifier: GPL-2.0-or-later
"""Data packets that go without something: no-replay (no packet id), beside ciphers that cannot do without it."""
from data_static import _run as run_static
from data_static import _server as static_server
from lab import check
from registry import add, scenario

AES = ['cipher AES-256-CBC', 'auth SHA256']
WEAK = 'weak: no-replay'


def by_tls(cipher, weak=True):
    def f(l):
        s = l.server('less', ['no-replay', 'data-ciphers ' + cipher, 'data-ciphers-fallback ' + cipher, 'auth SHA256'])
        mark = l.mark()
        try:
            l.cycle(s, ['no-replay', 'data-ciphers ' + cipher, 'auth SHA256'], size=1300)
            check((WEAK in l.log_since(mark)) == weak, 'the warning')
        finally:
            l.drop_server('less')
    return f


for _c in ('AES-256-CBC', 'AES-128-CBC'):
    add('data', 'no-replay-' + _c.lower(), by_tls(_c))


def by_static_key(lines, tap=False, proto='udp'):
    def f(l):
        s, key = static_server(l, lines + ['no-replay'], proto, tap)
        mark = l.mark()
        run_static(l, s, key, lines + ['no-replay', 'key-direction 1'], tap,
                   lambda name: check(WEAK in l.log_since(mark), 'no warning'))
    return f


for _name, _args in (('', (AES,)), ('-tap', (AES, True)), ('-tcp', (AES, False, 'tcp')), ('-bf-cbc', (['cipher BF-CBC'],)),
                     ('-none', (['cipher none', 'auth SHA256'],))):
    add('data', 'no-replay-static-key' + _name, by_static_key(*_args))


@scenario
def no_replay_has_no_effect_on_gcm(l):
    """AES-GCM and ChaCha20-Poly1305 need packet ids: the connection keeps them and works, with a server that has them."""
    mark = l.mark()
    l.cycle(l.server('plain'), ['no-replay'], size=1300)
    check(WEAK not in l.log_since(mark), 'a warning about nothing')
