# SPDX-License-Identifier: GPL-2.0-or-later
"""Staying connected: servers that restart or die, paths that fail, addresses that change. Each scenario measures how
long a flow of pings is interrupted, and prints it."""
import re
import signal
import subprocess
import time

from lab import C4, S4, check, wait_for
from life import Up
from registry import add, scenario


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

    def stop(self):
        for pid in subprocess.run(['ps', '-o', 'pid=', '--ppid', str(self.proc.pid)], stdout=subprocess.PIPE,
                                  text=True).stdout.split():
            subprocess.run(['kill', '-INT', pid])
        self.proc.wait(5)


def interrupted(l, s, event, most, lines=(), within=30, settle=2.0):
    """The tunnel is up under traffic, event(s) happens, and the gap is at most `most` seconds."""
    with Up(l, s, lines) as u:
        flow = Flow(l, s, u.dev)
        try:
            time.sleep(settle)
            begin = time.time()
            event(s)
            gap = flow.gap(begin, within)
            print('    gap %.2f s' % gap, flush=True)
            check(gap <= most, 'no traffic for %.2f s' % gap)
            u.kept()
        finally:
            flow.stop()


def crash(s):
    s.stop(signal.SIGKILL)
    s.start()


def restart(s):
    s.stop()
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
            l, l.server('staying-%s-%s' % (n, p), ['keepalive 10 60'] + x, proto=p), e, 2.0))
