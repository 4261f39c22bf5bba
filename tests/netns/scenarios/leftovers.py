# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing is left behind: after down, and after the death of each process."""
import os
import re
import shutil
import signal
import time

import auth
import errors
from lab import S4, check, wait_for
from registry import add, scenario

QUICK = 8  # seconds, on a busy machine too


def connected(l):
    s = l.server('routed', ['push "route 198.18.40.0 255.255.255.0"', 'push "dhcp-option DNS 10.9.9.9"'])
    before = l.snapshot()
    before['programs'] = []
    name = l.import_profile(l.profile(s))
    rc, out, _ = l.up(name)
    check(rc == 0, out)
    l.ping(s)
    wait_for('the route is there while connected', lambda: '198.18.40.0/24' in l.run('ip', 'route'))
    return s, before, name


def inactive(l, name):
    wait_for('NetworkManager knows', lambda: name not in
             l.nmcli('-g', 'NAME', 'connection', 'show', '--active').split('\n'), 10)


@scenario
def down(l):
    s, before, name = connected(l)
    l.down(name)
    l.clean(before, 30)
    l.delete(name)


@scenario
def failed_attempt(l):
    s = l.server('left')
    before = l.snapshot()
    before['programs'] = []
    name = l.import_profile(l.profile(s, ['verify-x509-name other.test name']))
    rc, _, _ = l.up(name)
    check(rc != 0, 'must fail')
    l.delete(name)
    l.clean(before, 30)


@scenario
def interrupted_attempt(l):
    """down while no server answers."""
    s = l.server('left')
    before = l.snapshot()
    before['programs'] = []
    name = l.import_profile(l.profile(s, remote='10.213.0.99'))
    l.nmcli('--wait', '0', 'connection', 'up', name, ok=False)
    wait_for('the service runs', l.programs)
    l.down(name)
    l.clean(before, 30)
    l.delete(name)


@scenario
def interrupted_before_the_service_is_ready(l):
    """down while the service's program is being started: NetworkManager never calls it, and it ends by itself."""
    s = l.server('left')
    before = l.snapshot()
    before['programs'] = []
    path = l.run('sh', '-c', 'find /usr/libexec /usr/lib -name nm-ovpn-service | head -1').strip()
    for name in ('nm-ovpn-service', 'late'):
        shutil.copy(l.tree + path, l.scratch + '/' + name)
    with open(l.scratch + '/late', 'w') as f:
        f.write('#!/bin/sh\nsleep 1\nexec %s/nm-ovpn-service "$@"\n' % l.scratch)
    name = l.import_profile(l.profile(s))
    l.run('mount', '--bind', l.scratch + '/late', path)
    try:
        l.nmcli('--wait', '0', 'connection', 'up', name, ok=False)
        l.down(name)
        mark = l.mark()
        wait_for('the service starts', l.programs)
        l.clean(before, 20)
        check('asks for nothing' in l.log_since(mark), l.log_since(mark)[-300:])
    finally:
        l.run('umount', path)
        l.delete(name)


def interrupted(remote, stage, lines=(), rules=None, hosts=None):
    """down while the attempt is in `stage`: quick, and nothing is left."""
    def f(l):
        s = l.server('stage')
        before, mark = l.snapshot(), l.mark()
        before['programs'] = []
        name = l.import_profile(l.profile(s, ['!remote', 'remote ' + remote % {'port': s.port}] + list(lines)))
        if rules:
            with open(l.scratch + '/stage.nft', 'w') as o:
                o.write('table inet stage { chain o { type filter hook output priority 0; %s; }; '
                        'chain i { type filter hook input priority 0; udp dport 7 drop; tcp dport 7 drop; }; }' %
                        (rules % {'port': s.port}))
            l.on_server('nft', '-f', l.scratch + '/stage.nft')
        try:
            l.nmcli('--wait', '0', 'connection', 'up', name, ok=False)
            wait_for(stage, lambda: re.search(stage, l.log_since(mark)), 10)
            time.sleep(0.5)
            begin = time.monotonic()
            rc, out = l.down(name)
            check(rc == 0, out)
            wait_for('the engine ends', lambda: 'nm-ovpn-engine' not in l.programs().values())
            check(time.monotonic() - begin < QUICK, 'down took %.1fs' % (time.monotonic() - begin))
            l.clean(before, 30)
        finally:
            if rules:
                l.on_server('nft', 'delete', 'table', 'inet', 'stage')
            l.delete(name)
    return f


NOTHING = 'udp sport 1 drop'
for _name, _f in (
        ('silent-udp', interrupted(S4 + ' 7', 'session RESET_SENT', rules=NOTHING)),
        ('silent-tcp', interrupted(S4 + ' 7 tcp-client', 'connecting to', rules=NOTHING)),
        ('in-tls', interrupted(S4 + ' %(port)d', 'session TLS_HANDSHAKE',
                               rules='udp sport %(port)d udp length > 100 drop'))):
    add('leftovers', 'interrupted-' + _name, _f)


@scenario
def interrupted_while_resolving(l):
    """The name server does not answer."""
    errors.hidden(l, '/etc/resolv.conf', 'nameserver 10.213.0.99\n', lambda: interrupted(
        'slow.example 1194', 'RESOLVING')(l))


@scenario
def interrupted_while_asking(l):
    """down while a person is asked for the password: before and in the middle of the attempt."""
    s = auth.password_server(l)
    before = l.snapshot()
    before['programs'] = []
    name = l.import_profile(l.profile(s, ['auth-user-pass']), **auth.ASKED)
    try:
        for wrong in (0, 1):
            with auth.Asking(l, name) as t:
                for _ in range(wrong):
                    t.expect('password.*:')
                    t.answer('wrong')
                t.expect('password.*:')
                begin = time.monotonic()
                rc, out = l.down(name)
                check(rc == 0, out)
                wait_for('the engine ends', lambda: 'nm-ovpn-engine' not in l.programs().values())
                check(time.monotonic() - begin < QUICK, 'down took %.1fs' % (time.monotonic() - begin))
        l.clean(before, 30)
    finally:
        l.delete(name)


@scenario
def terminal_closed_while_asking(l):
    """The person goes away with the terminal: the attempt ends by itself."""
    s = auth.password_server(l)
    before = l.snapshot()
    before['programs'] = []
    name = l.import_profile(l.profile(s, ['auth-user-pass']), **auth.ASKED)
    try:
        with auth.Asking(l, name) as t:
            t.expect('password.*:')
            t.answer('wrong')
            t.expect('password.*:')
        inactive(l, name)
        l.clean(before, 30)
    finally:
        l.delete(name)


@scenario
def one_engine_killed_of_two(l):
    """The other connection lives on."""
    a, b = l.server('stage'), l.server('stage-tcp', proto='tcp')
    names = [l.import_profile(l.profile(s)) for s in (a, b)]
    pids = []
    try:
        for n in names:
            rc, out, _ = l.up(n)
            check(rc == 0, out)
            pids += [p for p, x in l.programs().items() if x == 'nm-ovpn-engine' and p not in pids]
        check(len(pids) == 2, 'two engines: %s' % l.programs())
        os.kill(pids[0], signal.SIGKILL)
        inactive(l, names[0])
        wait_for('one tunnel', lambda: len(l.tunnels()) == 1)
        l.ping(b)
    finally:
        for n in names:
            l.down(n)
            l.delete(n)


def killed(program):
    def f(l):
        s, before, name = connected(l)
        pids = [p for p, n in l.programs().items() if n == program]
        check(len(pids) == 1, '%s: %s' % (program, l.programs()))
        os.kill(pids[0], signal.SIGKILL)
        inactive(l, name)
        l.clean(before, 30)
        rc, out, _ = l.up(name)
        check(rc == 0, 'does not connect again: ' + out)
        l.ping(s)
        l.down(name)
        l.delete(name)
    return f


for _p in ('service', 'helper', 'engine'):
    add('leftovers', 'sigkill-' + _p, killed('nm-ovpn-' + _p))


def manager(sig):
    def f(l):
        s, before, name = connected(l)
        os.kill(l.nm_pid, sig)
        l.nm.wait(60)
        # NetworkManager's own route to the server on the base device stays until it runs again
        before['routes'] += [x.strip() for x in l.run('ip', 'route', 'show', S4).splitlines()]
        l.clean(before, 20)
        l.start_nm()
        rc, out, _ = l.up(name)
        check(rc == 0, 'does not connect again: ' + out)
        l.ping(s)
        l.down(name)
        l.delete(name)
    return f


add('leftovers', 'networkmanager-sigterm', manager(signal.SIGTERM))
add('leftovers', 'networkmanager-sigkill', manager(signal.SIGKILL))


@scenario
def base_connection_lost(l):
    s, before, name = connected(l)
    l.nmcli('connection', 'down', 'base')
    inactive(l, name)
    l.nmcli('connection', 'up', 'base')
    l.clean(before, 30)
    l.delete(name)
