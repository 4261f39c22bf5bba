# SPDX-License-Identifier: GPL-2.0-or-later
"""Computers that sleep: the clock jumps (../clock-jump.c, a library in front of the unchanged engine), programs are
stopped, NetworkManager goes to sleep and wakes up. A real suspend is not possible in a namespace."""
import os
import re
import shutil
import signal
import struct
import subprocess
import time

from lab import C4, HERE, Skipped, check, wait_for
from life import Up
from registry import add, scenario
from staying import crash



class Clock:
    """While it is there, engines that are started (or services) have a boot-time clock that jump() moves."""

    def __init__(self, l, program='nm-ovpn-engine'):
        self.l, self.dir = l, l.scratch + '/clock'
        os.makedirs(self.dir, exist_ok=True)
        self.file = self.dir + '/jump'
        self.ahead = 0
        with open(self.file, 'wb') as f:
            f.write(struct.pack('=Q', 0))
        if not shutil.which('cc'):
            raise Skipped('no compiler')
        subprocess.run(['cc', '-O1', '-Wall', '-Werror', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', self.dir + '/jump.so',
                        os.path.join(os.path.dirname(HERE), 'clock-jump.c'), '-ldl'], check=True)
        path = l.run('sh', '-c', 'ls /usr/libexec/{0} /usr/lib/{0} 2>/dev/null | head -1'.format(program)).strip()
        check(path, 'where is ' + program)
        self.path = path
        l.run('cp', path, self.dir + '/' + program)
        with open(self.dir + '/start', 'w') as f:
            f.write('#!/bin/sh\nCLOCK_JUMP=%s LD_PRELOAD=%s/jump.so exec %s/%s "$@"\n' % (
                self.file, self.dir, self.dir, program))
        for name in ('start', 'jump.so', program):
            os.chmod(self.dir + '/' + name, 0o755)

    def __enter__(self):
        self.l.run('mount', '--bind', self.dir + '/start', self.path)
        return self

    def __exit__(self, *_):
        self.l.run('umount', '-l', self.path)

    def jump(self, seconds):
        self.ahead += seconds
        with open(self.file, 'r+b') as f:
            f.write(struct.pack('=Q', int(self.ahead * 1e9)))


def engine(l):
    pids = [p for p, name in l.programs().items() if name == 'nm-ovpn-engine']
    check(len(pids) == 1, 'engines: %s' % l.programs())
    return pids[0]


def sessions(s):
    return s.log().count('Peer Connection Initiated')


def asleep(proto, seconds, forgotten):
    """The engine does not run while the clock goes on; the server has forgotten the session meanwhile, or has not.
    Nobody sends anything when it wakes: it asks by itself."""
    def f(l):
        s = l.server('asleep-' + proto, ['keepalive 10 60'], proto=proto)
        with Clock(l) as clock, Up(l, s) as u:
            l.ping(s)
            pid = engine(l)
            os.kill(pid, signal.SIGSTOP)
            if forgotten:
                crash(s)
            before = sessions(s)
            clock.jump(seconds)
            os.kill(pid, signal.SIGCONT)
            begin = time.monotonic()
            if forgotten or seconds > 60:
                wait_for('a new session', lambda: sessions(s) > before, 12, 0.05)
                print('    new session %.1f s after waking' % (time.monotonic() - begin), flush=True)
            else:
                mark = l.mark()
                time.sleep(1.5)
                check(sessions(s) == before, 'a new session was made')
                check('was lost' not in l.log_since(mark), l.log_since(mark)[-300:])
            l.works(s)
            u.kept()
    return f


for _proto in ('udp', 'tcp'):
    add('staying', 'asleep-five-minutes-' + _proto, asleep(_proto, 300, True))
    add('staying', 'asleep-half-a-minute-%s-and-the-server-forgot' % _proto, asleep(_proto, 30, True))
    add('staying', 'asleep-half-a-minute-' + _proto, asleep(_proto, 30, False))


@scenario
def asleep_past_a_renegotiation(l):
    """Keys whose time was over during the sleep are renewed at once, in the same session."""
    s = l.server('asleep-keys', ['keepalive 10 120', 'reneg-sec 0'])
    with Clock(l) as clock, Up(l, s, ['reneg-sec 40']) as u:
        l.ping(s)
        before = sessions(s)
        clock.jump(45)
        wait_for('new keys', lambda: s.log().count('Control Channel: TLS') > 1, 5, 0.05)
        l.ping(s)
        check(sessions(s) == before, 'a new session was made')
        u.kept()


@scenario
def stopped_engine(l):
    """A program that did not get to run for a while, with a server that gave up on it."""
    s = l.server('stopped', ['keepalive 1 3'])
    with Up(l, s) as u:
        l.ping(s)
        pid = engine(l)
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for('the server gives up', lambda: 'Inactivity timeout' in s.log(), 20, 0.1)
        finally:
            os.kill(pid, signal.SIGCONT)
        begin = time.monotonic()
        l.works(s, 15)
        took = time.monotonic() - begin
        print('    works again after %.1f s' % took, flush=True)
        check(took < 8, 'works again only after %.1f s' % took)
        u.kept()


def tcp_rule(l, port):
    """The way forgets one TCP connection: its packets are swallowed."""
    if port:
        l.on_server('nft', 'add', 'table', 'inet', 'forgot')
        for hook, end in (('input', 'sport'), ('output', 'dport')):
            l.on_server('nft', 'add', 'chain', 'inet', 'forgot', hook, '{ type filter hook %s priority 0; }' % hook)
            l.on_server('nft', 'add', 'rule', 'inet', 'forgot', hook, 'tcp', end, str(port), 'drop')
    else:
        l.on_server('nft', 'delete', 'table', 'inet', 'forgot', ok=False)


@scenario
def asleep_and_the_way_forgot_the_connection(l):
    """A TCP connection that leads nowhere after the sleep, without a word from anybody."""
    s = l.server('asleep-way', ['keepalive 10 60'], proto='tcp')
    try:
        with Clock(l) as clock, Up(l, s) as u:
            l.ping(s)
            before = sessions(s)
            tcp_rule(l, int(re.findall(r'%s:(\d+) ' % re.escape(C4), s.log())[-1]))
            clock.jump(30)
            begin = time.monotonic()
            wait_for('a new session', lambda: sessions(s) > before, 20, 0.05)
            print('    new session %.1f s after waking' % (time.monotonic() - begin), flush=True)
            l.works(s)
            u.kept()
    finally:
        tcp_rule(l, None)


def long_pause(l, s):
    return Up(l, s, ['connect-retry 60 60'])


def wait_for_pause(l, mark):
    wait_for('a pause', lambda: 'trying again in 60 s' in l.log_since(mark), 20, 0.05)


@scenario
def asleep_in_a_pause(l):
    """The server is away, and the next try is a minute off. The computer sleeps a little; when it wakes, it tries."""
    s = l.server('pause', ['keepalive 10 60'], proto='tcp')
    with Clock(l, 'nm-ovpn-service') as clock, long_pause(l, s) as u:
        l.ping(s)
        mark = l.mark()
        s.stop(signal.SIGKILL)
        wait_for_pause(l, mark)
        s.start()
        time.sleep(1.5)
        check('slept' not in l.log_since(mark), 'the pause was not kept')
        clock.jump(10)
        print('    works again %.1f s after waking' % l.works(s, 30), flush=True)
        u.kept()


@scenario
def network_comes_back_in_a_pause(l):
    """The next try is a minute off, because there was no network; it comes when the network does."""
    s = l.server('pause-network', ['keepalive 10 60'], proto='tcp')
    with long_pause(l, s) as u:
        l.ping(s)
        mark = l.mark()
        s.stop(signal.SIGKILL)
        route = l.run('ip', 'route', 'show', 'default').split()
        l.run('ip', 'route', 'del', *route)
        try:
            wait_for_pause(l, mark)
            s.start()
        finally:
            l.run('ip', 'route', 'add', *route)
        print('    works again %.1f s after the network' % l.works(s, 30), flush=True)
        u.kept()


def nm_sleep(l, on):
    l.run('dbus-send', '--system', '--print-reply', '--dest=org.freedesktop.NetworkManager',
          '/org/freedesktop/NetworkManager', 'org.freedesktop.NetworkManager.Sleep', 'boolean:' + on)


@scenario
def networkmanager_sleeps(l):
    """NetworkManager is told of sleep and waking; it leaves virtual links like the lab's alone, so the VPN stays. The
    server has forgotten it."""
    s = l.server('nm-sleep', ['keepalive 10 60'])
    with Clock(l) as clock, Up(l, s):
        l.ping(s)
        nm_sleep(l, 'true')
        try:
            crash(s)
            clock.jump(300)
        finally:
            nm_sleep(l, 'false')
        wait_for('a tunnel', l.tunnels, 20, 0.1)
        l.works(s)


@scenario
def networking_off_and_on(l):
    """The VPN ends cleanly, and comes back with the network that it is a secondary of."""
    s = l.server('off-and-on', ['keepalive 10 60'])
    before = l.snapshot()
    name = l.import_profile(l.profile(s))
    l.nmcli('connection', 'modify', 'base', 'connection.secondaries', l.field(name, 'connection.uuid'))
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        l.nmcli('networking', 'off')
        wait_for('the tunnel ends', lambda: not l.tunnels(), 10, 0.1)
        wait_for('its programs end', lambda: not l.programs(), 15, 0.1)
        l.nmcli('networking', 'on')
        wait_for('the VPN is back', l.tunnels, 30, 0.2)
        l.works(s)
        l.down(name)
        l.clean(before)
    finally:
        l.nmcli('networking', 'on', ok=False)
        l.nmcli('connection', 'modify', 'base', 'connection.secondaries', '')
        l.down(name)
        l.delete(name)
        wait_for('the base connection', lambda: l.nmcli(
            '-g', 'GENERAL.STATE', 'connection', 'show', 'base', ok=False)[1].startswith('activated') or
            l.nmcli('connection', 'up', 'base', ok=False)[0] == 0, 20, 0.3)
        wait_for('its address', lambda: C4 in l.run('ip', '-4', 'address', 'show', 'dev', 'veth0'), 15, 0.1)
        l.drop_server('off-and-on')


def nobody_is_asked(proto):
    """A password that was typed once and not stored serves after sleep too, when the server has forgotten everything."""
    def f(l):
        script = l.scratch + '/yes'
        with open(script, 'w') as out:
            out.write('#!/bin/sh\nexit 0\n')
        os.chmod(script, 0o755)
        s = l.server('asleep-typed-' + proto, ['keepalive 10 60', 'script-security 2',
                                               'auth-user-pass-verify %s via-file' % script], proto=proto)
        name = l.import_profile(l.profile(s, ['auth-user-pass']), data='username=eve,password-flags=2')
        try:
            with Clock(l) as clock:
                rc, out, _ = l.up(name, {'password': 'typed'})
                check(rc == 0, out)
                l.ping(s)
                mark = l.mark()
                crash(s)
                before = sessions(s)
                clock.jump(300)
                wait_for('a new session', lambda: sessions(s) > before, 20, 0.05)
                l.works(s)
                check('asking' not in l.log_since(mark).replace('asking the server', ''), 'somebody was asked')
        finally:
            l.down(name)
            l.delete(name)
            l.drop_server('asleep-typed-' + proto)
    return f


for _proto in ('udp', 'tcp'):
    add('staying', 'asleep-and-nobody-is-asked-' + _proto, nobody_is_asked(_proto))
