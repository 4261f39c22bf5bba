# SPDX-License-Identifier: GPL-2.0-or-later
"""What the profile keeps away from NetworkManager, or puts elsewhere: route-noexec, dns-updown disable, block-ipv4,
route-table."""
from lab import S4, check, wait_for
from push import default_dev, has, pushes, with_server
from registry import scenario


@scenario
def route_noexec(l):
    """No route of the server or of the profile is set, and the default route stays; names of servers are taken."""
    def then(s, name):
        dev = l.device(s)
        check('dev veth0' in default_dev(l), default_dev(l))
        out = l.run('ip', 'route', 'show', 'dev', dev)
        check('198.18.' not in out, 'a route was set: ' + out)
        l.ping(s)
        has(l, name, 'IP4.DNS', '10.9.8.7')
    with_server(l, 'noexec', pushes('redirect-gateway def1', 'route 198.18.1.0 255.255.255.0', 'dhcp-option DNS 10.9.8.7'),
                ['route-noexec', 'route 198.18.2.0 255.255.255.0'], then=then)


@scenario
def dns_updown_disable(l):
    """Name servers and search domains of the server are not taken, routes are."""
    def then(s, name):
        check('10.9.8.7' not in l.field(name, 'IP4.DNS'), 'the name server was taken')
        check('example.net' not in l.field(name, 'IP4.DOMAIN') + l.field(name, 'IP4.SEARCHES'), 'the domain was taken')
        has(l, name, 'IP4.ROUTE', '198.18.1.0/24')
    with_server(l, 'no-dns', pushes('route 198.18.1.0 255.255.255.0', 'dhcp-option DNS 10.9.8.7',
                                    'dhcp-option DOMAIN example.net', 'dns search-domains example.net'),
                ['dns-updown disable'], then=then)


@scenario
def block_ipv4(l):
    """A tunnel with IPv6 only: IPv4 does not go past it, and programs learn that at once."""
    def then(name):
        dev = list(l.tunnels())[0]
        check('dev ' + dev in default_dev(l), 'IPv4 goes past the tunnel: ' + default_dev(l))
        check('dev veth0' in l.run('ip', 'route', 'get', S4), 'the server itself stays outside')
        rc, told = l.run('/usr/bin/python3', '-c', 'import socket; socket.create_connection(("192.0.2.1", 80), 5)', ok=False)
        check(rc and 'nreachable' in told, 'connecting by IPv4: ' + told[-200:])
        l.ping(s, target='fd60:7a::1', dev=dev)
    s = l.server('push-block4', ['!server', '!topology', 'mode server', 'tls-server', 'server-ipv6 fd60:7a::/64'])
    l.cycle(s, ['block-ipv4'], ping=False, then=then)
    wait_for('IPv4 is restored', lambda: 'dev veth0' in default_dev(l))
    l.drop_server('push-block4')


@scenario
def route_table(l):
    """Routes of the profile are in the table of the last route-table before them; the server's are in the main one."""
    def then(s, name):
        dev = l.device(s)

        def there(net, table, want=True):
            out = l.run('ip', 'route', 'show', 'table', table, ok=False)[1]
            return any(net in x and dev in x for x in out.splitlines()) == want
        for net, table in (('198.18.1.0/24', 'main'), ('198.18.2.0/24', '100'), ('198.18.3.0/24', '4242'),
                           ('198.18.9.0/24', 'main')):
            wait_for('%s in table %s' % (net, table), lambda n=net, t=table: there(n, t), 5)
        check(there('198.18.2.0/24', 'main', False), 'also in the main table')
        l.ping(s)
    with_server(l, 'table', pushes('route 198.18.9.0 255.255.255.0'),
                ['route 198.18.1.0 255.255.255.0', 'route-table 100', 'route 198.18.2.0 255.255.255.0', 'route-table 4242',
                 'route 198.18.3.0 255.255.255.0'], then=then)
