# SPDX-License-Identifier: GPL-2.0-or-later
"""Transports, control channel wrapping, remotes, inline and file profiles, several connections."""
import glob
import os
import re
import shutil
import subprocess

from lab import C4, S4, S6, VPN_TYPE, check, wait_for
from pki import read
from registry import add, scenario
from sniff import Sniffer


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


SILENT = ('table inet silent { chain i { type filter hook input priority 0; '
          'udp dport 7 drop; tcp dport 7 drop; }; }')  # port 7 swallows everything, port 9 is closed


def silence(l):
    path = l.scratch + '/silent.nft'
    with open(path, 'w') as f:
        f.write(SILENT)
    if l.on_server('nft', 'list', 'table', 'inet', 'silent', ok=False)[0]:
        l.on_server('nft', '-f', path)


def next_remote(first, within, n=1):
    """The first remotes do not answer; the next one is reached in time."""
    def f(l):
        silence(l)
        s = l.server('udp')
        name = l.import_profile(l.profile(s, ['!remote'] + [first] * n + ['remote %s %d' % (S4, s.port)]))
        port = int(first.split()[2])
        try:
            with Sniffer(l.server_ns, 'veth0') as seen:
                rc, out, took = l.up(name, timeout=70)
            check(rc == 0, out)
            check(took < 20, 'connected only after %.1fs' % took)
            gap = seen.between(port, s.port)  # the busier the machine, the longer is the rest
            check((gap is None) == (S4 not in first) and (gap or 0) < within, 'asked %s s after the first' % gap)
            l.ping(s)
        finally:
            l.down(name)
            l.delete(name)
    return f


for _name, _first, _within, _n in (
        ('udp-closed', 'remote %s 9' % S4, 2, 1), ('udp-silent', 'remote %s 7' % S4, 4, 1),
        ('tcp-closed', 'remote %s 9 tcp-client' % S4, 2, 1), ('tcp-silent', 'remote %s 7 tcp-client' % S4, 4, 1),
        ('no-such-name', 'remote nothing.invalid 9', 2, 1), ('no-such-host', 'remote 10.213.0.99 9', 4, 1),
        ('udp-six-silent', 'remote %s 7' % S4, 16, 6)):
    add('links', 'next-remote-' + _name, next_remote(_first, _within, _n))


def tap(proto):
    def f(l):
        s = l.server('tap-' + proto, ['!dev', 'dev tap', 'server-ipv6 fd60:99::/64',
                                      'push "route 198.18.1.0 255.255.255.0"'], proto=proto)

        def then(name):
            dev = l.device(s)
            check('link/ether' in l.run('ip', 'link', 'show', dev), dev + ' is not an Ethernet device')
            check('198.18.1.0/24 via ' + s.tun4 in l.run('ip', 'route'), l.run('ip', 'route'))
            l.ping(s, target='fd60:99::1', dev=dev)
            l.ping(s, 5, size=1400)
            l.on_server('ping', '-n', '-q', '-c', '3', '-i', '0.1', '-W', '2', l.tunnels()[dev][0][0])
        try:
            l.cycle(s, ['!dev', 'dev tap'], then=then)
        finally:
            l.drop_server('tap-' + proto)
    return f


for _proto in ('udp', 'tcp'):
    add('links', 'tap-' + _proto, tap(_proto))


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
        wait_for('the tunnel is gone', lambda: not l.tunnels())
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


# What differs by design: names of files that stand in blocks now, keepalive as ping and ping-restart, client as
# tls-client and pull, the fixed port of equal peers as a line, a proxy without login as "auto".
SAME_MEANING = re.compile(r"^(config|\w*_file(_up)?|inline_creds|keepalive_\w+|client|bind_defined|auth_method_string) = ")


def as_openvpn_reads_it(l, path):
    """(Does openvpn 2.6 take the file; its parameters, or None where it does not come so far). Files that the profile
    names are made, empty, where they are missing."""
    for _ in range(8):
        p = subprocess.Popen(
            ['ip', 'netns', 'exec', l.server_ns, 'openvpn', '--cd', os.path.dirname(path), '--config', path, '--verb', '4',
             '--dev', 'null', '--management', l.scratch + '/hold', 'unix', '--management-hold',
             '--management-query-passwords'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='surrogateescape')
        errors, missing, lines, done = [], [], [], False
        try:
            for line in p.stdout:
                if 'Need hold release' in line:
                    done = True
                    break
                lines += re.findall(r'us=\d+  +(\S.*? = .*)', line)
                missing += re.findall(r"fails with '(.*)': No such file", line)
                if 'Options error' in line and not re.search('No such file|Please correct', line):
                    errors.append(line)
        finally:
            p.kill()
            p.wait()
            p.stdout.close()
        missing = [os.path.join(os.path.dirname(path), f) for f in missing]
        if done or not missing or not all(f.startswith(l.scratch) for f in missing):
            break
        for f in missing:
            os.makedirs(os.path.dirname(f), exist_ok=True)
            open(f, 'a').close()
            os.chmod(f, 0o600)
    return done or not errors, sorted(x for x in lines if not SAME_MEANING.match(x)) if done else None


CONF = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../conf'))


def round_trip(l, path):
    """nmcli imports it, exports it, and imports that with the same result; openvpn takes the export and reads the same
    parameters in it."""
    taken, before = as_openvpn_reads_it(l, path)
    name, out = os.path.basename(path)[:-5], os.path.dirname(path) + '/round-trip.ovpn'
    first = ''
    for source in (path, out):
        l.nmcli('connection', 'import', 'type', VPN_TYPE, 'file', source)
        new = name if source is path else 'round-trip'
        try:
            data = l.nmcli('-s', '-e', 'no', '-g', 'vpn.data,ipv4.routes,ipv4.dns,ipv4.never-default', 'connection', 'show',
                           new)
            if source is path:
                first = data
                l.nmcli('connection', 'export', name, out)
        finally:
            l.delete(new)
    check(first and data == first, '%s changed: %s / %s' % (name, first, data))
    also, after = as_openvpn_reads_it(l, out)
    check(also or not taken, name + ': openvpn does not take the export')
    check(before is None or before == after, '%s means something else: %s' % (
        name, sorted(set(before or []) ^ set(after or []))))


def round_trips(paths):
    def f(l):
        folder = l.scratch + '/conf'
        if not os.path.isdir(folder):
            shutil.copytree(CONF, folder)
        for path in paths:
            round_trip(l, '%s/%s' % (folder, os.path.basename(path)))
    return f


_paths = [p for p in sorted(glob.glob(CONF + '/*.ovpn')) if not os.path.basename(p).startswith('bad-')]
for _i in range(0, len(_paths), 40):
    add('links', 'round-trips-%d' % (_i // 40 + 1), round_trips(_paths[_i:_i + 40]))


import links_addresses  # noqa: E402,F401
import links_dhcp  # noqa: E402,F401
import links_dynamic  # noqa: E402,F401
import links_frames  # noqa: E402,F401
import links_p2p  # noqa: E402,F401
import links_transport  # noqa: E402,F401
