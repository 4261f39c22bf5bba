# SPDX-License-Identifier: GPL-2.0-or-later
"""What the server pushes reaches NetworkManager: addresses, routes, names, default routes, sizes."""
import json
import re

from lab import Failed, S4, check, wait_for
from registry import add, scenario


def pushes(*lines):
    return ['push "%s"' % x for x in lines]


def with_server(l, name, lines, client=(), then=None, **kw):
    s = l.server('push-' + name, lines)
    try:
        l.cycle(s, client, then=(lambda n: then(s, n)) if then else None, **kw)
    finally:
        l.drop_server(s.name)


def has(l, name, field, pattern):
    value = l.field(name, field)
    check(re.search(pattern, value), '%s is “%s”, expected /%s/' % (field, value, pattern))


def topology(kind):
    def f(l):
        def then(s, name):
            addrs, _ = l.tunnels()[l.device(s)]
            check(len([a for a in addrs if '.' in a]) == 1, 'one IPv4 address: %s' % addrs)
        with_server(l, 'top-' + kind, ['!topology', 'topology ' + kind, 'push "topology %s"' % kind], then=then)
    return f


for _t in ('subnet', 'net30', 'p2p'):
    add('push', 'topology-' + _t, topology(_t))


@scenario
def ipv6_inside(l):
    s = l.server('push-v6', ['server-ipv6 fd60:77::/64'])
    l.cycle(s, then=lambda n: l.ping(s, target='fd60:77::1'))
    l.drop_server('push-v6')


@scenario
def ipv6_only_inside(l):
    s = l.server('push-v6only', ['!server', '!topology', 'mode server', 'tls-server', 'server-ipv6 fd60:78::/64'])

    def then(name):
        check(len(l.tunnels()) == 1, 'one tunnel')
        l.ping(s, target='fd60:78::1', dev=list(l.tunnels())[0])
    l.cycle(s, ping=False, then=then)
    l.drop_server('push-v6only')


@scenario
def routes(l):
    """NetworkManager 1.42 gives every route of a VPN its own metric, with NetworkManager-openvpn as well."""
    def then(s, name):
        dev = l.device(s)
        out = l.run('ip', 'route', 'show', 'dev', dev)
        for want in ('198.18.1.0/24', r'198.18.2.7\b', '198.18.3.0/24'):
            check(re.search(want, out), 'route %s is missing: %s' % (want, out))
        out = l.run('ip', '-6', 'route', 'show', 'dev', dev)
        check('fd61::/48' in out, 'IPv6 route is missing: ' + out)
        has(l, name, 'IP4.ROUTE', '198.18.1.0/24')
    with_server(l, 'routes', ['server-ipv6 fd60:79::/64'] + pushes(
        'route 198.18.1.0 255.255.255.0', 'route 198.18.2.7', 'route 198.18.3.0 255.255.255.0 vpn_gateway 77',
        'route-ipv6 fd61::/48'), then=then)


@scenario
def routes_of_the_profile(l):
    def then(s, name):
        out = l.run('ip', 'route', 'show', 'dev', l.device(s))
        check('198.18.9.0/24' in out, out)
    with_server(l, 'own-routes', [], ['route 198.18.9.0 255.255.255.0'], then=then)


@scenario
def route_around_the_tunnel(l):
    def then(s, name):
        out = l.run('ip', 'route', 'get', '198.18.5.1')
        check('dev veth0' in out, 'net_gateway route: ' + out)
        check('198.18.5.0' in l.log_since(mark), 'not a word about it in the log')
    mark = l.mark()
    with_server(l, 'netgw', pushes('route 198.18.5.0 255.255.255.0 net_gateway'), then=then)


@scenario
def route_nopull(l):
    def then(s, name):
        out = l.run('ip', 'route', 'show', 'dev', l.device(s))
        check('198.18.1.0/24' not in out, 'a route was taken: ' + out)
    with_server(l, 'nopull', pushes('route 198.18.1.0 255.255.255.0'), ['route-nopull'], then=then)


@scenario
def dns_classic(l):
    def then(s, name):
        has(l, name, 'IP4.DNS', r'10\.9\.9\.9')
        has(l, name, 'IP4.DNS', r'10\.9\.9\.8')
        has(l, name, 'IP4.DOMAIN', r'corp\.test')
        has(l, name, 'IP4.DOMAIN', r'lab\.test')
        has(l, name, 'IP6.DNS', r'fd60:9::9')
    with_server(l, 'dns', ['server-ipv6 fd60:80::/64'] + pushes(
        'dhcp-option DNS 10.9.9.9', 'dhcp-option DNS 10.9.9.8', 'dhcp-option DOMAIN corp.test',
        'dhcp-option DOMAIN-SEARCH lab.test', 'dhcp-option DNS6 fd60:9::9'), then=then)


def resolving(l):
    """{(DNS servers): domains} that NetworkManager knows for VPNs; "~corp.test" is a routing domain."""
    out = l.run('busctl', '--json=short', 'get-property', 'org.freedesktop.NetworkManager',
                '/org/freedesktop/NetworkManager/DnsManager', 'org.freedesktop.NetworkManager.DnsManager',
                'Configuration')
    return {tuple(e['nameservers']['data']): e.get('domains', {}).get('data', [])
            for e in json.loads(out)['data'] if e['vpn']['data']}


def dns(name, lines, want, note=None):
    def f(l):
        mark = l.mark()

        def then(s, n):
            seen = []
            try:
                wait_for('', lambda: seen.append(resolving(l)) or seen[-1] == want, 2, 0.1)
            except Failed:
                raise Failed('DNS: %s' % seen[-1])
            check(not note or re.search(note, l.log_since(mark)), 'no note: ' + l.log_since(mark)[-300:])
        with_server(l, 'dns-' + name, lines, then=then, ping='!server' not in lines)
    add('push', 'dns-' + name, f)


V6 = ['server-ipv6 fd60:81::/64']
SPLIT = ['search-domains lab.test', 'server 1 resolve-domains corp.test sub.test']
NAMES = ['lab.test', '~corp.test', '~sub.test']


def modern(*lines):
    return pushes(*['dns ' + x for x in lines])


dns('split', modern('server 1 address 10.9.9.9 10.9.9.8', *SPLIT), {('10.9.9.9', '10.9.9.8'): NAMES})
dns('split-ipv6-server', V6 + modern('server 1 address fd60:9::9 [fd60:9::8]:53', *SPLIT),
    {('fd60:9::9', 'fd60:9::8'): NAMES})
dns('split-both', V6 + modern('server 1 address 10.9.9.9 fd60:9::9', *SPLIT),
    {('10.9.9.9',): NAMES, ('fd60:9::9',): NAMES})
dns('split-ipv6-only', ['!server', '!topology', 'mode server', 'tls-server'] + V6 + modern(
    'server 1 address fd60:9::9', *SPLIT), {('fd60:9::9',): NAMES})
dns('lowest-number', modern('server 2 address 10.9.9.2', 'server 1 address 10.9.9.1'), {('10.9.9.1',): []})
dns('of-the-wrong-kind', modern('server 1 address 10.9.9.9 fd60:9::9'), {('10.9.9.9',): []}, 'left out')
dns('other-port', modern('server 1 address 10.9.9.9:5353 10.9.9.8'), {('10.9.9.8',): []}, '5353')
dns('next-group', modern('server 1 address 10.9.9.9:5353', 'server 2 address fd60:9::9', 'server 3 address 10.9.9.3'),
    {('10.9.9.3',): []}, 'left out')
dns('over-tls', modern('server 1 address 10.9.9.9', 'server 1 transport DoT', 'server 1 dnssec yes'),
    {('10.9.9.9',): []}, '(?s)dns-over-tls.*DNSSEC')
dns('route-of-dhcp-option', pushes('dhcp-option DNS 10.9.9.9', 'dhcp-option DOMAIN d.test',
                                   'dhcp-option DOMAIN-ROUTE corp.test'), {('10.9.9.9',): ['d.test', '~corp.test']})


def default_dev(l, family='-4'):
    out = l.run('ip', family, 'route', 'get', '192.0.2.1' if family == '-4' else '2001:db8::1', ok=False)[1]
    return out


@scenario
def no_default_route_unless_said(l):
    def then(s, name):
        check('dev veth0' in default_dev(l), default_dev(l))
    with_server(l, 'split', [], then=then)


@scenario
def redirect_gateway(l):
    l.on_server('ip', 'addr', 'replace', '192.0.2.1/32', 'dev', 'lo')

    def then(s, name):
        dev = l.device(s)
        check('dev ' + dev in default_dev(l), default_dev(l))
        check('dev veth0' in l.run('ip', 'route', 'get', S4), 'the server itself stays outside')
        l.ping(s, target='192.0.2.1')
    with_server(l, 'full', pushes('redirect-gateway def1'), then=then)


@scenario
def redirect_gateway_ipv6(l):
    def then(s, name):
        dev = l.device(s)
        check('dev ' + dev in default_dev(l, '-6'), default_dev(l, '-6'))
        check('dev veth0' in default_dev(l), default_dev(l))
    with_server(l, 'full6', ['server-ipv6 fd60:81::/64'] + pushes('redirect-gateway ipv6 !ipv4'), then=then)


@scenario
def redirect_gateway_of_the_profile(l):
    def then(s, name):
        check('dev ' + l.device(s) in default_dev(l), default_dev(l))
    with_server(l, 'full-own', [], ['redirect-gateway def1'], then=then)


def redirected(*flags):
    """Flags that say how OpenVPN sets its routes: NetworkManager has its own way, the tunnel is a full one."""
    def f(l):
        l.on_server('ip', 'addr', 'replace', '192.0.2.1/32', 'dev', 'lo')

        def then(s, name):
            check('dev ' + l.device(s) in default_dev(l), default_dev(l))
            check('dev veth0' in l.run('ip', 'route', 'get', S4), 'the server itself stays outside')
            check('dev veth0' in l.run('ip', 'route', 'get', '10.213.0.77'), 'the local network stays outside')
            l.ping(s, target='192.0.2.1')
        line = ' '.join(('redirect-gateway',) + flags)
        with_server(l, 'flags', pushes(line), then=then)
        with_server(l, 'flags-own', [], [line], then=then)
    return f


for _flags in (('autolocal',), ('local', 'def1'), ('def1', 'bypass-dhcp'), ('def1', 'bypass-dns'),
               ('autolocal', 'def1', 'bypass-dhcp', 'bypass-dns')):
    add('push', 'redirect-gateway-' + '-'.join(_flags), redirected(*_flags))


@scenario
def redirect_private(l):
    """Takes flags as redirect-gateway does, but the default route is not changed."""
    def then(s, name):
        dev = l.device(s)
        check('dev veth0' in default_dev(l), default_dev(l))
        check('dev ' + dev in l.run('ip', 'route', 'get', '198.18.1.1'), 'the route of the server')
        check('dev veth0' in l.run('ip', 'route', 'get', S4), 'the server itself stays outside')
    lines = ('redirect-private def1 bypass-dhcp', 'route 198.18.1.0 255.255.255.0')
    with_server(l, 'private', pushes(*lines), then=then)
    with_server(l, 'private-own', [], lines, then=then)


@scenario
def redirect_private_block_local(l):
    def then(s, name):
        check('dev veth0' in default_dev(l), default_dev(l))
        check('dev ' + l.device(s) in l.run('ip', 'route', 'get', '10.213.0.77'), 'the local network is not closed')
        check('dev veth0' in l.run('ip', 'route', 'get', S4), 'the server itself stays outside')
    with_server(l, 'private-local', pushes('redirect-private block-local'), then=then)


@scenario
def never_default_wins(l):
    def then(s, name):
        check('dev veth0' in default_dev(l), default_dev(l))
    with_server(l, 'never', pushes('redirect-gateway def1'), then=then,
                settings={'ipv4.never_default': 'yes'})


@scenario
def block_ipv6(l):
    """The word alone: IPv4 goes its own way, and nothing leaves by IPv6."""
    def then(s, name):
        out = default_dev(l, '-6')
        check('dev veth0' not in out, 'IPv6 goes past the tunnel: ' + out)
        check('dev veth0' in default_dev(l), 'IPv4: ' + default_dev(l))
        # a program learns at once that IPv6 is closed: the engine answers as OpenVPN's does
        rc, told = l.run('/usr/bin/python3', '-c', 'import socket; socket.create_connection(("2001:db8::1", 80), 5)',
                         ok=False)
        check(rc and 'nreachable' in told, 'connecting by IPv6: ' + told[-200:])
    with_server(l, 'block6', pushes('block-ipv6'), then=then)
    wait_for('IPv6 is restored', lambda: 'dev veth0' in default_dev(l, '-6'))


@scenario
def mtu(l):
    def then(s, name):
        addrs, got = l.tunnels()[l.device(s)]
        check(got == 1380, 'device MTU is %d' % got)
    with_server(l, 'mtu', ['tun-mtu 1380', 'push "tun-mtu 1380"'], then=then)


@scenario
def pull_filter(l):
    def then(s, name):
        check('dev veth0' in default_dev(l), default_dev(l))
    with_server(l, 'filter', pushes('redirect-gateway def1'), ['pull-filter ignore "redirect-gateway"'],
                then=then)


@scenario
def hostile_values_do_no_harm(l):
    with_server(l, 'odd', pushes('route 300.1.2.3 255.255.255.0', 'dhcp-option DNS nonsense', 'setenv-safe A b',
                                 'no-such-option 1 2 3', 'route 10.0.0.0 255.0.255.0'))


@scenario
def new_values_after_a_restart(l):
    s = l.server('push-change', pushes('route 198.18.20.0 255.255.255.0') +
                 ['keepalive 1 4', 'push "explicit-exit-notify 1"'])
    name = l.import_profile(l.profile(s, ['connect-retry 1 1']))
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        l.ping(s)
        s.stop()
        s.config = s.config.replace('198.18.20.0', '198.18.21.0')
        s.start()
        wait_for('the new route', lambda: '198.18.21.0/24' in l.run('ip', 'route'), 20, 0.2)
        wait_for('the old route is gone', lambda: '198.18.20.0' not in l.run('ip', 'route'))
        l.ping(s)
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('push-change')


@scenario
def ipv6_taken_back(l):
    """The server restarts without IPv6: nothing of it is left, and IPv6 goes its own way again."""
    s = l.server('push-back', ['server-ipv6 fd60:82::/64', 'keepalive 1 4', 'push "explicit-exit-notify 1"'] + pushes(
        'redirect-gateway ipv6 !ipv4', 'route-ipv6 fd61:82::/48'))
    name = l.import_profile(l.profile(s, ['connect-retry 1 1']))
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        check('dev ' + l.device(s) in default_dev(l, '-6'), default_dev(l, '-6'))
        s.stop()
        s.config = '\n'.join(x for x in s.config.splitlines() if 'ipv6' not in x) + '\n'
        s.start()
        wait_for('IPv6 is as before', lambda: 'dev veth0' in default_dev(l, '-6') and 'fd61:82' not in l.run(
            'ip', '-6', 'route') and 'fd60:82' not in l.run('ip', '-6', 'address'), 20, 0.2)
        l.works(s)
        l.ping(s)
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('push-back')


import push_less  # noqa: E402,F401
