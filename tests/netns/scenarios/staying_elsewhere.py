# SPDX-License-Identifier: GPL-2.0-or-later
"""The server of a tunnel that is up goes away for good, and another one of the profile is there: how long until packets
flow again through that one."""
import random
import re
import signal
import subprocess
import time

from lab import S4, check, wait_for
from life import Up
from registry import add, scenario
from staying import learned

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


def swallow(l, port):
    """Packets of the server at that port vanish in both directions, without a word."""
    l.on_server('nft', 'delete', 'table', 'inet', 'swallow', ok=False)
    if port:
        path = l.scratch + '/swallow.nft'
        with open(path, 'w') as f:
            f.write('table inet swallow { chain i { type filter hook input priority 0; meta l4proto { tcp, udp } th dport '
                    '%d drop; }; chain o { type filter hook output priority 0; meta l4proto { tcp, udp } th sport %d drop; '
                    '}; }' % (port, port))
        l.on_server('nft', '-f', path)


def killed(l, s):
    s.stop(signal.SIGKILL)


def swallowed(l, s):
    swallow(l, s.port)


def sessions(s):
    return s.log().count('Peer Connection Initiated')


def goes_away(proto, event, most, lines=()):
    def f(l):
        a = l.server('first-' + proto, PUSH, proto=proto)
        b = l.server('second-' + proto, PUSH, proto=proto)
        remotes = ['!remote'] + ['remote %s %d' % (S4, s.port) for s in (a, b)]
        name = l.import_profile(l.profile(a, remotes + list(lines)))
        try:
            mark = l.mark()
            rc, out, _ = l.up(name)
            check(rc == 0, out)
            used, other = (a, b) if sessions(a) else (b, a)
            tun = l.device(used)
            with Reach(l) as reach:
                if proto == 'udp':
                    wait_for('the server answers probes', lambda: 'answers probes' in l.log_since(mark))
                begin = time.time()
                event(l, used)
                took = reach.back(begin + 0.1, 90)
            print('    %s: works again after %.2f s' % (proto, took), flush=True)
            check(sessions(other) == 1, 'the other server has %d sessions' % sessions(other))
            check(tun == l.device(other), 'the tunnel device was not kept')
            check(took < most, 'no traffic for %.1f s' % took)
        finally:
            swallow(l, None)
            l.down(name)
            l.delete(name)
            l.drop_server('first-' + proto)
            l.drop_server('second-' + proto)
    return f


for _proto in ('udp', 'tcp'):
    for _name, _event in (('crashed', killed), ('swallowed', swallowed)):
        add('staying', 'other-server-after-%s-%s' % (_name, _proto), goes_away(_proto, _event, 10))
