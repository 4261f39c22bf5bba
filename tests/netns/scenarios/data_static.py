# SPDX-License-Identifier: GPL-2.0-or-later
"""Static key mode: no TLS, one file on both sides."""
import re
import subprocess
import time

from data_sizes import both_clients
from lab import S4, check, wait_for
from registry import add, scenario

LOCAL, REMOTE = '10.60.251.2', '10.60.251.1'


def _key(l):
    path = l.scratch + '/static.key'
    subprocess.run(['openvpn', '--genkey', 'secret', path], check=True, stdout=subprocess.DEVNULL)
    return path


def _server(l, lines, proto='udp', tap=False, direction=' 0'):
    key = _key(l)
    drop = ['!server', '!topology', '!duplicate-cn', '!management', '!ca', '!cert', '!key', '!dh']
    more = ['!dev', 'dev tap'] if tap else []
    s = l.server('static', drop + more + [
        'secret %s%s' % (key, direction), 'providers legacy default', 'setenv opt allow-deprecated-insecure-static-crypto',
        'ifconfig %s %s' % (REMOTE, '255.255.255.0' if tap else LOCAL)] + lines, proto=proto)
    s.tun4, s.net4 = REMOTE, '10.60.251.0'
    return s, key


def _profile(s, key, lines, tap=False):
    proto = {'tcp': 'tcp-client'}.get(s.proto, s.proto)
    with open(key) as f:
        return '\n'.join(['dev ' + ('tap' if tap else 'tun'), 'remote %s %d' % (S4, s.port), 'proto ' + proto,
                          'nobind', 'ifconfig %s %s' % (LOCAL, '255.255.255.0' if tap else REMOTE)] + lines +
                         ['<secret>', f.read().strip(), '</secret>']) + '\n'


def _run(l, s, key, lines, tap=False, then=None):
    name = l.import_profile(_profile(s, key, lines, tap))
    mark = l.mark()
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, 'up: ' + out)
        l.ping(s, size=1300)
        check('shared static key' in l.log_since(mark), 'no warning')
        if then:
            then(name)
        l.down(name)
        wait_for('tunnel gone after down', lambda: not l.tunnels(), 5)
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('static')


def mode(both, proto='udp', tap=False, directed=True):
    def f(l):
        s, key = _server(l, both, proto, tap, ' 0' if directed else '')
        _run(l, s, key, both + (['key-direction 1'] if directed else []), tap)
    return f


AES = ['cipher AES-256-CBC', 'auth SHA256']
for _name, _args in (('udp', (AES,)), ('udp-no-direction', (AES, 'udp', False, False)), ('tcp', (AES, 'tcp')),
                     ('tap', (AES, 'udp', True)), ('tap-tcp', (AES, 'tcp', True)),
                     ('bf-cbc', (['cipher BF-CBC'],)), ('cipher-none', (['cipher none', 'auth SHA1'],))):
    add('data', 'static-key-' + _name, mode(*_args))


@scenario
def static_key_keepalive(l):
    """The other side hears from us while there is no traffic."""
    s, key = _server(l, AES + ['keepalive 1 5'])

    def then(name):
        time.sleep(7)
        check('Inactivity timeout' not in s.log(), 'it heard nothing')
        l.ping(s)
    _run(l, s, key, AES + ['keepalive 1 5', 'key-direction 1'], then=then)


@scenario
def static_key_exit_notification(l):
    """By the data channel, the only one there is."""
    s, key = _server(l, AES)
    name = l.import_profile(_profile(s, key, AES + ['explicit-exit-notify 1', 'key-direction 1']))
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, 'up: ' + out)
        l.ping(s)
        l.down(name)
        wait_for('the other side hears of it', lambda: 'remote-exit' in s.log(), 5)
    finally:
        l.delete(name)
        l.drop_server('static')


@scenario
def static_key_by_old_keys(l):
    """The keys that the replaced plugin stores."""
    s, key = _server(l, ['cipher AES-128-CBC'])
    name = 'old-static'
    l.nmcli('connection', 'add', 'type', 'vpn', 'con-name', name, 'vpn-type', 'openvpn', 'vpn.data',
            'connection-type=static-key,static-key=%s,static-key-direction=1,local-ip=%s,remote-ip=%s,remote=%s:%d,'
            'cipher=AES-128-CBC' % (key, LOCAL, REMOTE, S4, s.port))
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, 'up: ' + out)
        l.ping(s)
        check(re.search('peer|' + REMOTE, l.run('ip', 'addr', 'show', 'dev', l.device(s))), 'no peer address')
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('static')


@scenario
def static_key_wrong(l):
    """Another key: the other side never answers."""
    s, key = _server(l, AES)
    other = _key(l)  # replaces the file; the server has read it
    try:
        l.refused(s, cause='did not answer|no answer|does not answer', within=40,
                  text=_profile(s, other, AES + ['key-direction 1', 'connect-timeout 5']))
    finally:
        l.drop_server('static')


@scenario
def static_key_several_servers(l):
    """There is no handshake to race with: a server that does not answer has its two seconds, then comes the next."""
    from links import silence  # there is a way back to this module
    silence(l)
    s, key = _server(l, AES)
    text = ''.join('remote %s 7\n' % S4 for _ in range(3)) + _profile(s, key, AES + ['key-direction 1'])
    name = l.import_profile(text)
    try:
        rc, out, took = l.up(name, timeout=60)
        check(rc == 0, 'up: ' + out)
        print('    up after %.1f s' % took, flush=True)
        check(took < 20, 'up only after %.1f s' % took)
        l.ping(s)
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('static')


def occ(both, tap=False):
    """The other side asks for our options, and finds nothing to complain about."""
    def f(l):
        s, key = _server(l, both + ['verb 9'], tap=tap)

        def then(name):
            wait_for('our options', lambda: 'RECEIVED OCC_REPLY' in s.log(), 25)
            bad = re.findall('.*(?:inconsistent|only present in).*', s.log())
            check(not bad, 'the other side finds: %s' % bad)
        _run(l, s, key, both + ['key-direction 1'], tap, then)
    return f


for _name, _lines, _tap in (('', AES + ['comp-lzo no', 'tun-mtu 1400'], False),
                            ('-tap', ['cipher BF-CBC', 'fragment 1300'], True)):
    add('data', 'static-key-occ' + _name, occ(_lines, _tap))


@scenario
def static_key_mss(l):
    """The same MSS as openvpn's own client, with compression framing and pieces."""
    both = ['cipher BF-CBC', 'comp-lzo no', 'fragment 1200']
    s, key = _server(l, both + ['mssfix 0', '!dev', 'dev mss0', 'dev-type tun', 'ifconfig-ipv6 fd60:251::1/64 fd60:251::2'])
    s.tun6 = 'fd60:251::1'
    text = _profile(s, key, both + ['mssfix', 'key-direction 1', 'ifconfig-ipv6 fd60:251::2/64 fd60:251::1',
                                    'providers legacy default'])
    try:
        want, got = both_clients(l, s, text)
        check(got == want, 'openvpn %s, we %s' % (want, got))
    finally:
        l.drop_server('static')
