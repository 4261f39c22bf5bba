# SPDX-License-Identifier: GPL-2.0-or-later
"""The server of a tunnel that is up goes away for good, and another one of the profile is there: how long until packets
flow again through that one."""
import re
import signal
import subprocess
import time

from dnsd import Dns
from lab import C4, S4, check, wait_for
from life import Up
from registry import add, scenario
from staying import learned, packets_to
from staying_asleep import tcp_rule

BEYOND = '192.0.2.66'  # behind all servers, each of which has a network of its own
PUSH = ['keepalive 10 60', 'push "route %s"' % BEYOND]


class Reach:
    """Asks all the time whether BEYOND answers, with the address that the tunnel has at the moment."""

    def __init__(self, l):
        l.on_server('ip', 'address', 'add', BEYOND + '/32', 'dev', 'lo', ok=False)
        self.l, self.path = l, l.scratch + '/reach'
        self.proc = subprocess.Popen(l.enter('sh', '-c', 'while :; do ping -n -D -c 3 -i 0.05 -W 0.3 %s; sleep 0.02; done' %
                                             BEYOND), stdout=open(self.path, 'w'), stderr=subprocess.DEVNULL)

    def times(self):
        with open(self.path) as f:
            return [float(x) for x in re.findall(r'^\[([\d.]+)\] \d+ bytes from', f.read(), re.M)]

    def __enter__(self):
        wait_for('answers', lambda: len(self.times()) > 3)
        return self

    def back(self, since, within):
        """Seconds from `since` to the first answer after it."""
        wait_for('traffic flows again', lambda: self.times()[-1] > since, within, 0.05)
        return next(x for x in self.times() if x > since) - since

    def __exit__(self, *_):
        for pid in subprocess.run(['ps', '-o', 'pid=', '--ppid', str(self.proc.pid)], stdout=subprocess.PIPE,
                                  text=True).stdout.split():
            subprocess.run(['kill', '-TERM', pid])
        self.proc.wait(60)


def swallow(l, *ports):
    """Packets of the servers at these ports vanish in both directions, without a word; none: no more."""
    l.on_server('nft', 'delete', 'table', 'inet', 'swallow', ok=False)
    if ports:
        path, ports = l.scratch + '/swallow.nft', ', '.join(map(str, ports))
        with open(path, 'w') as f:
            f.write('table inet swallow { chain i { type filter hook input priority 0; meta l4proto { tcp, udp } th dport '
                    '{ %s } drop; }; chain o { type filter hook output priority 0; meta l4proto { tcp, udp } th sport '
                    '{ %s } drop; }; }' % (ports, ports))
        l.on_server('nft', '-f', path)


def killed(l, s):
    s.stop(signal.SIGKILL)


def swallowed(l, s):
    swallow(l, s.port)


def sessions(s):
    return s.log().count('Peer Connection Initiated')


class Two:
    """A profile with two servers, connected to one of them: `used`; the tunnel carries traffic."""

    def __init__(self, l, proto='udp', lines=(), second=PUSH, ca=None, hosts=(S4, S4)):
        self.l, self.proto = l, proto
        self.a = l.server('first-' + proto, PUSH, proto=proto)
        self.b = l.server('second-' + proto, second, proto=proto, **({'ca': ca} if ca else {}))
        remotes = ['!remote'] + ['remote %s %d' % (h, s.port) for h, s in zip(hosts, (self.a, self.b))]
        self.name = l.import_profile(l.profile(self.a, remotes + list(lines)))

    def __enter__(self):
        try:
            self.mark = self.l.mark()
            rc, out, _ = self.l.up(self.name)
            check(rc == 0, out)
            self.used, self.other = (self.a, self.b) if sessions(self.a) else (self.b, self.a)
            self.tun = self.l.device(self.used)
            self.reach = Reach(self.l).__enter__()
            wait_for('the server answers probes', lambda: 'answers probes' in self.l.log_since(self.mark))
        except BaseException:
            self.__exit__()
            raise
        return self

    def moved(self, since, most):
        """Traffic flows again, through the other server. On a busy machine `ping` may tell of answers of the first later."""
        wait_for('a session with the other server', lambda: sessions(self.other), 90, 0.02)
        took = time.time() - since
        took += self.reach.back(since + took, 30)
        print('    %s: works again after %.2f s' % (self.proto, took), flush=True)
        check(self.tun == self.l.device(self.other), 'the tunnel device was not kept')
        check(took < most, 'no traffic for %.1f s' % took)

    def stayed(self):
        check(sessions(self.used) == 1 and sessions(self.other) == 0, '%d sessions at the first, %d at the second' % (
            sessions(self.used), sessions(self.other)))

    def __exit__(self, *_):
        if hasattr(self, 'reach'):
            self.reach.__exit__()
        swallow(self.l)
        self.l.down(self.name)
        self.l.delete(self.name)
        self.l.drop_server('first-' + self.proto)
        self.l.drop_server('second-' + self.proto)


def goes_away(proto, event, most, lines=()):
    def f(l):
        with Two(l, proto, lines) as two:
            event(l, two.used)
            two.moved(time.time(), most)
            check(sessions(two.other) == 1, 'the other server has %d sessions' % sessions(two.other))
    return f


for _proto in ('udp', 'tcp'):
    for _name, _event in (('crashed', killed), ('swallowed', swallowed)):
        add('staying', 'other-server-after-%s-%s' % (_name, _proto), goes_away(_proto, _event, 15))
add('staying', 'other-server-after-crashed-udp-remote-random', goes_away('udp', killed, 15, ['remote-random']))
add('staying', 'other-server-after-swallowed-udp-full-tunnel', goes_away('udp', swallowed, 15, ['redirect-gateway def1']))
add('staying', 'other-server-after-swallowed-tcp-full-tunnel', goes_away('tcp', swallowed, 15, ['redirect-gateway def1']))


def all_stall(proto):
    """The network stands still for some seconds, on the way to both: over UDP the old session goes on afterwards. Over TCP
    it may be the new connection that gets through first, because it is asked for more often."""
    def f(l):
        with Two(l, proto) as two:
            swallow(l, two.a.port, two.b.port)
            time.sleep(4 if proto == 'udp' else 6)
            swallow(l)
            took = two.reach.back(time.time(), 30)
            print('    %s: works again after %.2f s' % (proto, took), flush=True)
            check(took < 8, 'no traffic for %.1f s' % took)
            if proto == 'udp':
                time.sleep(1)
                two.stayed()
    return f


for _proto in ('udp', 'tcp'):
    add('staying', 'two-servers-and-the-network-stalls-' + _proto, all_stall(_proto))


@scenario
def restarted_beside_another_server(l):
    """The server in use is started anew; the other one, where the tunnel could have other addresses, is left alone."""
    with Two(l) as two:
        killed(l, two.used)
        time.sleep(1.5)
        two.used.start()
        took = two.reach.back(time.time(), 30)
        print('    works again after %.2f s' % took, flush=True)
        check(sessions(two.other) == 0, 'the tunnel went to the other server')
        check(two.tun == l.device(two.used), 'the tunnel device was not kept')


@scenario
def other_servers_are_not_hammered(l):
    """Both are away for twenty seconds: each gets few packets, and the first that is back is used."""
    with Two(l) as two:
        def away():
            swallow(l, two.a.port, two.b.port)
            time.sleep(20)
        n = packets_to(l, two.other.port, away)
        print('    %d packets to the other in 20 s' % n, flush=True)
        check(0 < n < 20, '%d packets to the other' % n)
        swallow(l)
        print('    works again after %.2f s' % two.reach.back(time.time(), 30), flush=True)


@scenario
def other_server_does_not_want_us(l):
    """The second one has a certificate of somebody else: the tunnel comes back to the first once that is there."""
    with Two(l, ca='rsa') as two:
        mark = l.mark()
        swallow(l, two.used.port)
        wait_for('the other server is seen through', lambda: re.search('signed|certificate', l.log_since(mark)), 20, 0.1)
        swallow(l)
        print('    works again after %.2f s' % two.reach.back(time.time(), 30), flush=True)
        check(two.tun == l.device(two.used), 'the tunnel device was not kept')


@scenario
def tcp_connection_is_forgotten_on_the_way(l):
    """A firewall on the way has forgotten the connection and swallows its packets; the server is there."""
    s = l.server('forgotten', PUSH, proto='tcp')
    try:
        with Up(l, s) as u:
            learned(u)
            with Reach(l) as reach:
                tcp_rule(l, int(re.findall(r'%s:(\d+) ' % re.escape(C4), s.log())[-1]))
                begin = time.time()
                wait_for('a new session', lambda: sessions(s) > 1, 90, 0.02)
                took = time.time() - begin
                took += reach.back(begin + took, 30)
            print('    works again after %.2f s' % took, flush=True)
            check(took < 12, 'no traffic for %.1f s' % took)
            u.kept()
    finally:
        tcp_rule(l, None)


def name_server_is_lost_too(proto, event, most):
    """With the tunnel the name server is lost, as it is behind it: servers are found where they were."""
    def f(l):
        names = ['first.vpn.test', 'second.vpn.test']
        with Dns(l, {n: [S4] for n in names}) as dns:
            with Two(l, proto, hosts=names) as two:
                wait_for('the name of the other', lambda: names[1] in dns.asked and names[0] in dns.asked)
                dns.mute = True
                event(l, two.used)
                two.moved(time.time(), most)
    return f


for _proto, _event in (('udp', swallowed), ('tcp', killed), ('tcp', swallowed)):
    add('staying', 'name-server-lost-with-the-tunnel-%s-%s' % (_event.__name__, _proto),
        name_server_is_lost_too(_proto, _event, 16))


@scenario
def name_server_lost_and_one_server(l):
    """The only server is started anew; its name cannot be looked up any more."""
    with Dns(l, {'only.vpn.test': [S4]}) as dns:
        s = l.server('only', PUSH, proto='tcp')
        with Up(l, s, ['!remote', 'remote only.vpn.test %d' % s.port]) as u:
            l.ping(s)
            dns.mute = True
            s.stop(signal.SIGKILL)
            s.start()
            took = l.works(s, 40)
            print('    works again after %.2f s' % took, flush=True)
            check(took < 8, 'no traffic for %.1f s' % took)
            u.kept()
