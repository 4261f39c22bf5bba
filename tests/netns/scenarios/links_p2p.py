# SPDX-License-Identifier: GPL-2.0-or-later
"""Two equal peers: our side is the TLS server, or waits for the other to call."""
import re
import signal
import subprocess
import sys
import threading
import time

from lab import C4, C6, S4, check, wait_for
from registry import add, scenario

OWN, PEER = '10.60.252.2', '10.60.252.1'
DROP = ['!server', '!topology', '!duplicate-cn', '!multihome', '!dh', '!port']


def _peer(l, port, lines, proto='udp', cert='client', name='peer', later=True):
    """openvpn on the other side. It is not started before we wait for its call: it would find nobody, and not call
    again for seconds."""
    proto = {'tcp': 'tcp-client'}.get(proto, proto)
    cert = l.pki.client('ec') if cert == 'client' else cert
    s = l.server(name, DROP + ['ifconfig %s %s' % (PEER, OWN), 'ping 1', 'tls-timeout 1'] + lines, proto=proto, cert=cert,
                 later=later)
    s.tun4, s.net4 = PEER, '10.60.252.0'
    return s


def _calls(port, host=C4):
    return ['tls-client', 'remote %s %d' % (host, port), 'nobind', 'connect-retry 1 1']


def _profile(l, s, lines):
    return l.profile(s, ['!client', '!remote', '!proto', '!nobind', 'ifconfig %s %s' % (OWN, PEER), 'ping 1'] +
                     lines, cert=l.pki.server('ec'))


class Up:
    """The connection is up inside of the block; the peer is started when we wait for it."""

    def __init__(self, l, text, peer, before=lambda: None):
        self.l, self.text, self.peer, self.before = l, text, peer, before

    def start(self):
        result = []
        up = threading.Thread(target=lambda: result.extend(self.l.up(self.name, timeout=45)))
        up.start()
        try:
            if self.peer.proc is None:
                self.wait_log('waiting for the peer to call')
                self.before()
                self.peer.start()
        finally:
            up.join()
        check(result and result[0] == 0, 'up: %s' % (result[1:2] or 'no answer'))

    def __enter__(self):
        self.name, self.mark = self.l.import_profile(self.text), self.l.mark()
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
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
    with Up(l, _profile(l, s, ours), s) as up:
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


# -- who calls whom

@scenario
def p2p_both_call(l):
    """Both sides know each other's address."""
    s = _peer(l, 15010, ['tls-client', 'remote %s 15010' % C4, 'lport 15110'], later=False)
    with Up(l, _profile(l, s, ['tls-server', 'remote %s 15110' % S4, 'lport 15010']), s):
        _both_up(l, s)


@scenario
def p2p_client_waits(l):
    """The role of the TLS client without `remote`: the other side begins."""
    s = _peer(l, 15011, ['tls-server', 'remote %s 15011' % C4, 'nobind', 'dh none', 'connect-retry 1 1'],
              cert=l.pki.server('ec'))
    text = l.profile(s, ['!client', '!remote', '!proto', '!nobind', 'tls-client', 'lport 15011', 'ping 1',
                         'ifconfig %s %s' % (OWN, PEER)])
    with Up(l, text, s):
        _both_up(l, s)


def static_key_waits(port, proto):
    def f(l):
        key = _key(l)
        s = l.server('peer', DROP + ['!management', '!ca', '!cert', '!key', 'secret %s' % key, 'ping 1',
                                     'providers legacy default', 'setenv opt allow-deprecated-insecure-static-crypto',
                                     'ifconfig %s %s' % (PEER, OWN), 'remote %s %d' % (C4, port), 'nobind',
                                     'connect-retry 1 1'], proto={'tcp': 'tcp-client'}.get(proto, proto), later=True)
        s.tun4, s.net4 = PEER, '10.60.252.0'
        with open(key) as k:
            secret = k.read().strip()
        lines = ['dev tun', 'lport %d' % port, 'ifconfig %s %s' % (OWN, PEER), 'ping 1', 'secret [inline]']
        lines += ['proto tcp-server'] if proto == 'tcp' else []
        with Up(l, '\n'.join(lines + ['<secret>', secret, '</secret>']) + '\n', s):
            _both_up(l, s)
    return f


add('links', 'p2p-static-key-waits-udp', static_key_waits(15012, 'udp'))
add('links', 'p2p-static-key-waits-tcp', static_key_waits(15013, 'tcp'))


# -- what happens later

def answers(l, up, s):
    return l.run('ping', '-n', '-q', '-c', '1', '-W', '1', s.tun4, ok=False)[0] == 0


@scenario
def p2p_renegotiation(l):
    """New keys, begun by either side, without a lost packet."""
    for ours, theirs in ((['reneg-sec 2'], ['reneg-sec 0']), (['reneg-sec 0'], ['reneg-sec 2'])):
        s = _peer(l, 15014, _calls(15014) + theirs)
        with Up(l, _profile(l, s, ['tls-server', 'lport 15014'] + ours), s):
            _both_up(l, s)
            seen = s.log().count('Control Channel: TLS')
            l.ping(s, 120)
            wait_for('renegotiation', lambda: s.log().count('Control Channel: TLS') > seen, 15)
            l.ping(s, 20)


def peer_starts_anew(port, proto, lines=()):
    def f(l):
        s = _peer(l, port, _calls(port), proto)
        ours = ['tls-server', 'lport %d' % port] + (['proto tcp-server'] if proto == 'tcp' else [])
        with Up(l, _profile(l, s, ours + list(lines)), s) as up:
            _both_up(l, s)
            dev = l.device(s)
            s.stop(signal.SIGKILL)
            s.start()
            wait_for('the peer that was started anew is answered', lambda: answers(l, up, s), 30, 0.1)
            check(l.device(s) == dev, 'another device')
            l.ping(s)
    return f


add('links', 'p2p-peer-starts-anew-udp', peer_starts_anew(15015, 'udp'))
add('links', 'p2p-peer-starts-anew-tcp', peer_starts_anew(15016, 'tcp'))


@scenario
def p2p_waits_again(l):
    """The peer is gone for longer than ping-restart, and calls again."""
    s = _peer(l, 15017, _calls(15017))
    with Up(l, _profile(l, s, ['tls-server', 'lport 15017', 'ping-restart 3']), s) as up:
        _both_up(l, s)
        mark = len(up.log())
        s.stop(signal.SIGKILL)
        wait_for('it waits again', lambda: 'waiting for the peer to call' in up.log()[mark:], 20, 0.1)
        s.start()
        wait_for('traffic again', lambda: answers(l, up, s), 30, 0.1)
        l.ping(s)


def _moves(l, port, lines):
    """The network gives the peer another port in the middle of its session."""
    s = _peer(l, port, ['tls-client', 'remote %s %d' % (C4, port), 'lport %d' % (port + 100), 'connect-retry 1 1'],
              later=not lines)
    with Up(l, _profile(l, s, ['tls-server', 'lport %d' % port, 'ping-restart 60'] + lines), s) as up:
        _both_up(l, s)
        path = l.scratch + '/moves.nft'
        with open(path, 'w') as f:
            f.write('table ip moves { chain o { type filter hook output priority -300; udp sport %d udp dport %d '
                    'udp sport set %d; }; chain i { type filter hook input priority -300; '
                    'udp sport %d udp dport %d udp dport set %d; }; }' % (
                        port + 100, port, port + 200, port, port + 200, port + 100))
        l.on_server('nft', '-f', path)
        try:
            yield s, up
        finally:
            l.on_server('nft', 'delete', 'table', 'ip', 'moves')


@scenario
def p2p_float(l):
    """With `float`, which is meant without `remote`, the tunnel follows a peer whose authentic packets come from
    elsewhere."""
    for port, lines in ((15018, ['float', 'remote %s 15118' % S4]), (15023, [])):
        for s, up in _moves(l, port, lines):
            wait_for('traffic with the peer at its new place', lambda: answers(l, up, s), 15, 0.1)
            l.ping(s, 20)
            check(s.log().count('Peer Connection Initiated') == 1, 'a new session was made')


@scenario
def p2p_without_float(l):
    """Packets from elsewhere than `remote` are dropped."""
    for s, up in _moves(l, 15019, ['remote %s 15119' % S4]):
        time.sleep(1)
        check(not answers(l, up, s), 'it followed without being told to')


@scenario
def float_of_a_client(l):
    """`float` in a usual profile: speed, renegotiation and a crash of the server as without."""
    s = l.server('floating', ['keepalive 10 60', 'reneg-sec 2 2'])
    name = l.import_profile(l.profile(s, ['float', 'reneg-sec 0']))
    try:
        mark = l.mark()
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        l.ping(s, 120, size=1300)
        wait_for('the server answers probes', lambda: 'answers probes' in l.log_since(mark))
        begin = time.monotonic()
        s.stop(signal.SIGKILL)
        s.start()
        wait_for('traffic again', lambda: answers(l, None, s), 15, 0.1)
        print('    back after %.1f s' % (time.monotonic() - begin), flush=True)
        l.ping(s)
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('floating')


# -- strangers

@scenario
def p2p_strangers_call(l):
    """Whoever connects and says nothing, or says hello and no more, keeps the peer out for seconds at most."""
    hello = b'\x00\x0e\x38strange!\x00\x00\x00\x00\x00'
    code = ('import socket, sys\n'
            's = [socket.create_connection(("%s", 15024)) for _ in range(2)]\n'
            's[0].sendall(%r)\n'
            'print(len(s[0].recv(100)), flush=True)\n'
            'sys.stdin.read()\n' % (C4, hello))
    s = _peer(l, 15024, _calls(15024), 'tcp')
    stranger = []

    def strangers_first():
        stranger.append(subprocess.Popen(['ip', 'netns', 'exec', l.server_ns, sys.executable, '-c', code],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        stranger[0].stdout.readline()
    begin = time.monotonic()
    try:
        with Up(l, _profile(l, s, ['tls-server', 'lport 15024', 'proto tcp-server']), s, strangers_first):
            print('    up after %.1f s' % (time.monotonic() - begin), flush=True)
            _both_up(l, s)
    finally:
        for x in stranger:
            x.communicate()


# -- refusals

@scenario
def p2p_bad_certificate_of_the_peer(l):
    s = _peer(l, 15020, _calls(15020), cert=l.pki.client('rsa'), later=False)
    name = l.import_profile(_profile(l, s, ['tls-server', 'lport 15020']))
    mark = l.mark()
    try:
        l.nmcli('--wait', '0', 'connection', 'up', name, ok=False)
        wait_for('the refusal is in the log', lambda: re.search(
            r'%s.*(certificate|signed)' % re.escape(S4), l.log_since(mark)), 20, 0.1)
        check('waiting for the peer' in l.log_since(mark), 'it does not wait')
        check(not re.search('state .* -> UP', l.log_since(mark)), 'it is up')
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('peer')


@scenario
def p2p_nobody_calls(l):
    """NetworkManager gives up first; what was waited for is in the log."""
    s = _peer(l, 15021, _calls(15022), later=False)
    name = l.import_profile(_profile(l, s, ['tls-server', 'lport 15021']), vpn__timeout='5')
    mark = l.mark()
    try:
        rc, out, _ = l.up(name, timeout=30)
        check(rc != 0, 'up without a peer')
        wait_for('the log says what was waited for', lambda: re.search(
            'UDP port 15021', l.log_since(mark)), 10)
        print('    ' + ' | '.join(x for x in l.log_since(mark).splitlines() if '15021' in x), flush=True)
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('peer')
