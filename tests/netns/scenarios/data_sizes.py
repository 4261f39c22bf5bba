# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes of packets: fragment, mssfix, the MTUs."""
import errno
import json
import os
import re
import signal
import socket

from lab import C4, C6, S4, S6, check, sh, wait_for
from registry import add, scenario
from sniff import Sniffer, in_network


def on_wire(l):
    return Sniffer(l.server_ns, 'veth0')


def fragment(tag, size, lines=(), outer=0, client=()):
    """Large and small pings both ways; no packet on the wire is larger than the limit."""
    def f(l):
        both = ['fragment %s' % size] + list(lines)
        s = l.server('fragment-' + tag, both)
        limit = int(size.split()[0]) - outer

        def then(name):
            dev = l.device(s)
            with on_wire(l) as w:
                for n in (1, 56, 600, 1200, 1472, 9000):
                    l.ping(s, 3, size=n)
                    l.on_server('ping', '-n', '-q', '-c', '3', '-i', '0.02', '-W', '2', '-s', str(n),
                                l.tunnels()[dev][0][0])
            seen = {out: [p['size'] for p in w.udp(s.port) if (p['src'] == C4) == out] for out in (True, False)}
            for out, sizes in seen.items():
                who = 'we' if out else 'the server'
                check(sizes and max(sizes) <= limit, '%s sent %d bytes, limit %d' % (who, max(sizes or [0]), limit))
                check(max(sizes) > limit * 0.6 - 40, '%s sent at most %d bytes' % (who, max(sizes)))
        try:
            l.cycle(s, both + list(client), then=then)
        finally:
            l.drop_server(s.name)
    return f


for _tag, _size, _lines, _outer in (
        ('gcm', '600', ['cipher AES-256-GCM'], 0), ('mtu', '1300 mtu', [], 28),
        ('cbc', '700', ['data-ciphers AES-256-CBC', 'auth SHA256'], 0),
        ('lzo', '500', ['comp-lzo no'], 0), ('stub', '1000', ['compress'], 0),
        ('v2', '900', ['compress stub-v2'], 0), ('tiny', '200', [], 0)):
    add('data', 'fragment-' + _tag, fragment(_tag, _size, _lines, _outer))


# ---- MSS: what openvpn's own client makes of the same lines

def knock(l, s, dev, mine, sdev):
    """MSS of a connection attempt each way, over IPv4 and IPv6, as it arrives behind the tunnel."""
    def attempt(address):
        with socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET) as c:
            c.settimeout(20)
            return c.connect_ex((address, 9)) == errno.ECONNREFUSED

    def knock_at(namespace, address):
        wait_for('an answer of port 9 of ' + address, lambda: in_network(namespace, lambda: attempt(address)))
    with Sniffer(l.server_ns, sdev) as at_server, Sniffer(l.client_ns, dev) as at_client:
        for there, here in ((s.tun4, mine[0]), (s.tun6, mine[1])):
            knock_at(l.client_ns, there)
            knock_at(l.server_ns, here)
    return [next((p['mss'] for p in w.syns() if p['dst'] == to and p['dport'] == 9), None)
            for w, to in ((at_server, s.tun4), (at_client, mine[0]), (at_server, s.tun6), (at_client, mine[1]))]


def addresses(l, dev):
    """(IPv4, IPv6, MTU) of an interface of the client once it has both."""
    def found():
        rc, out = l.run('ip', '-j', 'address', 'show', 'dev', dev, ok=False)
        if rc:
            return None
        d = json.loads(out)[0]
        a = {x['family']: x['local'] for x in d.get('addr_info', []) if x.get('scope') == 'global'}
        return len(a) == 2 and 'UP' in d['flags'] and (a['inet'], a['inet6'], d['mtu'])
    return wait_for('addresses of ' + dev, found)


def stock(l, s, text, sdev, program=('openvpn',)):
    """The same profile with openvpn's own client."""
    path = '%s/stock.ovpn' % l.scratch
    with open(path, 'w') as f:
        f.write(re.sub('^dev (tun|tap)$', r'dev-type \1\ndev stock0', text, flags=re.M))
    p, pid = l.start(*program, '--config', path, log=l.scratch + '/stock.log')
    try:
        a, b, mtu = addresses(l, 'stock0')
        return knock(l, s, 'stock0', (a, b), sdev) + [mtu]
    finally:
        os.kill(pid, signal.SIGTERM)
        p.wait(60)
        wait_for('the stock client is gone', lambda: 'stock0' not in l.tunnels())


def both_clients(l, s, text, program=('openvpn',)):
    """What openvpn's own client and ours make of a profile: the MSS of knock() and the MTU, of each. The server's device
    is mss0."""
    want = stock(l, s, text, 'mss0', program)
    name = l.import_profile(text)
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        dev = wait_for('the device', lambda: next(iter(l.tunnels()), None))
        a, b, mtu = addresses(l, dev)
        return want, knock(l, s, dev, (a, b), 'mss0') + [mtu]
    finally:
        l.down(name)
        l.delete(name)


def mss(tag, server_lines, rows, proto='udp', remote=None, both=(), kind='tun', program=('openvpn',)):
    def f(l):
        net6 = 'server-ipv6 fd60:%x::/64' % (l.server_count + 1)
        s = l.server('mss-' + tag, ['!dev', 'dev mss0', 'mssfix 0', net6, 'dev-type ' + kind] + list(server_lines) +
                     list(both), proto=proto, program=program)
        wrong = []
        try:
            for row in rows:
                lines = ['!dev', 'dev ' + kind] + list(both) + [x for x in row.split('; ') if x]
                want, got = both_clients(l, s, l.profile(s, lines, remote=remote), program)
                if got != want:
                    wrong.append('%s: openvpn %s, we %s' % (row or 'default', want, got))
        finally:
            l.drop_server(s.name)
        check(not wrong, '; '.join(wrong))
    return f


NO_PUSH = 'pull-filter ignore tun-mtu'
for _tag, _server, _rows, _more in (
        ('gcm', [], ['', 'mssfix 1300', 'mssfix 1300 mtu', 'mssfix 1300 fixed', 'mssfix 0', 'tun-mtu 1400',
                     'tun-mtu-extra 32; mssfix 1450 mtu; tun-mtu-max 1800', 'tun-mtu 1400; ' + NO_PUSH], {}),
        ('link-mtu', [], ['link-mtu 1400'] + ['link-mtu 1400; ' + NO_PUSH + x for x in (
            '', '; cipher AES-256-GCM', '; cipher AES-128-CBC', '; mssfix 1200')], {}),
        ('link-mtu-cbc', [], ['link-mtu 1400; ' + NO_PUSH, 'link-mtu 1400; cipher AES-256-CBC; ' + NO_PUSH],
         {'both': ['data-ciphers AES-256-CBC', 'auth SHA256']}),
        ('cbc', [], ['', 'mssfix 1300 mtu', 'mssfix 1001'], {'both': ['data-ciphers AES-256-CBC', 'auth SHA256']}),
        ('tcp', [], ['', 'mssfix 1300', 'link-mtu 1400; ' + NO_PUSH], {'proto': 'tcp'}),
        ('udp6', [], ['', 'mssfix 1300'], {'proto': 'udp6', 'remote': S6}),
        ('lzo', [], [''], {'both': ['comp-lzo no']}),
        ('fragment', [], ['', 'mssfix 1000', 'mssfix 0'], {'both': ['fragment 1300']}),
        ('fragment-mtu', [], [''], {'both': ['fragment 1300 mtu']}),
        ('tap', [], ['', 'mssfix 1300'], {'kind': 'tap'}),
        ('pushed-1400', ['tun-mtu 1400'], ['', 'tun-mtu 1450'], {}),
        ('pushed-1700', ['tun-mtu 1700'], ['', 'tun-mtu-max 1800'], {})):
    add('data', 'mss-' + _tag, mss(_tag, _server, _rows, **_more))


@scenario
def fragment_in_a_connection_block(l):
    """The block says it, the profile does not."""
    s = l.server('fragment-block', ['fragment 700'])
    block = '<connection>\nremote %s %d\nfragment 700\nmssfix 650\n</connection>' % (S4, s.port)

    def then(name):
        with on_wire(l) as w:
            l.ping(s, 5, size=1400)
        sizes = [p['size'] for p in w.udp(s.port)]
        check(sizes and 300 < max(sizes) <= 700, 'sizes on the wire: %s' % sizes)
    l.cycle(s, ['!remote', block], then=then)
    l.drop_server(s.name)


@scenario
def fragment_under_load(l):
    """16 MB each way in segments that are all cut, and datagrams larger than the tunnel."""
    both = ['fragment 1000', 'mssfix 0']
    s = l.server('fragment-load', both)

    def then(name):
        with l.iperf(s.tun4):
            for more in ([], ['-R']):
                out = json.loads(l.run('iperf3', '-J', '-c', s.tun4, '-n', '16M', *more))
                speed = out['end']['sum_received']['bits_per_second'] / 1e6
                print('    %.0f Mbit/s %s' % (speed, ' '.join(more)), flush=True)
                check(speed > 2, 'only %.0f Mbit/s %s' % (speed, more))
            l.ping(s, 3, size=9000)
    l.cycle(s, both, then=then)
    l.drop_server(s.name)


def mtu_disc(word, df, passes):
    """Whether the datagrams may be cut on their way; those that may not and are too big go nowhere."""
    def f(l):
        s = l.server('mtu-disc')

        def then(name):
            with on_wire(l) as sn:
                l.ping(s, 5, size=500)
            seen = [p['df'] for p in sn.udp(s.port) if p['dport'] == s.port]
            check(seen and all(x == df for x in seen), 'DF of our packets: %s' % seen)
            rc, out = l.run('ping', '-n', '-c', '2', '-i', '0.1', '-W', '1', '-M', 'dont', '-s', '1472', '-I', l.device(s),
                            s.tun4, ok=False)
            check((rc == 0) == passes, out)
            l.ping(s)
        try:
            l.cycle(s, ['mtu-disc ' + word] if word else [], then=then)
        finally:
            l.drop_server('mtu-disc')
    return f


for _word, _df, _passes in (('', False, True), ('no', False, True), ('maybe', True, True), ('yes', True, False)):
    add('data', 'mtu-disc-' + (_word or 'unset'), mtu_disc(_word, _df, _passes))


def path(l, mtu):
    for ns in (l.client_ns, l.server_ns):
        sh('ip', '-n', ns, 'link', 'set', 'veth0', 'mtu', str(mtu))


def whole(l, s, limit, sends=True):
    """A connection through the tunnel in both directions: none of its packets is cut, and some are nearly as large as the
    path allows."""
    def largest():
        with on_wire(l) as w:
            with l.iperf(s.tun4):
                for more in ([], ['-R']):
                    l.run('iperf3', '-c', s.tun4, '-n', '1M', *more)
        cut = [p for p in w.packets if p['proto'] == 'fragment' or p.get('fragment')]
        check(not cut, '%d fragments at a path of %d' % (len(cut), limit))
        return [max(p['size'] for p in w.udp(s.port) if p['src' if mine else 'dst'] in (C4, C6)) for mine in (True, False)]
    sizes = largest()
    heads = 28 if s.proto == 'udp' else 48
    check(all(limit - heads - 70 < n <= limit - heads for n in sizes), 'largest packets %s at a path of %d' % (sizes, limit))


def narrow(proto, lines=()):
    """The network takes less than Ethernet, then still less while the tunnel is up, then all again: the segments of TCP
    connections inside follow, and nothing is cut on the way."""
    def f(l):
        path(l, 1420)
        s = l.server('narrow-' + proto, ['mssfix 0'] + list(lines), proto=proto)

        def then(name):
            whole(l, s, 1420)
            path(l, 1300)
            l.ping(s, size=1350)  # the path is looked at again

            def follows():
                l.ping(s, 1)
                return 'another size' in l.log_since(mark)
            mark = l.mark()
            wait_for('the path is followed', follows)
            whole(l, s, 1300)
        try:
            l.cycle(s, list(lines), remote=S6 if proto == 'udp6' else None, then=then)
        finally:
            path(l, 1500)
            l.drop_server(s.name)
            l.nmcli('connection', 'up', 'base', ok=False)
    return f


add('data', 'mss-narrow-path', narrow('udp'))
add('data', 'mss-narrow-path-ipv6', narrow('udp6'))
add('data', 'mss-narrow-path-fragment', narrow('udp', ['fragment 1400']))
