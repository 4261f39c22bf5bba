# SPDX-License-Identifier: GPL-2.0-or-later
"""Transports, control channel wrapping, remotes, inline and file profiles, several connections."""
from lab import C4, S4, S6, check, wait_for
from pki import read
from registry import add, scenario


def inline(tag, path):
    return '<%s>\n%s</%s>' % (tag, read(path), tag)


def transport(proto, remote, server_proto):
    def f(l):
        l.cycle(l.server(server_proto, proto=server_proto), remote=remote, size=1300)
    return f


for _name, _proto, _remote in (('udp4', 'udp', S4), ('udp6', 'udp6', S6), ('tcp4', 'tcp', S4),
                               ('tcp6', 'tcp6-server', S6)):
    add('links', _name, transport(_proto, _remote, _proto))


@scenario
def file_names(l):
    l.cycle(l.server('udp'), inline=False)


@scenario
def host_name(l):
    l.cycle(l.server('udp'), remote='server.test')


@scenario
def tls_auth_both_ways(l):
    k = l.pki.static_key('ta')
    l.cycle(l.server('ta', ['tls-auth ' + k, 'auth SHA256']), [inline('tls-auth', k), 'auth SHA256'])


@scenario
def tls_auth_direction(l):
    k = l.pki.static_key('ta')
    l.cycle(l.server('ta-dir', ['tls-auth %s 0' % k]), ['key-direction 1', inline('tls-auth', k)])


@scenario
def tls_auth_file_sha512(l):
    k = l.pki.static_key('ta')
    l.cycle(l.server('ta-512', ['tls-auth %s 0' % k, 'auth SHA512']), ['tls-auth %s 1' % k, 'auth SHA512'])


@scenario
def tls_crypt(l):
    k = l.pki.static_key('tc')
    l.cycle(l.server('tc', ['tls-crypt ' + k]), [inline('tls-crypt', k)])


@scenario
def tls_crypt_tcp(l):
    k = l.pki.static_key('tc')
    l.cycle(l.server('tc-tcp', ['tls-crypt ' + k], proto='tcp'), ['tls-crypt ' + k])


@scenario
def tls_crypt_v2(l):
    s = l.server('v2', ['tls-crypt-v2 %s allow-noncookie' % l.pki.v2_server()])
    l.cycle(s, [inline('tls-crypt-v2', l.pki.v2_client())])


@scenario
def tls_crypt_v2_force_cookie(l):
    s = l.server('v2c', ['tls-crypt-v2 %s force-cookie' % l.pki.v2_server()])
    l.cycle(s, [inline('tls-crypt-v2', l.pki.v2_client())])


@scenario
def tls_crypt_v2_tcp_file(l):
    s = l.server('v2t', ['tls-crypt-v2 ' + l.pki.v2_server()], proto='tcp')
    l.cycle(s, ['tls-crypt-v2 ' + l.pki.v2_client()])


@scenario
def next_remote(l):
    """The first remote is closed; the second is taken."""
    s = l.server('udp')
    l.cycle(s, ['!remote', 'remote %s 9' % S4, 'remote %s %d' % (S4, s.port), 'server-poll-timeout 2',
                'hand-window 10'])


@scenario
def local_address(l):
    l.cycle(l.server('udp'), ['local ' + C4])


@scenario
def two_at_once(l):
    a, b = l.server('udp'), l.server('second', proto='tcp')
    before = l.snapshot()
    names = [l.import_profile(l.profile(s)) for s in (a, b)]
    try:
        for n in names:
            rc, out, _ = l.up(n)
            check(rc == 0, out)
        check(len(l.tunnels()) == 2, 'two devices: %s' % l.tunnels())
        l.ping(a)
        l.ping(b)
        l.down(names[0])
        wait_for('first tunnel gone', lambda: len(l.tunnels()) == 1)
        l.ping(b)
        l.down(names[1])
        l.clean(before)
    finally:
        for n in names:
            l.delete(n)


@scenario
def again_and_again(l):
    s = l.server('udp')
    name = l.import_profile(l.profile(s))
    for _ in range(5):
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        l.ping(s, 1)
        l.down(name)
    l.delete(name)


@scenario
def export_gives_a_profile_that_connects(l):
    s = l.server('udp')
    name = l.import_profile(l.profile(s, ['verb 4', 'mssfix 1300']))
    out = l.scratch + '/exported.ovpn'
    l.nmcli('connection', 'export', name, out)
    l.delete(name)
    text = read(out)
    check('mssfix 1300' in text, 'an option was lost: ' + text)
    name = l.import_profile(text)
    rc, msg, _ = l.up(name)
    check(rc == 0, msg)
    l.ping(s)
    l.down(name)
    l.delete(name)
