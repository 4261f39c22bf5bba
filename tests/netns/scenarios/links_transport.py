# SPDX-License-Identifier: GPL-2.0-or-later
"""<connection> blocks with keys and options of their own, and options of sockets as the kernel shows them."""
import re

from lab import C4, S4, check
from links import inline, silence
from registry import scenario


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
                                 'tun-mtu 1400', 'mssfix 1200', 'explicit-exit-notify 1')], then=then)


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
    s = l.server('udp')
    l.cycle(s, ['remote-random', 'remote %s %d' % (S4, s.port)])
