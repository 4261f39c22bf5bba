# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a connection: keys renewed under traffic, silence, restarts, ends."""
import os
import re
import signal
import subprocess
import time

from lab import check, wait_for
from registry import scenario

KEYS = 'Control Channel: TLS'


class Up:
    """An imported connection that is up; taken down and deleted at the end."""

    def __init__(self, l, s, lines=(), **kw):
        self.l, self.s = l, s
        self.name = l.import_profile(l.profile(s, lines), **kw)

    def __enter__(self):
        self.mark = self.l.mark()
        rc, out, _ = self.l.up(self.name)
        if rc:
            self.l.delete(self.name)
            check(False, out)
        self.dev = self.l.device(self.s)
        self.index = self.ifindex()
        return self

    def ifindex(self):
        return self.l.run('cat', '/sys/class/net/%s/ifindex' % self.dev, ok=False)[1]

    def kept(self):
        check(self.ifindex() == self.index, 'the tunnel device was not kept')

    def gone(self, timeout=15):
        wait_for('the connection ends by itself', lambda: not self.l.tunnels(), timeout)
        wait_for('NetworkManager knows', lambda: self.name not in self.l.nmcli(
            '-g', 'NAME', 'connection', 'show', '--active').split('\n'), 5)

    def __exit__(self, *exc):
        self.l.down(self.name)
        self.l.delete(self.name)
        self.l.drop_server(self.s.name)


def renegotiation(l, server_lines, client_lines, wanted=2):
    s = l.server('reneg', server_lines)
    with Up(l, s, client_lines) as u:
        seen, before = s.log().count(KEYS), l.counters(u.dev)
        p = subprocess.Popen(l.enter('ping', '-n', '-i', '0.01', '-I', u.dev, s.tun4),
                             stdout=subprocess.PIPE, text=True)
        try:
            wait_for('%d renegotiations' % wanted, lambda: s.log().count(KEYS) >= seen + wanted, 25, 0.1)
            time.sleep(1.2)  # the traffic under the new key belongs to the measurement
        finally:
            for pid in subprocess.run(['ps', '-o', 'pid=', '--ppid', str(p.pid)], stdout=subprocess.PIPE,
                                      text=True).stdout.split():
                subprocess.run(['kill', '-INT', pid])
            out = p.communicate(timeout=60)[0]
        # not one is lost between the first and the last answer; what was on its way when ping
        # was told to stop does not count
        got = sorted(map(int, re.findall(r'icmp_seq=(\d+) ttl', out)))
        lost = sorted(set(range(1, max(got, default=0) + 1)) - set(got))
        after = l.counters(u.dev)
        check(len(got) > 100 and not lost, '%d answers, lost %s' % (len(got), lost))
        check(after[0] - before[0] >= len(got), 'packets on the device: %s to %s' % (before, after))


@scenario
def renegotiation_in_haste(l):
    """The server's keys last so short that it drops the old one before our own wait for the change
    is over: we change when it does."""
    renegotiation(l, ['reneg-sec 3 3'], ['reneg-sec 0'], wanted=4)


@scenario
def renegotiation_by_the_client(l):
    renegotiation(l, ['reneg-sec 0'], ['reneg-sec 5'])


@scenario
def renegotiation_by_the_server(l):
    renegotiation(l, ['reneg-sec 5 5'], ['reneg-sec 0'])


@scenario
def renegotiation_cbc_tcp(l):
    s = l.server('reneg-tcp', ['reneg-sec 3 3', 'data-ciphers AES-256-CBC', 'auth SHA256'], proto='tcp')
    with Up(l, s, ['reneg-sec 0', 'data-ciphers AES-256-CBC', 'auth SHA256']):
        seen = s.log().count(KEYS)
        wait_for('renegotiation', lambda: s.log().count(KEYS) > seen, 15)
        l.ping(s, 20)


@scenario
def ping_restart(l):
    """The server is silent for a while; the tunnel device stays and works again."""
    s = l.server('silent', ['push "ping 1"', 'push "ping-restart 3"', 'ping 1'])
    with Up(l, s, ['connect-retry 1 1']) as u:
        mark = l.mark()
        s.proc.send_signal(signal.SIGSTOP)
        try:
            wait_for('the end of the session', lambda: 'UP -> RECONNECTING' in l.log_since(mark), 10, 0.1)
        finally:
            s.proc.send_signal(signal.SIGCONT)
        l.works(s)
        u.kept()
        l.ping(s)


@scenario
def ping_exit(l):
    s = l.server('silent-exit', ['ping 1', 'push "ping 1"', 'push "ping-exit 3"'])
    with Up(l, s) as u:
        s.proc.send_signal(signal.SIGSTOP)
        try:
            u.gone()
        finally:
            s.proc.send_signal(signal.SIGCONT)


@scenario
def inactive(l):
    with Up(l, l.server('inactive'), ['inactive 5 2000']) as u:
        u.gone(20)


@scenario
def keepalive_keeps(l):
    """Longer than ping-restart without traffic: nothing happens."""
    s = l.server('keep', ['keepalive 1 3'])
    with Up(l, s) as u:
        mark = s.log().count(KEYS)
        time.sleep(5)
        check(s.log().count(KEYS) == mark, 'the client reconnected')
        u.kept()
        l.ping(s)


@scenario
def exit_notification(l):
    """A server that takes it in the control channel (cc-exit) hears of it in any case."""
    s = l.server('bye')
    with Up(l, s) as u:
        check(s.client_id() is not None, 'the server does not list the client')
        l.down(u.name)
        wait_for('the server hears of it', lambda: re.search('exit message received|remote-exit', s.log()), 5)


@scenario
def restart_by_the_server(l):
    s = l.server('kick')
    with Up(l, s, ['connect-retry 1 1']) as u:
        cid = s.client_id()
        s.manage('client-kill %s RESTART' % cid, wait='SUCCESS|ERROR')
        wait_for('a new client at the server', lambda: s.client_id() not in (None, cid), 15, 0.1)
        l.works(s)
        u.kept()


@scenario
def halt_by_the_server(l):
    s = l.server('halt')
    with Up(l, s) as u:
        s.manage('client-kill %s HALT' % s.client_id(), wait='SUCCESS|ERROR')
        u.gone()


def server_restarted(l, proto):
    s = l.server('again-' + proto, ['keepalive 1 4'] + (['explicit-exit-notify 1'] if proto == 'udp' else []),
                 proto=proto)
    with Up(l, s, ['connect-retry 1 1']) as u:
        l.ping(s)
        s.stop()
        s.start()
        l.works(s)
        u.kept()
        l.ping(s)


@scenario
def server_restarted_udp(l):
    server_restarted(l, 'udp')


@scenario
def server_restarted_tcp(l):
    server_restarted(l, 'tcp')


@scenario
def server_killed(l):
    s = l.server('killed', ['keepalive 1 4'])
    with Up(l, s, ['connect-retry 1 1']) as u:
        s.stop(signal.SIGKILL)
        s.start()
        l.works(s)
        u.kept()


@scenario
def lossy_path(l):
    """One packet in five is lost in both directions while connecting."""
    rules = ('table inet loss { chain i { type filter hook input priority 0; '
             'meta l4proto udp numgen random mod 100 < 20 drop; }; chain o { type filter hook output priority 0; '
             'meta l4proto udp numgen random mod 100 < 20 drop; }; }')
    s = l.server('lossy')
    path = l.scratch + '/loss.nft'
    with open(path, 'w') as f:
        f.write(rules)
    l.on_server('nft', '-f', path)
    try:
        name = l.import_profile(l.profile(s))
        rc, out, _ = l.up(name, timeout=60)
        check(rc == 0, out)
    finally:
        l.on_server('nft', 'delete', 'table', 'inet', 'loss')
    l.ping(s, 5)
    l.down(name)
    l.delete(name)
    l.drop_server('lossy')


@scenario
def statistics(l):
    """SIGUSR2 to the service writes the counters to the log, and so does the end of a connection."""
    s = l.server('stats')
    with Up(l, s) as u:
        l.ping(s, count=20, dev=u.dev)
        pid = next(pid for pid, name in l.programs().items() if 'nm-ovpn-service' in name)
        mark = l.mark()
        os.kill(pid, signal.SIGUSR2)
        # the connection before may still be saying goodbye, and closes with its own counters
        wait_for('the counters of both directions are in the log', lambda: any(
            int(rx) >= 20 and int(tx) >= 20 for rx, tx in
            re.findall(r'received .+? in (\d+) packets, sent .+? in (\d+) packets', l.log_since(mark))), 5)
        l.ping(s, count=2, dev=u.dev)
        mark = l.mark()
    wait_for('the counters at the end', lambda: 'packets per system call' in l.log_since(mark), 5)
