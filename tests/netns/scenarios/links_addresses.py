# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses of all kinds: of the server, and of this computer."""
import re
import threading

from dnsd import Dns
from lab import C4, C6, S4, S6, check
from links_transport import sockets
from registry import add, scenario
from staying_more import hosts


def link_local(proto, lines=(), full=False):
    """remote fe80::...%veth0, as in networks without a router; also as a full tunnel."""
    def f(l):
        of = re.search(r'inet6 (fe80::\S+)/64', l.on_server('ip', '-6', 'address', 'show', 'dev', 'veth0')).group(1)
        s = l.server('link-local', ['server-ipv6 fd60:71::/64'] + (['push "redirect-gateway def1 ipv6"'] if full else []),
                     proto=proto)

        def then(name):
            out = l.run('ss', '-Hn', '-u' if proto == 'udp6' else '-t', 'dport', '=', ':%d' % s.port)
            check('%veth0' in out or 'float' in lines, 'the socket is not bound to the link: ' + out)
            l.ping(s)
            l.ping(s, target='fd60:71::1')
        try:
            l.cycle(s, lines, remote=of + '%veth0', then=then)
        finally:
            l.drop_server('link-local')
    return f


add('links', 'link-local-udp', link_local('udp6'))
add('links', 'link-local-udp-float', link_local('udp6', ['float']))
add('links', 'link-local-tcp', link_local('tcp6-server'))
add('links', 'link-local-full-tunnel', link_local('udp6', full=True))


@scenario
def link_local_of_no_interface(l):
    l.refused(l.server('udp6', proto='udp6'), remote='fe80::1%nosuch0', cause='There is no network interface “nosuch0”')


def named(l, name, *addresses):
    with open(l.scratch + '/etc/hosts', 'a') as f:
        f.writelines('%s %s\n' % (a, name) for a in addresses)


@scenario
def local_as_a_name(l):
    """Of both kinds; the one that fits the server's address is used."""
    named(l, 'own-name.test', C6, C4)
    s = l.server('udp')
    l.cycle(s, ['local own-name.test', '!nobind', 'lport 4323'],
            then=lambda n: check(C4 + ':4323' in sockets(l, s), sockets(l, s)))
    l.cycle(l.server('udp6', proto='udp6'), ['local own-name.test'], remote=S6)
    l.refused(s, ['local nothing.invalid'], cause='The local address nothing.invalid cannot be used')


@scenario
def local_of_the_other_kind(l):
    l.refused(l.server('udp'), ['local ' + C6], cause='has no IPv6 address')


@scenario
def a_name_in_its_own_letters(l):
    named(l, 'xn--mnchen-3ya.test', S4)
    l.cycle(l.server('udp'), remote='münchen.test')


@scenario
def network_of_ipv6_alone(l):
    """The uplink has no IPv4 at all; the name of the server has both, and the tunnel takes all traffic."""
    l.nmcli('connection', 'modify', 'base', 'ipv4.method', 'disabled', 'ipv4.addresses', '', 'ipv4.gateway', '', 'ipv4.dns', '')
    l.nmcli('connection', 'up', 'base')
    hosts(l, S4)
    named(l, 'moving.test', S6)
    l.on_server('ip', 'address', 'replace', '192.0.2.1/32', 'dev', 'lo')
    s = l.server('ipv6-alone', ['server-ipv6 fd60:72::/64', '!proto', 'proto udp6', 'push "redirect-gateway def1 ipv6"'])

    def then(name):
        l.ping(s, target='192.0.2.1')
        l.ping(s, target='fd60:72::1')
    try:
        l.cycle(s, ['!proto', 'proto udp'], remote='moving.test', then=then)
    finally:
        hosts(l, None)
        l.nmcli('connection', 'modify', 'base', 'ipv4.method', 'manual', 'ipv4.addresses', C4 + '/24', 'ipv4.gateway', S4,
                'ipv4.dns', S4)
        l.nmcli('connection', 'up', 'base')
        l.drop_server('ipv6-alone')


@scenario
def remote_random_hostname(l):
    """Six random bytes in front of the name, other ones for each attempt."""
    s = l.server('udp')
    with Dns(l, {r'[0-9a-f]{12}\.random\.test': [S4]}) as d:
        for _ in range(2):
            l.cycle(s, ['remote-random-hostname'], remote='random.test')
    names = {x for x in d.asked if x.endswith('random.test')}
    check(len(names) == 2 and 'random.test' not in names, 'asked for %s' % names)


@scenario
def name_of_several_addresses(l):
    """Of which the last one is a server's."""
    s = l.server('udp')
    with Dns(l, {'many.test': ['10.213.0.%d' % n for n in range(100, 105)] + [S4]}):
        l.cycle(s, remote='many.test')


@scenario
def name_server_wakes_up_late(l):
    """It is silent at first: the look-up goes on."""
    s = l.server('udp')
    name = l.import_profile(l.profile(s, remote='late.test'))
    with Dns(l, {'late.test': [S4]}) as d:
        d.mute = True
        threading.Timer(2.5, lambda: setattr(d, 'mute', False)).start()
        try:
            rc, out, _ = l.up(name, timeout=60)
            check(rc == 0, out)
            l.ping(s)
        finally:
            l.down(name)
            l.delete(name)
