# SPDX-License-Identifier: GPL-2.0-or-later
"""Files in and out: what nmcli shows at import, and exported files under OpenVPN's own client against the same server."""
import os
import re

from lab import Failed, S4, VPN_TYPE, check, stop, wait_for
from pki import read
from push import default_dev, pushes
from registry import scenario


def imported(l, text, name='in'):
    """nmcli's output, with the connection removed again."""
    path = '%s/%s.ovpn' % (l.scratch, name)
    with open(path, 'wb') as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    rc, out = l.nmcli('connection', 'import', 'type', VPN_TYPE, 'file', path, ok=False)
    l.delete(name)
    return rc, out


@scenario
def nmcli_shows_the_warnings(l):
    rc, out = imported(l, 'client\nremote vpn.example.org\nca ca.crt\nauth-user-pass\npersist-key\nup /bin/x\n'
                       'remote-cert-tlsserver\nping abc\n')
    check(rc == 0, out)
    for want in ('Warning: in.ovpn: Line 6: “up” has no effect', 'Line 7: “remote-cert-tlsserver”', 'Line 8: “ping”',
                 'not needed here, without effect: persist-key', 'successfully added'):
        check(want in out, 'nmcli said: ' + out)


@scenario
def nmcli_is_quiet_about_a_good_file(l):
    rc, out = imported(l, 'client\nremote vpn.example.org\nca %s\nauth-user-pass\n' % l.pki.ca().crt)
    check(rc == 0 and 'Warning' not in out and 'without effect' not in out, out)


@scenario
def nmcli_shows_why_a_file_is_refused(l):
    for text, want in (('client\n<<<<<<< HEAD\nremote a\n', 'Line 2: this is the mark of an unfinished merge'),
                       ('client\nremote "a\n', 'Line 2'), (b'\x7fELF\x00\x00', 'not an OpenVPN client'),
                       (b'client\nremote a\n' + b'#' * (4 << 20), 'larger than 4 MiB'),
                       (b'\x7fELF\x00\x01' * (1 << 20), 'not an OpenVPN client'),
                       ('server 10.0.0.0 255.0.0.0\n', 'of an OpenVPN server')):
        rc, out = imported(l, text)
        check(rc != 0 and want in out, 'nmcli said: ' + out)


def under_openvpn(l, path, then):
    """Runs OpenVPN's client in the client's namespace with the file alone, then(device)."""
    log = l.scratch + '/openvpn-client.log'
    if os.path.exists(log):
        os.unlink(log)
    proc, pid = l.start('openvpn', '--config', path, '--verb', '3', log=log)
    try:
        wait_for('openvpn connects with the exported file: ' + log,
                 lambda: 'Initialization Sequence Completed' in read(log), 15)
        then(list(l.tunnels())[0])
    except Failed as e:
        raise Failed('%s\n%s\n%s' % (e, read(path), read(log)[-1500:]))
    finally:
        l.run('kill', str(pid_inside(l, 'openvpn')), ok=False)
        proc.wait(60)
        wait_for('the device is gone', lambda: not l.tunnels(), 5)


def pid_inside(l, name):
    out = l.run('sh', '-c', 'for p in /proc/[0-9]*; do read -r n < $p/comm && [ "$n" = %s ] && echo ${p#/proc/}; done; true'
                % name)
    return out.split()[0] if out.split() else 0


def exported(l, s, lines=(), inline=True, settings=None, then=None, old=False, secrets=False):
    name = l.import_profile(l.profile(s, lines, inline), **(settings or {}))
    path = l.scratch + '/out.ovpn'
    try:
        if old:
            l.nmcli('connection', 'modify', name, '-vpn.data', 'default-route')
        said = l.nmcli('connection', 'export', name, path)
        check('Warning' not in said, said)
    finally:
        l.delete(name)
    text = read(path)
    check(not re.search(r'^(ca|cert|key) ', text, re.M), 'the export names files: ' + text)
    # alone: nothing else of the profile is within reach
    under_openvpn(l, path, then or (lambda dev: None))
    return text


@scenario
def export_runs_under_openvpn(l):
    s = l.server('files-export', pushes('redirect-gateway def1', 'route 198.18.3.0 255.255.255.0'))

    def full(dev):
        check(re.search(r'0\.0\.0\.0/1 .*dev ' + dev, l.run('ip', 'route')), 'no default route: ' + l.run('ip', 'route'))
        check('198.18.3.0/24' in l.run('ip', 'route'), 'no pushed route')
        l.ping(s, dev=dev)

    def split(dev):
        check('0.0.0.0/1' not in l.run('ip', 'route'), 'the default route was taken: ' + l.run('ip', 'route'))
        l.ping(s, dev=dev)
    try:
        exported(l, s, then=full)
        exported(l, s, inline=False, then=full)
        exported(l, s, settings={'ipv4.never_default': 'yes', 'ipv6.never_default': 'yes'}, then=split)
        exported(l, s, ['pull-filter ignore redirect-gateway'], then=split)
        exported(l, s, settings={'ipv4.never_default': 'yes', 'ipv6.never_default': 'yes'}, old=True, then=split)
    finally:
        l.drop_server('files-export')


@scenario
def export_of_an_old_profile_takes_the_default_route(l):
    s = l.server('files-old')

    def full(dev):
        check(re.search(r'0\.0\.0\.0/1 .*dev ' + dev, l.run('ip', 'route')), 'no default route: ' + l.run('ip', 'route'))
        l.ping(s, dev=dev)

    def split(dev):
        check('0.0.0.0/1' not in l.run('ip', 'route'), 'the default route was taken')
        l.ping(s, dev=dev)
    try:
        exported(l, s, old=True, then=full)
        exported(l, s, then=split)
    finally:
        l.drop_server('files-old')


@scenario
def export_of_routes_and_names(l):
    """What a person set in NetworkManager stands in the file."""
    s = l.server('files-ip')

    def then(dev):
        out = l.run('ip', 'route', 'show', 'dev', dev)
        check('198.18.7.0/24' in out and '198.18.8.0/24' in out, out)
    try:
        text = exported(l, s, ['route 198.18.7.0 255.255.255.0', 'dhcp-option DNS 10.9.9.9', 'dhcp-option DOMAIN corp.test'],
                        settings={'+ipv4.routes': '198.18.8.0/24', '+ipv4.dns': '10.9.9.8'}, then=then)
        for want in ('dhcp-option DNS 10.9.9.9', 'dhcp-option DNS 10.9.9.8', 'dhcp-option DOMAIN-SEARCH corp.test'):
            check(want in text, text)
    finally:
        l.drop_server('files-ip')


@scenario
def export_of_wrapping_and_login(l):
    """tls-auth with a direction, from a file; the stored password goes along."""
    key = l.pki.static_key('files')
    s = l.server('files-ta', ['tls-auth %s 0' % key])
    try:
        text = exported(l, s, ['tls-auth %s 1' % key], then=lambda dev: l.ping(s, dev=dev))
        check('<tls-auth>' in text and 'key-direction 1' in text, text)
    finally:
        l.drop_server('files-ta')


@scenario
def names_of_the_settings_work(l):
    """Routes and DNS that import put into ipv4 are there when the connection is up."""
    s = l.server('files-up')

    def then(name):
        dev = l.device(s)
        check('198.18.7.0/24' in l.run('ip', 'route', 'show', 'dev', dev), l.run('ip', 'route'))
        check('10.9.9.9' in l.field(name, 'IP4.DNS'), l.field(name, 'IP4.DNS'))
        check('corp.test' in l.nmcli('-f', 'IP4', 'connection', 'show', name), 'domain')
        check('dev veth0' in default_dev(l), default_dev(l))
        check('dev veth0' in l.run('ip', 'route', 'get', S4), 'server')
    try:
        l.cycle(s, ['route 198.18.7.0 255.255.255.0', 'dhcp-option DNS 10.9.9.9', 'dhcp-option DOMAIN corp.test'], then=then)
    finally:
        l.drop_server('files-up')


import files_older  # noqa: E402,F401
