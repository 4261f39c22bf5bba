# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing is left behind: after down, and after the death of each process."""
import os
import signal

from lab import S4, check, wait_for
from registry import add, scenario


def connected(l):
    s = l.server('left', ['push "route 198.18.40.0 255.255.255.0"', 'push "dhcp-option DNS 10.9.9.9"'])
    before = l.snapshot()
    before['programs'] = []
    name = l.import_profile(l.profile(s))
    rc, out, _ = l.up(name)
    check(rc == 0, out)
    l.ping(s)
    check('198.18.40.0/24' in l.run('ip', 'route'), 'the route is there while connected')
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
        l.nm.wait(10)
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
