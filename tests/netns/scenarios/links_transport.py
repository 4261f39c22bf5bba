# SPDX-License-Identifier: GPL-2.0-or-later
"""<connection> blocks with keys and options of their own, and options of sockets as the kernel shows them."""
import re
import time

from lab import C4, S4, S6, check, wait_for
from links import inline, silence
from registry import add, scenario
from sniff import Sniffer


def block(*lines):
    return '<connection>\n%s\n</connection>' % '\n'.join(lines)


def sockets(l, s, proto='-u'):
    return l.run('ss', '-Hnm', proto, 'dst', S4, 'dport', '=', ':%d' % s.port)


@scenario
def blocks_with_keys(l):
    """The first server is away; the second one's key is inline in its block."""
    silence(l)
    a, b = l.pki.static_key('block-a'), l.pki.static_key('block-b')
    s = l.server('block-b', ['tls-crypt ' + b])
    l.cycle(s, ['!remote', block('remote %s 7 udp' % S4, inline('tls-crypt', a)),
                block('remote %s %d udp' % (S4, s.port), inline('tls-crypt', b))])


@scenario
def blocks_with_key_files(l):
    silence(l)
    a, b = l.pki.static_key('block-a'), l.pki.static_key('block-b')
    s = l.server('block-file', ['tls-auth %s 0' % b])
    l.cycle(s, ['!remote', 'tls-auth %s 1' % a, block('remote %s 7 udp' % S4),
                block('remote %s %d udp' % (S4, s.port), 'tls-auth %s 1' % b)])


@scenario
def block_with_key_direction_and_sizes(l):
    k = l.pki.static_key('block-b')
    s = l.server('block-dir', ['tls-auth %s 0' % k, 'tun-mtu 1400', 'mssfix 1200'])

    def then(name):
        check(l.tunnels()[l.device(s)][1] == 1400, 'MTU %s' % l.tunnels())
    l.cycle(s, ['!remote', block('remote %s %d udp' % (S4, s.port), 'key-direction 1', inline('tls-auth', k),
                                 'tun-mtu 1400', 'mssfix 1200', 'explicit-exit-notify 1'),
                'pull-filter ignore tun-mtu'], then=then)


@scenario
def local_port(l):
    s = l.server('udp')
    l.cycle(s, ['!nobind', 'lport 4321'], then=lambda n: check(C4 + ':4321' in sockets(l, s), sockets(l, s)))


@scenario
def bind(l):
    s = l.server('udp')
    l.cycle(s, ['!nobind', 'bind'], then=lambda n: check(C4 + ':1194' in sockets(l, s), sockets(l, s)))


@scenario
def local_in_a_block(l):
    s = l.server('udp')
    l.cycle(s, ['!nobind', '!remote', block('remote %s %d' % (S4, s.port), 'local ' + C4, 'lport 4322')],
            then=lambda n: check(C4 + ':4322' in sockets(l, s), sockets(l, s)))


@scenario
def bind_dev(l):
    s = l.server('udp')
    l.cycle(s, ['bind-dev veth0'], then=lambda n: check(C4 + '%veth0:' in sockets(l, s), sockets(l, s)))


@scenario
def mark(l):
    """A rule of the client sees the mark."""
    s = l.server('udp')
    l.run('nft', 'add', 'table', 'inet', 'marked')
    try:
        l.run('nft', 'add', 'chain', 'inet', 'marked', 'o', '{ type filter hook output priority 0; }')
        l.run('nft', 'add', 'rule', 'inet', 'marked', 'o', 'meta', 'mark', '0x4d2', 'udp', 'dport', str(s.port),
              'counter')
        l.cycle(s, ['mark 1234'])
        out = l.run('nft', 'list', 'table', 'inet', 'marked')
        check(int(re.search(r'packets (\d+)', out).group(1)) > 5, out)
    finally:
        l.run('nft', 'delete', 'table', 'inet', 'marked')


@scenario
def buffers(l):
    s = l.server('udp')

    def then(name):
        got = re.search(r'rb(\d+),.*tb(\d+)', sockets(l, s))
        check(got and got.groups() == ('600000', '800000'), sockets(l, s))  # the kernel doubles
    l.cycle(s, ['rcvbuf 300000', 'sndbuf 400000'], then=then)


@scenario
def port_as_a_service_name(l):
    s = l.server('named', ['!port', 'port 1194'])
    l.cycle(s, ['!remote', 'remote %s openvpn' % S4])


@scenario
def remote_random(l):
    """Eight names of one server: with the option not always the same is the first, without it always."""
    s, names = l.server('udp'), ['r%d.test' % n for n in range(8)]
    with open(l.scratch + '/etc/hosts', 'a') as f:
        f.write('%s %s\n' % (S4, ' '.join(names)))

    def firsts(lines):
        seen = set()
        for _ in range(6):
            mark = l.mark()
            l.cycle(s, ['!remote'] + ['remote %s %d' % (n, s.port) for n in names] + lines, ping=False)
            seen.add(re.search(r'connecting to (r\d)\.test', l.log_since(mark)).group(1))
        return seen
    check(len(firsts(['remote-random'])) > 1, 'always the same')
    check(firsts([]) == {'r0'}, 'another order without remote-random')


def outer(l, s, name, *ping):
    """The types of service of the packets that the server gets while we ping."""
    with Sniffer(l.server_ns, 'veth0') as w:
        l.run('ping', '-n', '-q', '-c', '5', '-i', '0.02', '-W', '2', *ping, s.tun4)
    return {p['tos'] for p in w.udp(s.port) if p['dport'] == s.port}


@scenario
def passtos(l):
    """The inner type of service is the outer one, over IPv4 and IPv6; without passtos it is not."""
    s = l.server('tos')
    try:
        l.cycle(s, ['passtos'], then=lambda n: check(0xb8 in outer(l, s, n, '-Q', '0xba'), 'not copied'))
        l.cycle(s, [], then=lambda n: check(outer(l, s, n, '-Q', '0xb8') == {0}, 'copied without passtos'))
    finally:
        l.drop_server('tos')
    s = l.server('tos6', proto='udp6')
    try:
        l.cycle(s, ['passtos'], remote=S6, then=lambda n: check(0x48 in outer(l, s, n, '-Q', '0x48'), 'not copied over IPv6'))
    finally:
        l.drop_server('tos6')


def shaped(pushed):
    def f(l):
        line = 'shaper 50000'
        s = l.server('shaper', ['push "%s"' % line] if pushed else [])

        def then(name):
            begin = time.monotonic()
            with Sniffer(l.server_ns, 'veth0') as w:
                l.run('ping', '-n', '-q', '-c', '100', '-i', '0.005', '-s', '1000', '-W', '1', s.tun4, ok=False)
            took = time.monotonic() - begin
            sent = sum(p['total'] for p in w.udp(s.port) if p['dport'] == s.port)
            # 100 kB are offered within half a second
            check(sent <= 50000 * took * 1.15 + 4000, '%d bytes in %.2f s' % (sent, took))
            check(sent > 15000, 'only %d bytes in %.2f s' % (sent, took))
            l.ping(s)
        try:
            l.cycle(s, [] if pushed else [line], then=then)
        finally:
            l.drop_server('shaper')
    return f


add('links', 'shaper', shaped(False))
add('links', 'shaper-pushed', shaped(True))


@scenario
def client_nat(l):
    """Two addresses that only we know: of the server (profile), and ours as the server sees it (pushed)."""
    s = l.server('nat', ['push "client-nat snat 10.98.0.0 255.255.255.0 10.61.7.0"'])

    def then(name):
        dev = l.device(s)
        l.run('ip', 'address', 'add', '10.98.0.5/32', 'dev', dev)
        with Sniffer(l.client_ns, dev) as w:
            l.run('ping', '-n', '-q', '-c', '3', '-i', '0.05', '-W', '2', '10.97.0.1')
        check('10.97.0.1' in {p['src'] for p in w.packets}, 'no answer from 10.97.0.1')
        # the server tells, since nobody has that address there
        l.run('ping', '-n', '-q', '-c', '3', '-i', '0.05', '-W', '0.1', '-I', '10.98.0.5', s.tun4, ok=False)
        wait_for('the other address', lambda: 'bad source address from client [10.61.7.5]' in s.log())
    try:
        l.cycle(s, ['client-nat dnat 10.97.0.0 255.255.255.0 ' + s.net4, 'route 10.97.0.0 255.255.255.0'], then=then)
    finally:
        l.drop_server('nat')
