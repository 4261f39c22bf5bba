# SPDX-License-Identifier: GPL-2.0-or-later
"""Failing over as Happy Eyeballs does: silent addresses and servers are passed by within a second, in their order, and
without asking many at once."""
import re
import signal
import time

from dnsd import Dns
from lab import S4, S6, check, wait_for
from life import Up
from links import silence
from registry import add, scenario
from sniff import Sniffer
from staying import crash, path_rule
from staying_more import Disorder, hosts

SILENT = 'remote %s 7' % S4


def connects(l, s, lines, within, then=None, after=7, most=15, **kw):
    """The server is asked less than `within` seconds after the first one was (at port `after`), as the wire shows, and
    the connection is up soon; what the wire showed goes to then()."""
    silence(l)
    name = l.import_profile(l.profile(s, lines, **kw))
    try:
        with Sniffer(l.server_ns, 'veth0') as seen:
            rc, out, took = l.up(name, timeout=70)
        check(rc == 0, out)
        print('    up after %.1f s' % took, flush=True)
        check(took < most, 'connected only after %.1f s' % took)
        if after:
            soon(seen.between(after, s.port), within)
        l.ping(s)
        if then:
            then(seen)
    finally:
        l.down(name)
        l.delete(name)


def soon(gap, within):
    check(gap is not None and gap < within, 'the server was asked %s s after the first' % gap)


def first_times(seen, port):
    return [p for p in seen.packets if p.get('dport') == port]


def race(first, n, within, proto='udp'):
    def f(l):
        s = l.server('race-' + proto, proto=proto)
        p = '' if proto == 'udp' else ' tcp-client'

        def then(seen):
            asked = len(first_times(seen, 7))
            print('    %d packets to silent servers' % asked, flush=True)
            check(asked <= 8 * n, '%d packets to %d silent servers' % (asked, n))
        connects(l, s, ['!remote', '!proto'] + [first + p] * n + ['remote %s %d%s' % (S4, s.port, p)], within, then)
        check(s.log().count('Peer Connection Initiated') >= 1, 'no session')
    return f


for _proto in ('udp', 'tcp'):
    add('staying', 'race-silent-first-' + _proto, race(SILENT, 1, 2.0, _proto))
    add('staying', 'race-six-silent-' + _proto, race(SILENT, 6, 6.0, _proto))


@scenario
def race_udp_then_tcp(l):
    """UDP is swallowed on the way, TCP works: one profile has both."""
    t = l.server('race-tcp', proto='tcp')
    connects(l, t, ['!remote', '!proto', SILENT + ' udp', 'remote %s %d tcp-client' % (S4, t.port)], 2.0)


BLACK_HOLE = 'table ip6 hole { chain i { type filter hook input priority 0; %s dport 11940-12100 drop; }; }'


def ipv6_black_hole(proto):
    """The name has an IPv6 address first, and IPv6 leads nowhere: the commonest of all."""
    def f(l):
        s = l.server('dual-' + proto, ['!proto', 'proto ' + ('udp6' if proto == 'udp' else 'tcp6-server')], proto=proto)
        hosts(l, S6)
        with open(l.scratch + '/etc/hosts', 'a') as h:
            h.write('%s moving.test\n' % S4)
        path = l.scratch + '/hole.nft'
        with open(path, 'w') as h:
            h.write(BLACK_HOLE % proto)
        l.on_server('nft', '-f', path)
        try:
            def then(seen):
                to6 = [p for p in seen.packets if p['dst'] == S6 and p.get('dport') == s.port]
                to4 = [p for p in seen.packets if p['dst'] == S4 and p.get('dport') == s.port]
                check(to4 and to6 and to6[0]['time'] < to4[0]['time'], 'IPv6 was not tried first')
                soon(to4[0]['time'] - to6[0]['time'], 2.0)
            connects(l, s, [], 2.0, then, after=None, remote='moving.test')
        finally:
            l.on_server('nft', 'delete', 'table', 'ip6', 'hole', ok=False)
            hosts(l, None)
            l.drop_server('dual-' + proto)
    return f


for _proto in ('udp', 'tcp'):
    add('staying', 'race-ipv6-black-hole-' + _proto, ipv6_black_hole(_proto))


@scenario
def race_keeps_the_order(l):
    """Both answer: the first is used, the second not even asked."""
    a, b = l.server('race-udp'), l.server('race-second')
    before = a.log().count('Peer Connection Initiated')

    def then(seen):
        check(not [p for p in seen.packets if p.get('dport') == b.port], 'the second was asked')
        check(a.log().count('Peer Connection Initiated') == before + 1, 'the first was not used')
    connects(l, a, ['!remote', 'remote %s %d' % (S4, a.port), 'remote %s %d' % (S4, b.port)], 2.0, then, after=None)


@scenario
def race_slow_first(l):
    """The first answers after 0.7 s: it wins, because its answer comes before that of the silent one, and the second
    gets no handshake."""
    s = l.server('race-udp')
    relay = Disorder(l, s, 13002, 0.0)
    relay.least = 0.7
    try:
        connects(l, s, ['!remote', 'remote %s 13002' % S4, SILENT], 12.0, after=None)
    finally:
        relay.stop()


@scenario
def race_blocks_with_keys(l):
    """Each <connection> block has a key of its own: each hello is sealed with the right one."""
    k = l.pki.static_key('race-tc')
    s = l.server('race-key', ['tls-crypt ' + k])
    other = l.pki.static_key('race-other')
    block = '<connection>\nremote %s %d udp\ntls-crypt %s\n</connection>'
    connects(l, s, ['!remote', '!proto', block % (S4, 7, other), block % (S4, s.port, k)], 2.0)
    l.drop_server('race-key')


@scenario
def all_silent_is_told(l):
    """Nobody answers, at none of two: the sentence names the first, and it takes no longer than their turns."""
    silence(l)
    out = l.refused(l.server('race-udp'), ['!remote', SILENT, SILENT, 'connect-timeout 3'],
                    r'No answer from %s:7 \(UDP\)' % re.escape(S4), within=25)
    check(out, 'nothing was said')


def crash_right_after(delay, proto='udp'):
    """The server dies as soon as the tunnel is up, and is back at once."""
    def f(l):
        s = l.server('young-' + proto, ['keepalive 10 60'], proto=proto)
        with Up(l, s) as u:
            time.sleep(delay)
            crash(s)
            took = l.works(s)
            print('    works again after %.1f s' % took, flush=True)
            check(took < 10, 'works again only after %.1f s' % took)
            u.kept()
    return f


for _delay in (0, 0.2, 0.5):
    add('staying', 'crash-%d-ms-after-connecting' % (_delay * 1000), crash_right_after(_delay))


@scenario
def retry_max_of_a_silent_server(l):
    """The network swallows everything: two turns, then it is over, and the sentence does not speak of keys."""
    s = l.server('mute', ['keepalive 1 4'])
    with Up(l, s, ['connect-retry 1 1', 'connect-retry-max 2', 'connect-timeout 3']) as u:
        l.ping(s)
        mark = l.mark()
        path_rule(l, 'drop')
        try:
            begin = time.monotonic()
            u.gone(30)
            took = time.monotonic() - begin
            print('    gave up after %.1f s' % took, flush=True)
            check(5 < took < 45, 'gave up after %.1f s' % took)
            check('does not answer any more' in l.log_since(mark), l.log_since(mark)[-300:])
        finally:
            path_rule(l, None)


def large_packets(l, port):
    """Those that the server at that port sends get lost, as on a path whose MTU nobody tells; None: no more."""
    l.on_server('nft', 'delete', 'table', 'inet', 'large', ok=False)
    if port:
        path = l.scratch + '/large.nft'
        with open(path, 'w') as f:
            f.write('table inet large { chain o { type filter hook output priority 0; udp sport %d udp length > 400 drop; }; '
                    '}' % port)
        l.on_server('nft', '-f', path)


@scenario
def hand_window_ends_a_handshake(l):
    """The first server answers the hello and wins, but its handshake does not come to an end: the next one."""
    a, b = l.server('race-udp'), l.server('race-second')
    large_packets(l, a.port)
    try:
        connects(l, b, ['!remote', 'remote %s %d' % (S4, a.port), 'remote %s %d' % (S4, b.port), 'hand-window 3'], 2.0,
                 after=None)
    finally:
        large_packets(l, None)


@scenario
def handshake_stands_still_over_udp(l):
    """The same, without hand-window, which lasts as long as NetworkManager waits: TCP has its turn in time."""
    a, t = l.server('race-udp'), l.server('race-tcp', proto='tcp')
    large_packets(l, a.port)
    try:
        connects(l, t, ['!remote', '!proto', 'remote %s %d udp' % (S4, a.port), 'remote %s %d tcp-client' % (S4, t.port)],
                 2.0, after=None, most=30)
    finally:
        large_packets(l, None)


@scenario
def race_second_address_of_a_name(l):
    """A name with several addresses of which the first is silent."""
    s = l.server('race-udp')
    silent = ['10.213.0.3', '10.213.0.81']  # the first is nearest to the client's own, which is .2
    for a in silent:
        l.on_server('ip', 'address', 'add', a + '/32', 'dev', 'lo')
    path = l.scratch + '/hole.nft'
    with open(path, 'w') as f:
        f.write('table ip hole { chain i { type filter hook input priority 0; ip daddr { %s } udp dport %d drop; }; }' % (
            ', '.join(silent), s.port))
    l.on_server('nft', '-f', path)
    try:
        with Dns(l, {'several.vpn.test': silent + [S4]}):
            mark = l.mark()
            connects(l, s, ['!remote', 'remote several.vpn.test %d' % s.port], 2.0, after=None)
            check('(%s, UDP)' % silent[0] in l.log_since(mark), 'the silent one was not tried')
    finally:
        l.on_server('nft', 'delete', 'table', 'ip', 'hole', ok=False)
        for a in silent:
            l.on_server('ip', 'address', 'del', a + '/32', 'dev', 'lo', ok=False)


@scenario
def connect_retry_backs_off(l):
    """A server that is away is asked less and less often: first quickly, then after one second, two, and at most two."""
    s = l.server('retry', ['keepalive 10 60'], proto='tcp')
    with Up(l, s, ['connect-retry 1 2']) as u:
        l.ping(s)
        mark = l.mark()
        s.stop(signal.SIGKILL)
        wait_for('three pauses', lambda: l.log_since(mark).count('trying again in') >= 3, 25, 0.05)
        pauses = re.findall(r'trying again in (\d+) s', l.log_since(mark))[:3]
        check(pauses == ['1', '2', '2'], 'pauses: %s' % pauses)
        s.start()
        l.works(s)
        u.kept()
