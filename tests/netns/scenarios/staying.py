# SPDX-License-Identifier: GPL-2.0-or-later
"""Staying connected: servers that restart or die, paths that fail, addresses that change. Each scenario measures how
long a flow of pings is interrupted, and prints it."""
import os
import re
import signal
import subprocess
import time

from lab import C4, S4, Skipped, check, wait_for
from life import Up
from registry import add, scenario


LATE = 6.0  # seconds, on a busy machine too; without what is tested here it is a minute or more


class Flow:
    """Ten pings a second through the tunnel; gap() is the longest time without an answer since the last call."""

    def __init__(self, l, s, dev):
        self.l, self.s = l, s
        self.proc = subprocess.Popen(l.enter('ping', '-n', '-D', '-i', '0.05', '-W', '1', '-I', dev, s.tun4),
                                     stdout=open(l.scratch + '/flow', 'w'), stderr=subprocess.DEVNULL)
        wait_for('pings are answered', lambda: len(self.times()) > 3)

    def times(self):
        with open(self.l.scratch + '/flow') as f:
            return [float(x) for x in re.findall(r'^\[([\d.]+)\] \d+ bytes from', f.read(), re.M)]

    def gap(self, since, within):
        """Longest silence after `since`; waits for answers that are newer than that by half a second."""
        wait_for('traffic flows again', lambda: [t for t in self.times() if t > since + 0.5] and
                 len([t for t in self.times() if t > time.time() - 0.6]) > 5, within, 0.05)
        t = [since] + [x for x in self.times() if x > since]
        return max(b - a for a, b in zip(t, t[1:]))

    def __enter__(self):
        return self

    def sent(self):
        with open(self.l.scratch + '/flow') as f:
            return max(map(int, re.findall(r'icmp_seq=(\d+)', f.read())))

    def __exit__(self, *_):
        for pid in subprocess.run(['ps', '-o', 'pid=', '--ppid', str(self.proc.pid)], stdout=subprocess.PIPE,
                                  text=True).stdout.split():
            subprocess.run(['kill', '-INT', pid])
        self.proc.wait(60)


def learned(u):
    """Waits until it is known that a server of UDP answers probes: that is what tells a crash from silence."""
    wait_for('the server answers probes', lambda: 'answers probes' in u.l.log_since(u.mark))


def interrupted(l, s, event, most, lines=(), within=30):
    """The tunnel is up under traffic, event(s) happens; at most `most` seconds after it is over traffic flows."""
    with Up(l, s, lines) as u:
        with Flow(l, s, u.dev) as flow:
            learned(u)
            begin = time.time()
            event(s)
            over = time.time()
            gap = flow.gap(begin, within)
            late = min((t for t in flow.times() if t > over), default=over) - over
            print('    %s: gap %.2f s, %.2f s of it after it was over' % (s.name, gap, late), flush=True)
            check(late <= most, 'no traffic for %.2f s' % late)
            u.kept()


def crash(s):
    s.stop(signal.SIGKILL)
    s.start()


def restart(s):
    s.stop()  # with a notice it waits two seconds
    s.start()


def signalled(sig):
    def f(s):
        seen = s.log().count('Initialization Sequence Completed')
        s.proc.send_signal(sig)
        wait_for('the server restarts', lambda: s.log().count('Initialization Sequence Completed') > seen, 10)
    return f


for _proto in ('udp', 'tcp'):
    for _name, _event, _lines in (('crash', crash, []), ('restart', restart, []),
                                  ('restart-with-notice', restart, ['explicit-exit-notify 1']),
                                  ('sigusr1', signalled(signal.SIGUSR1), []),
                                  ('sighup', signalled(signal.SIGHUP), [])):
        if _proto == 'tcp' and _lines:
            continue
        add('staying', '%s-%s' % (_name, _proto), lambda l, p=_proto, e=_event, x=_lines, n=_name: interrupted(
            l, l.server('staying-%s-%s' % (n, p), ['keepalive 10 60'] + x, proto=p), e, LATE))


@scenario
def remap_usr1_sigterm(l):
    """The profile says that a restart is the end: a server that crashes ends the connection."""
    s = l.server('remap', ['keepalive 1 3'], proto='tcp')
    with Up(l, s, ['remap-usr1 SIGTERM']) as u:
        s.stop(signal.SIGKILL)
        u.gone()
        check('trying again' not in l.log_since(u.mark), 'it was tried again')


NFT = ('table inet path { chain i { type filter hook input priority 0; %s; }; '
       'chain o { type filter hook output priority 0; %s; }; }')


def path_rule(l, rule, proto='udp'):
    """A rule for the packets of OpenVPN in both directions; None takes it away."""
    l.on_server('nft', 'delete', 'table', 'inet', 'path', ok=False)
    if rule:
        path = l.scratch + '/path.nft'
        with open(path, 'w') as f:
            f.write(NFT % ('%s dport 11940-12100 %s' % (proto, rule), '%s sport 11940-12100 %s' % (proto, rule)))
        l.on_server('nft', '-f', path)


def outage(l, s, seconds, *proto):
    """Nothing passes for so long; the session goes on afterwards."""
    def event(_):
        path_rule(l, 'drop', *proto)
        time.sleep(seconds)
        path_rule(l, None)
    try:
        interrupted(l, s, event, LATE)
    finally:
        path_rule(l, None)
    check(s.log().count('Peer Connection Initiated') <= 1, 'a new session was made')


@scenario
def outage_of_ten_seconds(l):
    """Nothing passes for ten seconds: the session goes on afterwards, there is no new one."""
    outage(l, l.server('outage', ['keepalive 10 60']), 10)


@scenario
def outage_over_tcp(l):
    """After thirteen seconds the kernel would next look after twelve more; we ask it to look every two."""
    if tuple(map(int, re.findall(r'\d+', os.uname().release)[:2])) < (6, 15):
        raise Skipped('the kernel does not know TCP_RTO_MAX_MS')
    outage(l, l.server('outage-tcp', ['keepalive 10 60'], proto='tcp'), 13, 'tcp')


def loss(percent, lines=()):
    def f(l):
        s = l.server('loss', ['keepalive 10 60'])
        with Up(l, s) as u:
            path_rule(l, 'numgen random mod 100 < %d drop' % percent)
            try:
                with Flow(l, s, u.dev) as flow:
                    time.sleep(8)
                got, sent = len(flow.times()), flow.sent()
                want = sent * (1 - percent / 100) ** 2
                print('    %d of %d pings answered' % (got, sent), flush=True)
                check(sent > 80 and got > want * 0.75, 'only %d of about %d pings' % (got, want))
            finally:
                path_rule(l, None)
            u.kept()
            n = s.log().count('Peer Connection Initiated')
            check(n == 1, '%d sessions' % n)
        l.drop_server('loss')
    return f


for _percent in (5, 20):
    add('staying', 'loss-of-%d-percent' % _percent, loss(_percent))


@scenario
def one_way_traffic(l):
    """Packets that nobody answers: the server is asked now and then, and the session stays."""
    s = l.server('one-way', ['keepalive 10 60'])
    with Up(l, s) as u:
        mark = s.log().count('Peer Connection Initiated')
        p = subprocess.Popen(l.enter('ping', '-n', '-q', '-i', '0.05', '-c', '160', '-W', '1', '-I', u.dev,
                                     s.net4[:-1] + '77'), stdout=subprocess.DEVNULL)
        p.wait(60)
        check(s.log().count('Peer Connection Initiated') == mark, 'a new session was made')
        u.kept()
        l.ping(s)


def packets_to(l, port, while_this):
    """How many datagrams for that port reach the servers' host while the function runs."""
    l.on_server('nft', 'add', 'table', 'inet', 'count')
    try:
        l.on_server('nft', 'add', 'chain', 'inet', 'count', 'i', '{ type filter hook input priority -10; }')
        l.on_server('nft', 'add', 'rule', 'inet', 'count', 'i', 'udp', 'dport', str(port), 'counter')
        while_this()
        out = l.on_server('nft', 'list', 'table', 'inet', 'count')
    finally:
        l.on_server('nft', 'delete', 'table', 'inet', 'count')
    return int(re.search(r'packets (\d+)', out).group(1))


@scenario
def server_away_is_not_hammered(l):
    """Twenty seconds without a server: packets to it become few."""
    s = l.server('away', ['keepalive 10 60'])
    with Up(l, s) as u:
        learned(u)
        s.stop(signal.SIGKILL)
        n = packets_to(l, s.port, lambda: time.sleep(20))
        print('    %d packets in 20 s' % n, flush=True)
        check(n < 80, '%d packets' % n)
        s.start()
        l.works(s)
        u.kept()


def client_moves(proto, most):
    """The uplink gets another address while the tunnel is in use. UDP goes on with the session; a TCP connection is lost
    without a word, and a new one takes its place."""
    def f(l):
        s = l.server('roaming-' + proto, ['keepalive 10 60'], proto=proto)

        def event(_):
            l.run('ip', 'address', 'del', C4 + '/24', 'dev', 'veth0')
            l.run('ip', 'address', 'add', '10.213.0.3/24', 'dev', 'veth0')
            l.run('ip', 'route', 'replace', 'default', 'via', S4, 'dev', 'veth0', ok=False)
        try:
            interrupted(l, s, event, most, within=40)
            n = s.log().count('Peer Connection Initiated')
            check(n == (1 if proto == 'udp' else 2), '%d sessions' % n)
        finally:
            l.run('ip', 'address', 'add', C4 + '/24', 'dev', 'veth0', ok=False)
            l.run('ip', 'address', 'del', '10.213.0.3/24', 'dev', 'veth0', ok=False)
            l.nmcli('connection', 'up', 'base', ok=False)
    return f


add('staying', 'address-of-the-client-changes', client_moves('udp', LATE))
add('staying', 'address-of-the-client-changes-tcp', client_moves('tcp', 2 * LATE))


@scenario
def nat_rebinding(l):
    """The network gives the client another port on the way: the server follows (peer-id)."""
    s = l.server('nat', ['keepalive 10 60'])

    def event(_):
        own = re.findall(re.escape(C4) + r':(\d+) ', s.log())[-1]
        path = l.scratch + '/nat.nft'
        with open(path, 'w') as f:
            f.write('table ip nat-lab { chain i { type filter hook input priority -300; udp sport %s udp dport %d '
                    'udp sport set 41002; }; chain o { type filter hook output priority -300; '
                    'udp sport %d udp dport 41002 udp dport set %s; }; }' % (own, s.port, s.port, own))
        l.on_server('nft', '-f', path)
    try:
        interrupted(l, s, event, LATE)
        check('41002' in s.log(), 'the server saw no other port')
        check(s.log().count('Peer Connection Initiated') == 1, 'a new session was made')
    finally:
        l.on_server('nft', 'delete', 'table', 'ip', 'nat-lab', ok=False)


@scenario
def password_is_not_asked_again(l):
    """Typed once and not stored: crashes of the server do not ask again."""
    script = l.scratch + '/always'
    with open(script, 'w') as f:
        f.write('#!/bin/sh\nexit 0\n')
    os.chmod(script, 0o755)
    s = l.server('asked-once', ['keepalive 10 60', 'script-security 2', 'auth-user-pass-verify %s via-file' % script])
    name = l.import_profile(l.profile(s, ['auth-user-pass']), data='username=eve,password-flags=2')
    try:
        rc, out, _ = l.up(name, {'password': 'typed'})
        check(rc == 0, out)
        mark = l.mark()
        with Flow(l, s, l.device(s)) as flow:
            time.sleep(1.5)
            begin = time.time()
            crash(s)
            print('    gap %.2f s' % flow.gap(begin, 15), flush=True)
        check('asking' not in l.log_since(mark), 'somebody was asked')
    finally:
        l.down(name)
        l.delete(name)
        l.drop_server('asked-once')


import staying_more  # noqa: E402,F401
import staying_failover  # noqa: E402,F401
import staying_asleep  # noqa: E402,F401
import staying_elsewhere  # noqa: E402,F401
