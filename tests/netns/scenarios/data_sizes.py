# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes of packets: fragment, mssfix, the MTUs."""
from lab import C4, check
from registry import add
from sniff import Sniffer


def on_wire(l):
    return Sniffer(['ip', 'netns', 'exec', l.server_ns], 'veth0')


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
