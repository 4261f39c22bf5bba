# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys on a PKCS#11 token (SoftHSM): who signs, the PIN, and that the key goes nowhere."""
import os
import re
import shutil
import signal
import subprocess

from auth import asking
from lab import Skipped, check, wait_for
from life import KEYS
from registry import scenario

MODULE = '/usr/lib/softhsm/libsofthsm2.so'
PIN = '471147'


def token(l, kind):
    """A token of the service's user with the client's key and certificate; returns the lines of a profile."""
    if not (os.path.exists(MODULE) and shutil.which('softhsm2-util') and shutil.which('p11tool')):
        raise Skipped('softhsm2 or gnutls-bin is not installed')
    d = l.scratch + '/softhsm-' + kind
    conf = d + '/softhsm2.conf'
    os.makedirs(d + '/tokens', exist_ok=True)
    env = {**os.environ, 'SOFTHSM2_CONF': conf, 'GNUTLS_PIN': PIN}

    def run(*args):
        p = subprocess.run(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           stdin=subprocess.DEVNULL)
        check(p.returncode == 0, '%s: %s' % (args[0], p.stdout))

    if not os.path.exists(conf):
        with open(conf, 'w') as f:
            f.write('directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' % d)
        crt, key = l.pki.client(kind)
        run('softhsm2-util', '--init-token', '--free', '--label', 'lab', '--pin', PIN, '--so-pin', '12345678')
        run('openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', key, '-out', d + '/key.p8')
        run('softhsm2-util', '--import', d + '/key.p8', '--id', '01', '--label', 'me', '--token', 'lab', '--pin', PIN)
        run('p11tool', '--provider', MODULE, '--write', '--load-certificate', crt, '--id', '01', '--label', 'me',
            '--login', 'pkcs11:token=lab')
        os.unlink(d + '/key.p8')
        subprocess.run(['chown', '-R', '64211:64211', d], check=True)  # nm-ovpn
    l.run('mount', '--bind', d, '/etc/softhsm')
    return ['pkcs11-providers ' + MODULE]


URI = 'pkcs11:token=lab;id=%01'


def on_token(l, kind, pins, lines=(), cert=URI, key=URI, then=None):  # cert None: named by lines
    more = token(l, kind)
    try:
        s = l.server('token-' + kind, ca=kind)
        names = ['!cert', '!key'] + (['cert "%s"' % cert] if cert else []) + (['key "%s"' % key] if key else [])
        mark = l.mark()
        with asking(l, s, more + names + list(lines), {'data': 'cert-pass-flags=2'}) as (_, t):
            for pin in pins:
                t.expect('PIN.*:')
                t.answer(pin)
            t.expect('successfully activated')
            l.ping(s)
            check('nm-ovpn-signer' in l.programs().values(), l.programs())
            if then:
                then(s)
        check(not re.search(PIN, l.log_since(mark)), 'the PIN is in the log')
    finally:
        l.run('umount', '/etc/softhsm')


@scenario
def pkcs11_rsa(l):
    on_token(l, 'rsa', [PIN])


@scenario
def pkcs11_ec(l):
    on_token(l, 'ec', [PIN])


@scenario
def pkcs11_certificate_only(l):
    """One address for both."""
    on_token(l, 'ec', [PIN], key=None)


@scenario
def pkcs11_id(l):
    on_token(l, 'ec', [PIN], ['pkcs11-id "%s"' % URI], cert=None, key=None)


@scenario
def pkcs11_id_as_openvpn_shows_it(l):
    token(l, 'ec')
    d = l.scratch + '/softhsm-ec'
    p = subprocess.run(['openvpn', '--show-pkcs11-ids', MODULE], env={**os.environ, 'SOFTHSM2_CONF': d + '/softhsm2.conf'},
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    l.run('umount', '/etc/softhsm')
    names = re.findall(r'Serialized id: +(\S+/lab/01)', p.stdout)
    check(len(names) == 1, p.stdout)
    on_token(l, 'ec', [PIN], ["pkcs11-id '%s'" % names[0]], cert=None, key=None)


@scenario
def pkcs11_one_of_several_tokens(l):
    """An address that names no token: the PIN goes to the one with the certificate only."""
    token(l, 'ec')
    env = {**os.environ, 'SOFTHSM2_CONF': l.scratch + '/softhsm-ec/softhsm2.conf'}
    for label in ('a', 'z'):
        subprocess.run(['softhsm2-util', '--init-token', '--free', '--label', label, '--pin', '2222', '--so-pin', '12345678'],
                       env=env, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['chown', '-R', '64211:64211', l.scratch + '/softhsm-ec'], check=True)
    l.run('umount', '/etc/softhsm')
    on_token(l, 'ec', [PIN], cert='pkcs11:id=%01', key='pkcs11:id=%01')


@scenario
def pkcs11_token_away_for_a_while(l):
    """Taken out, a renegotiation fails; back in its place, the connection works again and nobody is asked."""
    def then(s):
        tokens, mark = l.scratch + '/softhsm-ec/tokens', l.mark()
        os.rename(tokens, tokens + '-away')
        try:
            wait_for('the token is missed', lambda: 'key on the security token cannot be used' in l.log_since(mark), 20)
        finally:
            os.rename(tokens + '-away', tokens)
        l.works(s, 30)
        check('asking' not in l.log_since(mark), l.log_since(mark))
        signer = next(pid for pid, name in l.programs().items() if name == 'nm-ovpn-signer')
        mark, seen = l.mark(), s.log().count(KEYS)
        os.kill(signer, signal.SIGKILL)
        wait_for('a signature of another process', lambda: s.log().count(KEYS) > seen, 30)
        l.works(s, 30)
    on_token(l, 'ec', [PIN], ['reneg-sec 3'], then=then)


@scenario
def bad_pkcs11_pin_is_tried_once(l):
    """The same answer again and again must not lock the token."""
    more = token(l, 'ec')
    try:
        s = l.server('token-ec', ca='ec')
        mark = l.mark()
        text = l.profile(s, more, cert=None) + 'cert "%s"\nkey "%s"\n' % (URI, URI)
        l.refused(s, cause='PIN of the security token is wrong', text=text, secrets={'cert-pass': '000000'})
        check(l.log_since(mark).count('asking: ') == 1, l.log_since(mark))
    finally:
        l.run('umount', '/etc/softhsm')


@scenario
def pkcs11_tls12(l):
    on_token(l, 'rsa', [PIN], ['tls-version-max 1.2'])


@scenario
def pkcs11_slow_signature(l):
    """A renegotiation waits for its signature; payload does not."""
    def then(s):
        signer = next(pid for pid, name in l.programs().items() if name == 'nm-ovpn-signer')
        seen = s.log().count(KEYS)
        os.kill(signer, signal.SIGSTOP)
        try:
            l.ping(s, 250)  # five seconds: the renegotiation begins after three
            check(s.log().count(KEYS) == seen, 'keys without a signature')
        finally:
            os.kill(signer, signal.SIGCONT)
        wait_for('the renegotiation', lambda: s.log().count(KEYS) > seen, 10)
        l.ping(s)
    on_token(l, 'ec', [PIN], ['reneg-sec 3'], then=then)


@scenario
def pkcs11_wrong_pin_then_right(l):
    on_token(l, 'ec', ['000000', PIN])


@scenario
def bad_pkcs11_no_such_token(l):
    more = token(l, 'ec')
    try:
        s = l.server('token-ec', ca='ec')
        text = l.profile(s, more, cert=None) + 'cert "pkcs11:token=other;id=%01"\nkey "pkcs11:token=other;id=%01"\n'
        l.refused(s, cause='key on the security token cannot be used', text=text, secrets={'cert-pass': PIN})
    finally:
        l.run('umount', '/etc/softhsm')


@scenario
def bad_pkcs11_module_of_somebody(l):
    """A module is code: one that others than root can change is not loaded."""
    token(l, 'ec')
    try:
        s = l.server('token-ec', ca='ec')
        mine = shutil.copy(MODULE, l.scratch + '/module.so')
        text = l.profile(s, ['pkcs11-providers ' + mine], cert=None) + 'cert "%s"\nkey "%s"\n' % (URI, URI)
        l.refused(s, cause='only root can change', text=text, secrets={'cert-pass': PIN})
    finally:
        l.run('umount', '/etc/softhsm')
