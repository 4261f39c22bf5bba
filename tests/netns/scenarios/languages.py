# SPDX-License-Identifier: GPL-2.0-or-later
"""People read their own language: what nmcli shows of the plugin, and the service's reason."""
import os
import signal

from lab import S4, VPN_TYPE, check
from registry import scenario

GERMAN = {'LANGUAGE': 'de', 'LC_ALL': 'C.UTF-8'}


def german(l, *cmd):
    return l.run('env', *('%s=%s' % x for x in GERMAN.items()), *cmd, ok=False)


@scenario
def import_in_german(l):
    """What nmcli says about lines without effect, and about a file that is none."""
    path = l.scratch + '/words.ovpn'
    with open(path, 'w') as f:
        f.write(l.profile(l.server('udp'), ['no-such-option']))
    rc, out = german(l, 'nmcli', 'connection', 'import', 'type', VPN_TYPE, 'file', path)
    l.delete('words')
    check(rc == 0 and 'hat keine Wirkung: diese Option ist nicht bekannt' in out, out)
    with open(path, 'w') as f:
        f.write('server 10.8.0.0 255.255.255.0\n')
    rc, out = german(l, 'nmcli', 'connection', 'import', 'type', VPN_TYPE, 'file', path)
    check(rc and 'die Konfiguration eines OpenVPN-Servers' in out, out)


def restart(l, env=None):
    os.kill(l.nm_pid, signal.SIGTERM)
    l.nm.wait(60)
    l.start_nm(env)


@scenario
def failure_in_german(l):
    """The reason in the log when the system's language is German."""
    restart(l, GERMAN)
    try:
        l.refused(l.server('udp'), ['!remote', 'remote %s 9' % S4], within=20,
                  cause='hat die Verbindung abgelehnt .UDP.. Dort läuft kein VPN-Server')
    finally:
        restart(l)
