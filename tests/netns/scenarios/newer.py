# SPDX-License-Identifier: GPL-2.0-or-later
"""What only servers of OpenVPN 2.7 can do; skipped without one (OVPN_SID_ROOT)."""
import re

import data_sizes
from lab import check, newer_openvpn, wait_for
from registry import add, scenario


def modern(l, name, lines=(), **kw):
    return l.server(name, ['disable-dco'] + list(lines), program=newer_openvpn(), **kw)


@scenario
def push_update(l):
    """Routes, DNS, addresses and the default route change while the tunnel is up; NetworkManager follows. What the profile
    says stays, and lines that make no sense do no harm."""
    own = ['route 198.19.50.0 255.255.255.0', 'route 198.19.51.0 255.255.255.0 10.60.0.1', 'dhcp-option DNS 10.8.8.8']

    def stays(name):
        out = l.run('ip', 'route')
        check('198.19.50.0/24' in out and '198.19.51.0/24' in out, 'the routes of the profile: ' + out)
        check('10.8.8.8' in l.field(name, 'IP4.DNS'), l.field(name, 'IP4.DNS'))
    s = modern(l, 'update', ['server-ipv6 fd60:77::/64', 'push "route 198.18.1.0 255.255.255.0"',
                             'push "dhcp-option DNS 10.9.9.9"'])

    def tell(text):
        out = s.manage('push-update-broad "%s"' % text, wait=r'SUCCESS|ERROR')
        check('SUCCESS' in out, out)

    def becomes(what, cond):
        """The server sends an update when its next timer fires, up to 15 s later, and looks at timers when there is
        traffic."""
        def look():
            l.run('ping', '-n', '-q', '-c', '1', '-W', '1', s.tun4, ok=False)
            return cond()
        wait_for(what, look, 15, 0.1)

    def then(name):
        dev, mark = l.device(s), l.mark()

        def default():
            return re.search('^default .*dev ' + dev, l.run('ip', 'route'), re.M)
        check('198.18.1.0/24' in l.run('ip', 'route'), 'the first route')
        tell('route 198.18.2.0 255.255.255.0, route 198.18.3.0 255.255.255.0, ?block-ipv6')
        becomes('new routes', lambda: [x in l.run('ip', 'route') for x in (
            '198.18.1.0/24', '198.18.2.0/24', '198.18.3.0/24')] == [False, True, True])
        l.ping(s)
        tell('dhcp-option DNS 10.9.9.8, dhcp-option DOMAIN corp.test')
        # NetworkManager (1.42 to 1.58) looks at the name servers of a VPN once only
        becomes('a word about it', lambda: 'changed the name servers' in l.log_since(mark))
        tell('-route, -dhcp-option, tun-mtu 1320')
        becomes('no routes', lambda: '198.18' not in l.run('ip', 'route'))
        stays(name)
        becomes('the MTU', lambda: l.tunnels()[dev][1] == 1320)
        tell('redirect-gateway def1, route 300.1.2.3 nonsense, ?no-such-option 1, dhcp-option DNS nowhere')
        becomes('the default route', default)
        l.ping(s)
        tell('-redirect-gateway')
        becomes('no default route', lambda: not default())
        stays(name)
        check(l.device(s) == dev, 'the device stayed')
        l.ping(s, 5)
        check('RECONNECTING' not in l.log_since(mark), 'the session went on')
    l.cycle(s, own, then=then)
    l.drop_server(s.name)


def epochs(cipher, proto):
    def f(l):
        s = modern(l, 'epoch-%s-%s' % (cipher, proto), ['data-ciphers ' + cipher], proto=proto)

        def then(name):
            check('aead-epoch' in s.log(), 'the server does not use epochs')
            l.ping(s, 50, size=1400)
            l.on_server('ping', '-n', '-q', '-c', '20', '-i', '0.02', '-W', '2', '-s', '1372',
                        l.tunnels()[l.device(s)][0][0])
        l.cycle(s, ['data-ciphers ' + cipher], then=then)
        l.drop_server(s.name)
    return f


for _c in ('AES-256-GCM', 'AES-128-GCM', 'CHACHA20-POLY1305'):
    add('newer', 'epochs-' + _c.lower(), epochs(_c, 'udp'))
add('newer', 'epochs-tcp', epochs('AES-256-GCM', 'tcp'))


def same_mss(rows, **kw):
    """With epochs the head is four bytes longer."""
    def f(l):
        data_sizes.mss('epoch', ['disable-dco'], rows, program=newer_openvpn(), **kw)(l)
    return f


add('newer', 'mss-epoch', same_mss(['', 'mssfix 1300', 'mssfix 1300 mtu', 'tun-mtu 1400']))
add('newer', 'mss-epoch-fragment', same_mss(['', 'mssfix 1000'], both=['fragment 1300']))
