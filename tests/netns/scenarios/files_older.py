# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles as NetworkManager-openvpn, KDE and other tools have stored them, with all their habits."""
import subprocess

from lab import S4, check
from pki import read
from registry import scenario


def add_profile(l, name, data, *more):
    text = ','.join('%s=%s' % (k, str(v).replace(',', '\\,')) for k, v in data.items())
    l.nmcli('connection', 'add', 'type', 'vpn', 'con-name', name, 'ifname', '*', 'vpn-type', 'openvpn', 'vpn.data', text, *more)


def base(l, s, **more):
    crt, key = l.pki.client()
    data = {'connection-type': 'tls', 'ca': l.pki.ca().crt, 'cert': crt, 'key': key, 'remote': '%s:%d' % (S4, s.port)}
    data.update({k.replace('_', '-'): v for k, v in more.items()})
    return {k: v for k, v in data.items() if v is not None}


def works(l, s, data, secrets=None, cause=''):
    mark = l.mark()
    add_profile(l, 'older', data)
    try:
        rc, out, _ = l.up('older', secrets)
        check(rc == 0, '%s: %s %s' % (data, out, l.log_since(mark)[-300:]))
        l.ping(s, count=1)
        check(cause in l.log_since(mark), l.log_since(mark))
    finally:
        l.down('older')
        l.delete('older')


@scenario
def older_habits(l):
    """Values that the replaced plugin understood or passed over."""
    s = l.server('older', ['data-ciphers AES-256-CBC:AES-256-GCM'])
    here = '%s:%d' % (S4, s.port)
    try:
        for more in (
                {'remote': '  %s, ' % here}, {'remote': 'bad:0:udp %s' % here}, {'remote': '%s' % S4, 'port': ' %d ' % s.port},
                {'remote': '%s:%d:udp4,%s' % (S4, s.port, here)}, {'proto-tcp': 'no', 'tun-ipv6': 'maybe', 'proxy-retry': 'no'},
                {'ta-dir': '1', 'tls-version-min-or-highest': 'yes', 'mtu-disc': 'perhaps', 'mssfix': 'no'},
                {'ping': '0', 'ping-restart': '0', 'reneg-seconds': '0', 'max-routes': '1000', 'keysize': '256'},
                {'ncp-disable': 'yes', 'cipher': 'aes-256-cbc', 'data-ciphers-fallback': 'AES-256-CBC', 'push-peer-info': 'yes'},
                {'tls-version-min': '1.0', 'tls-version-max': '1.3', 'float': 'no', 'comp-lzo': 'no', 'dev-type': 'tun'},
                {'tap-dev': 'no', 'dev': 'vpn-of-old', 'dev-type': 'tun', 'tunnel-mtu': '1400', 'allow-compression': 'asym'},
                {'remote-cert-tls': 'server', 'no-secret': 'true', 'password-flags': '1', 'cert-pass-flags': '4'},
                {'tls-cipher': 'DEFAULT:@SECLEVEL=0', 'auth': 'RSA-SHA1', 'some-later-key': 'value'}):
            works(l, s, base(l, s, **more))
    finally:
        l.drop_server('older')


@scenario
def older_files(l):
    """One file for certificate and key: PEM or PKCS#12, whatever it is called."""
    s = l.server('older-files')
    crt, key = l.pki.client()
    try:
        for name in ('both.pem', 'both', 'both.p12x'):
            path = '%s/%s' % (l.scratch, name)
            with open(path, 'w') as f:
                f.write(read(key) + read(crt))
            works(l, s, base(l, s, cert=path, key=path))
        for name in ('store.p12', 'store', 'store.pem'):
            path = '%s/%s' % (l.scratch, name)
            subprocess.run(['cp', l.pki.p12('pw'), path], check=True)
            works(l, s, base(l, s, cert=path, key=path, ca=path, cert_pass_flags='0'), {'cert-pass': 'pw'})
    finally:
        l.drop_server('older-files')


@scenario
def older_login_name(l):
    """Without a user name in the profile it is the login name of the person; nobody is asked."""
    script = l.scratch + '/older-login'
    with open(script, 'w') as f:
        f.write('#!/bin/sh\n[ "$(head -1 "$1")" = root ] && [ "$(tail -1 "$1")" = pw ]\n')
    subprocess.run(['chmod', '755', script], check=True)
    s = l.server('older-login', ['verify-client-cert none', 'script-security 2', 'auth-user-pass-verify %s via-file' % script])
    try:
        works(l, s, base(l, s, connection_type='password', cert=None, key=None, password_flags='1'), {'password': 'pw'})
    finally:
        l.drop_server('older-login')


@scenario
def what_is_missing_is_said(l):
    """A file that was not copied along: import, connecting and export name it."""
    path, out = l.scratch + '/alone.ovpn', l.scratch + '/nowhere/out.ovpn'
    with open(path, 'w') as f:
        f.write('client\ndev tun\nremote %s 1194\nca not-here.crt\nauth-user-pass\nverb 3\nuser nobody\nup /etc/openvpn/update-resolv-conf\n' % S4)
    try:
        said = l.nmcli('connection', 'import', 'type', 'openvpn', 'file', path)
        check('ca: The file “%s/not-here.crt” does not exist' % l.scratch in said, said)
        check(said.count('Warning') == 1, 'noise: ' + said)
        mark = l.mark()
        rc, _, _ = l.up('alone', {'password': 'x', 'username': 'y'})
        check(rc != 0 and 'ca: The file “%s/not-here.crt” does not exist' % l.scratch in l.log_since(mark), l.log_since(mark)[-300:])
        rc, said = l.nmcli('connection', 'export', 'alone', out, ok=False)
        check(rc != 0 and 'The file “%s” could not be written: No such file' % out in said, said)
    finally:
        l.delete('alone')
