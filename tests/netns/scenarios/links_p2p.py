# SPDX-License-Identifier: GPL-2.0-or-later
"""Two equal peers: our side is the TLS server, or waits for the other to call."""
import re

from lab import C4, C6, S4, check, wait_for
from registry import add, scenario

OWN, PEER = '10.60.252.2', '10.60.252.1'
DROP = ['!server', '!topology', '!duplicate-cn', '!multihome', '!dh', '!port']


def _peer(l, port, lines, proto='udp', cert='client', name='peer'):
    """openvpn on the other side, which calls us unless told otherwise."""
    proto = {'tcp': 'tcp-client'}.get(proto, proto)
    cert = l.pki.client('ec') if cert == 'client' else cert
    s = l.server(name, DROP + ['ifconfig %s %s' % (PEER, OWN), 'ping 1'] + lines, proto=proto, cert=cert)
    s.tun4, s.net4 = PEER, '10.60.252.0'
    return s


def _calls(port, host=C4):
    return ['tls-client', 'remote %s %d' % (host, port), 'nobind', 'connect-retry 1 1']


def _profile(l, s, lines):
    return l.profile(s, ['!client', '!remote', '!proto', '!nobind', 'ifconfig %s %s' % (OWN, PEER), 'ping 1'] +
                     lines, cert=l.pki.server('ec'))


class Up:
    """The connection is up inside of the block."""

    def __init__(self, l, text):
        self.l, self.text = l, text

    def __enter__(self):
        self.name, self.mark = self.l.import_profile(self.text), self.l.mark()
        rc, out, _ = self.l.up(self.name, timeout=45)
        if rc:
            self.__exit__(None, None, None)
        check(rc == 0, 'up: ' + out)
        return self

    def __exit__(self, *_):
        self.l.down(self.name)
        self.l.delete(self.name)
        for name in [x for x in self.l.servers if x.startswith('peer')]:
            self.l.drop_server(name)

    def log(self):
        return self.l.log_since(self.mark)

    def wait_log(self, pattern, timeout=20):
        wait_for('“%s” in the log' % pattern, lambda: re.search(pattern, self.log()), timeout, 0.05)


def _both_up(l, s, size=1300):
    wait_for('the peer is up too', lambda: 'Initialization Sequence Completed' in s.log(), 20, 0.05)
    l.ping(s, size=size)


def _waits(l, port, ours, theirs, proto='udp', host=C4, size=1300, want=None):
    s = _peer(l, port, _calls(port, host) + theirs, proto)
    ours = ['tls-server', 'lport %d' % port] + ours
    with Up(l, _profile(l, s, ours)) as up:
        _both_up(l, s, size)
        check('waiting for the peer to call on %s port %d' % ('TCP' if 'tcp' in proto else 'UDP', port) in up.log(),
              'the log does not say what is waited for')
        if want:
            check(re.search(want, s.log()), 'the peer did not log “%s”' % want)


def waiting(port, *args, **kw):
    return lambda l: _waits(l, port, *args, **kw)


_TA = {}


def _key(l):
    if 'key' not in _TA or not _TA['key'].startswith(l.scratch):
        from data_static import _key as make
        _TA['key'] = make(l)
    return _TA['key']


def wrapped(port, option, ours, theirs, proto='udp'):
    def f(l):
        key = _key(l)
        _waits(l, port, ['%s %s%s' % (option, key, ours)], ['%s %s%s' % (option, key, theirs)], proto)
    return f


add('links', 'p2p-waits-udp', waiting(15001, [], [], want='P2P mode NCP negotiation result: TLS_export=1'))
add('links', 'p2p-waits-tcp', waiting(15002, ['proto tcp-server'], [], 'tcp'))
add('links', 'p2p-waits-udp6', waiting(15003, ['proto udp6'], [], 'udp6', C6))
add('links', 'p2p-waits-dual-stack', waiting(15004, ['proto udp6'], []))
add('links', 'p2p-waits-tls-auth', wrapped(15005, 'tls-auth', ' 0', ' 1'))
add('links', 'p2p-waits-tls-crypt', wrapped(15006, 'tls-crypt', '', ''))
add('links', 'p2p-waits-tls-crypt-tcp', lambda l: _waits(
    l, 15007, ['proto tcp-server', 'tls-crypt ' + _key(l)], ['tls-crypt ' + _key(l)], 'tcp'))
add('links', 'p2p-waits-tls12-cbc', waiting(
    15008, ['tls-version-max 1.2', 'cipher AES-256-CBC', 'data-ciphers AES-256-CBC'],
    ['cipher AES-256-CBC', 'data-ciphers AES-256-CBC']))
