# SPDX-License-Identifier: GPL-2.0-or-later
"""Which way packets go: no IPv6 past a full tunnel, names and keywords in routes, many routes, what NetworkManager's own
settings say."""
import re
import time

from lab import S4, check, wait_for
from push import default_dev, pushes, with_server
from registry import scenario

# Sends UDP and ICMP by IPv6 to the world and prints how many of these packets were seen on the uplink, on their way out.
SNIFF = r'''
import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
s.bind(("veth0", 0))
s.settimeout(0.05)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
n, end = 0, time.monotonic() + 1.0
while time.monotonic() < end:
    try:
        u.sendto(b"leak", ("2001:db8::53", 53))
        u.sendto(b"leak", ("2400:cb00::1", 443))
    except OSError:
        pass
    try:
        while True:
            p, a = s.recvfrom(2048)
            out = a[2] == socket.PACKET_OUTGOING
            if out and p[0] >> 4 == 6 and p[24:26] not in (b"\xfd\x42", b"\xfe\x80") and p[24] != 0xff:
                n += 1
    except OSError:
        pass
print(n)
'''


def leaked(l):
    return int(l.run('/usr/bin/python3', '-c', SNIFF).strip())


def blocked(l):
    """Nothing goes past the tunnel, and programs are told at once."""
    n = leaked(l)
    check(n == 0, '%d IPv6 packets went past the tunnel' % n)
    rc, told = l.run('/usr/bin/python3', '-c', 'import socket; socket.create_connection(("2001:db8::1", 80), 5)', ok=False)
    check(rc and 'nreachable' in told, 'connecting by IPv6: ' + told[-200:])


@scenario
def no_ipv6_past_a_full_tunnel(l):
    check(leaked(l) > 0, 'the capture sees IPv6 when there is no tunnel')
    mark = l.mark()

    def then(s, name):
        check('dev ' + l.device(s) in default_dev(l), default_dev(l))
        blocked(l)
        check('IPv6 is blocked' in l.log_since(mark), 'the log says why')
        l.ping(s)
    with_server(l, 'leak', pushes('redirect-gateway def1'), then=then)
    wait_for('IPv6 is restored after the tunnel', lambda: 'dev veth0' in default_dev(l, '-6'))
    check(leaked(l) > 0, 'IPv6 is not restored after the tunnel')


@scenario
def no_ipv6_past_a_full_tunnel_of_an_old_profile(l):
    """NetworkManager-openvpn's profiles take the default route without being told."""
    def then(s, name):
        check(leaked(l) == 0, 'IPv6 went past the tunnel')
    with_server(l, 'leak-old', [], settings={'data': 'default-route='}, then=then)


@scenario
def no_ipv6_past_two_halves(l):
    def then(s, name):
        check(leaked(l) == 0, 'IPv6 went past the tunnel')
    with_server(l, 'leak-halves', pushes('route 0.0.0.0 128.0.0.0', 'route 128.0.0.0 128.0.0.0'), then=then)


@scenario
def no_ipv6_past_two_halves_of_the_profile(l):
    """Import puts them into ipv4.routes."""
    def then(s, name):
        check(leaked(l) == 0, 'IPv6 went past the tunnel')
    with_server(l, 'leak-own-halves', [], ['route 0.0.0.0 128.0.0.0', 'route 128.0.0.0 128.0.0.0'], then=then)


@scenario
def no_ipv6_past_a_tunnel_of_small_packets(l):
    """Below 1280 bytes Linux has no IPv6 on a device."""
    def then(s, name):
        n = leaked(l)
        check(n == 0, '%d IPv6 packets went past the tunnel' % n)
        l.ping(s)
    with_server(l, 'leak-small', ['tun-mtu 1200'] + pushes('redirect-gateway def1', 'tun-mtu 1200'), then=then)


INSIDE6 = ['server-ipv6 fd60:79::/64'] + pushes('redirect-gateway def1', 'route-ipv6 fd61:79::/48')


@scenario
def no_ipv6_past_a_tunnel_with_some_ipv6(l):
    """Only IPv4 is redirected, and the tunnel has IPv6 for two networks: these work, the rest is refused at once."""
    mark = l.mark()
    l.on_server('ip', 'address', 'add', 'fd61:79::1/128', 'dev', 'lo', ok=False)

    def then(s, name):
        blocked(l)
        check('the rest of IPv6 is blocked' in l.log_since(mark), 'the log says why')
        l.ping(s)
        l.ping(s, target='fd60:79::1')
        l.ping(s, target='fd61:79::1')
    try:
        with_server(l, 'leak-some', INSIDE6, then=then)
    finally:
        l.on_server('ip', 'address', 'del', 'fd61:79::1/128', 'dev', 'lo', ok=False)
    check('dev veth0' in default_dev(l, '-6'), default_dev(l, '-6'))


@scenario
def ipv6_leak_protection_off_with_some_ipv6(l):
    def then(s, name):
        check(leaked(l) > 0, 'IPv6 is blocked all the same')
        l.ping(s, target='fd60:79::1')
    with_server(l, 'leak-some-off', INSIDE6, settings={'data': 'ipv6-leak-protection=no'}, then=then)


@scenario
def ipv6_leak_protection_off(l):
    def then(s, name):
        check('dev ' + l.device(s) in default_dev(l), default_dev(l))
        check(leaked(l) > 0, 'IPv6 is blocked all the same')
    with_server(l, 'leak-off', pushes('redirect-gateway def1'), settings={'data': 'ipv6-leak-protection=no'}, then=then)


@scenario
def split_tunnel_leaves_ipv6_alone(l):
    def then(s, name):
        check(leaked(l) > 0, 'IPv6 is blocked by a split tunnel')
    with_server(l, 'leak-split', pushes('route 198.18.1.0 255.255.255.0'), then=then)


@scenario
def ten_thousand_routes(l):
    """All of them arrive, in a time that is printed."""
    nets = ['10.%d.%d.%d' % (100 + i // 16384, i // 64 % 256, i % 64 * 4) for i in range(10000)]
    s = l.server('routing-many', pushes(*['route %s 255.255.255.252' % n for n in nets]))
    name = l.import_profile(l.profile(s))
    try:
        begin = time.monotonic()
        rc, out, took = l.up(name, timeout=60)
        check(rc == 0, out)
        dev = l.device(s)
        wait_for('10,000 routes', lambda: len(re.findall(r'^10\.1\d\d\.', l.run(
            'ip', 'route', 'show', 'dev', dev), re.M)) == 10000, 60, 0.2)
        print('  10,000 pushed routes: up in %.1f s, in place after %.1f s' % (took, time.monotonic() - begin),
              flush=True)
        l.ping(s)
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server(s.name)
    wait_for('the routes are gone', lambda: '10.100.' not in l.run('ip', 'route'), 20, 0.2)


def name_address(l, name, *addresses):
    """A name in /etc/hosts of the client."""
    with open(l.scratch + '/etc/hosts', 'a') as f:
        f.writelines('%s %s\n' % (a, name) for a in addresses)


@scenario
def names_in_routes(l):
    """Names of the profile always, names of the server with allow-pull-fqdn; every address of a name gets its route."""
    name_address(l, 'own.test', '198.18.44.7')
    name_address(l, 'pushed.test', '198.18.45.7', '198.18.45.8')
    mark = l.mark()

    def then(s, name):
        out = l.run('ip', 'route', 'show', 'dev', l.device(s))
        for want in ('198.18.44.7', '198.18.45.7', '198.18.45.8', '198.18.46.0/24'):
            check(want in out, want + ' is missing: ' + out)
        check('nowhere.invalid' in l.log_since(mark), 'the log names what was not found')
    with_server(l, 'names', pushes('route pushed.test', 'route nowhere.invalid', 'route 198.18.46.0 255.255.255.0'),
                ['allow-pull-fqdn', 'route own.test'], then=then)

    def without(s, name):
        out = l.run('ip', 'route', 'show', 'dev', l.device(s))
        check('198.18.45.7' not in out and '198.18.46.0/24' in out, out)
    with_server(l, 'no-names', pushes('route pushed.test', 'route 198.18.46.0 255.255.255.0'), then=without)


@scenario
def names_of_a_server_that_restarts(l):
    """A look-up ends with its session; the next session looks up again."""
    name_address(l, 'again.test', '198.18.47.7')
    s = l.server('routing-again', pushes('route again.test', 'explicit-exit-notify 1') + ['keepalive 1 4'])
    name = l.import_profile(l.profile(s, ['connect-retry 1 1', 'allow-pull-fqdn']))
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        s.stop()
        s.start()
        l.works(s)
        wait_for('the route of the name', lambda: '198.18.47.7' in l.run('ip', 'route'))
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server(s.name)


@scenario
def default_route_as_a_route(l):
    """`route 0.0.0.0 0.0.0.0` is a default route as well."""
    def then(s, name):
        check('dev ' + l.device(s) in default_dev(l), default_dev(l))
        check('dev veth0' in l.run('ip', 'route', 'get', S4), 'the server itself stays outside')
    with_server(l, 'route-all', [], ['route 0.0.0.0 0.0.0.0'], then=then)
    with_server(l, 'route-all-pushed', pushes('route 0.0.0.0 0.0.0.0'), then=then)


@scenario
def metrics(l):
    """Those of the profile count, with route-metric too; that those of the server do not, is said."""
    mark = l.mark()

    def then(s, name):
        out = l.run('ip', 'route', 'show', 'dev', l.device(s))
        check(re.search(r'198\.18\.61\.0/24 .*metric 61', out) and re.search(r'198\.18\.62\.0/24 .*metric 44', out), out)
        check(re.search(r'198\.18\.63\.0/24 .*metric 50', out), out)
        check('metrics of the VPN' in l.log_since(mark), 'nothing is said about the metric of the server')
    with_server(l, 'metrics', pushes('route 198.18.63.0 255.255.255.0 vpn_gateway 63'),
                ['route-metric 44', 'route 198.18.61.0 255.255.255.0 vpn_gateway 61', 'route 198.18.62.0 255.255.255.0'],
                then=then)


@scenario
def gateways_of_routes(l):
    """The words for gateways. What NetworkManager cannot do is said: a full tunnel takes those routes too."""
    mark = l.mark()

    def then(s, name):
        dev = l.device(s)
        out = l.run('ip', 'route')
        check('198.18.64.0/24 dev ' + dev in out or '198.18.64.0/24 via ' + s.tun4 in out, out)
        check('198.18.65.0/24' not in out and '198.18.66.0/24' not in out, out)
        check('dev veth0' in l.run('ip', 'route', 'get', S4), 'the server itself stays outside')
        told = re.findall(r'The route to (\S+) outside the tunnel cannot be set', l.log_since(mark))
        check(sorted(told) == ['198.18.65.0/24', '198.18.66.0/24'], 'told: %s' % told)
    with_server(l, 'gateways', pushes(
        'redirect-gateway def1', 'route 198.18.65.0 255.255.255.0 net_gateway', 'route remote_host 255.255.255.255 net_gateway'),
        ['route 198.18.64.0 255.255.255.0 vpn_gateway', 'route 198.18.66.0 255.255.255.0 net_gateway'], then=then)


@scenario
def proxy_configuration(l):
    """dhcp-option PROXY_AUTO_CONFIG_URL reaches NetworkManager; what it has no use for is told."""
    mark = l.mark()

    def then(s, name):
        log = l.log_since(mark, True)
        check('web proxy' in log and 'time server' in log, log[-600:])
    with_server(l, 'pac', pushes('dhcp-option PROXY_AUTO_CONFIG_URL http://wpad.test/p.pac', 'dhcp-option NTP 10.0.0.1',
                                 'dhcp-option PROXY_HTTP 10.0.0.2 3128'), then=then)


@scenario
def block_local(l):
    """The local network cannot be reached beside the tunnel; the server can."""
    def then(s, name):
        dev = l.device(s)
        check('dev ' + dev in l.run('ip', 'route', 'get', '10.213.0.77'), l.run('ip', 'route', 'get', '10.213.0.77'))
        check('dev ' + dev in l.run('ip', 'route', 'get', '10.213.0.200'), l.run('ip', 'route', 'get', '10.213.0.200'))
        check('dev veth0' in l.run('ip', 'route', 'get', S4), 'the server itself stays outside')
        l.ping(s)
    with_server(l, 'local', pushes('redirect-gateway def1 block-local'), then=then)
    wait_for('the local network is restored', lambda: 'dev veth0' in l.run('ip', 'route', 'get', '10.213.0.77'))


@scenario
def pull_filter_order(l):
    """The first filter that fits counts."""
    def then(s, name):
        out = l.run('ip', 'route', 'show', 'dev', l.device(s))
        check('198.18.50.0/24' in out and '198.18.51.0/24' not in out and '198.18.52.0/24' in out, out)
        check('10.9.9.9' not in l.field(name, 'IP4.DNS'), l.field(name, 'IP4.DNS'))
    with_server(l, 'filters', pushes('route 198.18.50.0 255.255.255.0', 'route 198.18.51.0 255.255.255.0',
                                     'route 198.18.52.0 255.255.255.0', 'dhcp-option DNS 10.9.9.9'),
                ['pull-filter accept "route 198.18.50."', 'pull-filter ignore "route 198.18.50"',
                 'pull-filter ignore "route 198.18.51"', 'pull-filter ignore "dhcp-option DNS"',
                 'pull-filter accept "dhcp-option"'], then=then)


@scenario
def pull_filter_reject(l):
    s = l.server('routing-reject', pushes('route 198.18.51.0 255.255.255.0'))
    try:
        l.refused(s, ['pull-filter reject "route 198."'], cause='198')
    finally:
        l.drop_server(s.name)
