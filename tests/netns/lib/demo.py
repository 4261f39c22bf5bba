# SPDX-License-Identifier: GPL-2.0-or-later
"""The story that tests/demo tells. usage: demo.py TREE"""
import json
import re
import sys

from lab import Lab, S4, check

PUSH = ['push "route 198.18.1.0 255.255.255.0"', 'push "dhcp-option DNS 10.9.9.9"',
        'push "dhcp-option DOMAIN corp.test"', 'server-ipv6 fd60:1::/64', 'push "route-ipv6 fd61::/48"']


def say(text):
    print('\n== ' + text, flush=True)


def show(text):
    print('\n'.join('   ' + x for x in text.rstrip().splitlines()), flush=True)


def throughput(l, s):
    with l.iperf(s.tun4):
        for label, more in (('to the server', []), ('from the server', ['-R'])):
            out = json.loads(l.run('iperf3', '-J', '-c', s.tun4, '-t', '3', *more))
            show('%-16s %.2f Gbit/s' % (label, out['end']['sum_received']['bits_per_second'] / 1e9))


def story(l):
    s = l.server('demo', PUSH)
    before = l.snapshot()
    say('A profile with everything inline')
    text = l.profile(s, ['remote-cert-tls server', 'verify-x509-name server.test name'])
    show('\n'.join(x for x in text.splitlines() if x and ' ' in x and '-----' not in x) +
         '\n<ca>, <cert>, <key>: inline')
    say('nmcli connection import type openvpn file demo.ovpn')
    name = l.import_profile(text, 'demo')
    show('imported as “%s”' % name)
    say('nmcli connection up demo')
    rc, out, took = l.up(name)
    show('%s\n(%.0f ms)' % (out, took * 1000))
    check(rc == 0, l.log_since(manager=True)[-3000:])
    say('What runs in the client now (no openvpn program)')
    ns = {'user': 'Uid', 'capabilities': 'CapEff', 'seccomp': 'Seccomp'}
    for pid, program in sorted(l.programs().items()):
        with open('/proc/%d/status' % pid) as f:
            status = dict(x.split(':', 1) for x in f if ':' in x)
        show('%-18s %s' % (program, '  '.join('%s %s' % (k, status[v].split()[0]) for k, v in ns.items())))
    say('What NetworkManager knows')
    text = l.nmcli('-f', 'vpn.data,GENERAL.STATE,IP4,IP6', 'connection', 'show', name)
    show(re.sub(r'base64\\?,[A-Za-z0-9+/=]{9,}', 'base64,…', text))
    say('Routes through the tunnel')
    show(l.run('ip', 'route', 'show', 'dev', l.device(s)))
    say('ping through the tunnel, packets counted on its device')
    l.ping(s, 5)
    l.ping(s, 5, target='fd60:1::1')
    show('10 of 10 answered; device %s has counted %d packets in, %d out' % (
        (l.device(s),) + l.counters(l.device(s))))
    say('iperf3 through the tunnel, 3 seconds each way')
    throughput(l, s)
    say('nmcli connection down demo')
    l.down(name)
    l.delete(name)
    before['programs'] = []
    l.clean(before, 30)
    show('No tunnel device, route, process or file is left.')


def main():
    say('Two network namespaces: a server (openvpn, %s) and a client with its own NetworkManager' % S4)
    l = Lab(sys.argv[1], vpn_level='INFO')
    try:
        story(l)
    finally:
        l.close()


main()
