# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way of failing names its cause in the log, in time, and leaves nothing."""
import re

from dnsd import Dns
from lab import S4, check
from pki import read
from registry import scenario

SHORT = ['server-poll-timeout 3', 'connect-timeout 3', 'hand-window 5', 'connect-retry-max 1']


@scenario
def cannot_resolve(l):
    """The name server says that there is no such name."""
    with Dns(l, {}):
        l.refused(l.server('udp'), remote='nothing.invalid', cause=r'nothing\.invalid', within=8)


@scenario
def nobody_answers(l):
    l.refused(l.server('udp'), SHORT, remote='10.213.0.99', cause='no answer|did not answer|unreachable|no route',
              within=20)


@scenario
def tcp_port_closed(l):
    s = l.server('udp')
    l.refused(s, SHORT + ['!remote', '!proto', 'proto tcp-client', 'remote %s 9' % S4], cause='refused', within=20)


@scenario
def udp_port_closed(l):
    """The only server refuses: told after a few seconds (more on a busy machine), not after NetworkManager's minute."""
    s = l.server('udp')
    l.refused(s, ['!remote', 'remote %s 9' % S4], cause='refused the connection', within=20)


@scenario
def wrong_tls_crypt_key(l):
    s = l.server('tc', ['tls-crypt ' + l.pki.static_key('tc')])
    l.refused(s, SHORT + ['tls-crypt ' + l.pki.static_key('tc-wrong')], within=20,
              cause=r'(answer|reply).*tls-(auth|crypt)|tls-crypt.*(key|answer)')


@scenario
def wrong_tls_auth_key(l):
    s = l.server('ta', ['tls-auth %s 0' % l.pki.static_key('ta')])
    l.refused(s, SHORT + ['tls-auth %s 1' % l.pki.static_key('ta-wrong')], within=20,
              cause=r'(answer|reply).*tls-(auth|crypt)|tls-auth.*(key|answer)')


@scenario
def tls_crypt_missing(l):
    s = l.server('tc', ['tls-crypt ' + l.pki.static_key('tc')])
    l.refused(s, SHORT, cause='no answer|did not answer|tls-crypt', within=20)


@scenario
def server_refuses_our_certificate(l):
    other = l.pki.pair('client', 'client', 'other', cn='client.test')
    l.refused(l.server('udp'), SHORT, cert=other, within=20,
              cause='alert|unknown ca|certificate|not finished in time')  # 2.6 sends no alert


@scenario
def own_certificate_expired(l):
    old = l.pki.pair('old', 'client', start='20200101000000Z', end='20200201000000Z')
    l.refused(l.server('udp'), SHORT, cert=old, cause='expired', within=20)


@scenario
def no_common_cipher(l):
    s = l.server('chacha', ['data-ciphers CHACHA20-POLY1305'])
    l.refused(s, ['data-ciphers AES-128-GCM'], cause='cipher|AUTH_FAILED|Data channel', within=20)


@scenario
def missing_file(l):
    text = l.profile(l.server('udp'), inline=False).replace('ca.crt', 'not-there.crt')
    l.refused(l.server('udp'), text=text, cause=r'not-there\.crt')


@scenario
def file_that_is_no_certificate(l):
    text = l.profile(l.server('udp'), inline=False).replace(l.pki.ca().crt, '/etc/passwd')
    l.refused(l.server('udp'), text=text, cause=r'/etc/passwd|ca.*(certificate|PEM)|certificate.*ca')


@scenario
def file_that_is_a_folder(l):
    text = l.profile(l.server('udp'), inline=False).replace(l.pki.ca().crt, l.pki.dir)
    l.refused(l.server('udp'), text=text, cause=re.escape(l.pki.dir))


@scenario
def device_as_file(l):
    text = l.profile(l.server('udp'), inline=False).replace(l.pki.ca().crt, '/dev/zero')
    l.refused(l.server('udp'), text=text, cause='/dev/zero')


def hidden(l, path, content, f):
    """Runs f while `path` is replaced inside the client's mount namespace."""
    if l.run('test', '-e', path, ok=False)[0]:
        check(False, '%s is not installed' % path)
    source = l.scratch + '/hidden'
    with open(source, 'w') as o:
        o.write(content)
    l.run('mount', '--bind', source, path)
    try:
        f()
    finally:
        l.run('umount', path)


@scenario
def helper_cannot_be_started(l):
    path = l.run('sh', '-c', 'find /usr/libexec /usr/lib -name nm-ovpn-helper | head -1').strip()
    hidden(l, path, '', lambda: l.refused(l.server('udp'), cause='nm-ovpn-helper|helper'))


@scenario
def engine_cannot_be_started(l):
    path = l.run('sh', '-c', 'find /usr/libexec /usr/lib -name nm-ovpn-engine | head -1').strip()
    hidden(l, path, '', lambda: l.refused(l.server('udp'), cause='nm-ovpn-engine|engine'))


@scenario
def service_user_missing(l):
    passwd = ''.join(x + '\n' for x in read(l.scratch + '/etc/passwd').splitlines()
                     if not x.startswith('nm-ovpn:'))
    hidden(l, '/etc/passwd', passwd, lambda: l.refused(l.server('udp'), cause='nm-ovpn'))


@scenario
def import_names_the_bad_line(l):
    path = l.scratch + '/bad.ovpn'
    with open(path, 'w') as f:
        f.write('client\nremote\n<ca>\nnever closed\n')
    rc, out = l.nmcli('connection', 'import', 'type', 'openvpn', 'file', path, ok=False)
    check(rc != 0, 'a broken file was imported')
    check(re.search(r'line \d|:\d|<ca>|ca\b', out), 'the message names no line: ' + out)


@scenario
def import_of_garbage(l):
    path = l.scratch + '/garbage.ovpn'
    with open(path, 'wb') as f:
        f.write(bytes(range(256)) * 64)
    rc, out = l.nmcli('connection', 'import', 'type', 'openvpn', 'file', path, ok=False)
    check(rc != 0 and 'dump' not in out, 'nmcli: %d %s' % (rc, out))


@scenario
def stored_key_is_gone(l):
    """NetworkManager keeps the other secrets only when a change brings none; the way out works."""
    s = l.server('udp')
    name = l.import_profile(l.profile(s, ['auth-user-pass']), data='username=alice, password-flags=0')
    try:
        for change in ('+vpn.secrets', 'vpn.secrets'):
            mark = l.mark()
            l.nmcli('connection', 'modify', name, change, 'password=secret word')
            rc, _, took = l.up(name)
            check(rc != 0 and took < 15, 'it must fail at once')
            check('private key that was stored' in l.log_since(mark), l.log_since(mark)[-300:])
        l.nmcli('connection', 'modify', name, '+vpn.data', 'key=' + l.pki.client()[1])
        rc, out, _ = l.up(name)
        check(rc == 0, out)
        l.ping(s)
    finally:
        l.down(name)
        l.delete(name)
