# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys in a TPM 2.0 (swtpm, an emulator) by way of tpm2-pkcs11, and key files of a TPM."""
import contextlib
import glob
import os
import re
import shutil
import subprocess

from auth import asking
from lab import Skipped, check, stop, wait_for
from registry import scenario

MODULE = next(iter(glob.glob('/usr/lib/*/pkcs11/libtpm2_pkcs11.so')), '')
STORE = '/etc/tpm2_pkcs11'
PIN, URI = '471147', 'pkcs11:token=lab;id=%01'
AS_SERVICE = ('setpriv', '--reuid', '64211', '--regid', '64211', '--clear-groups', 'env', '-i', 'PATH=/usr/bin:/bin',
              'GNUTLS_PIN=' + PIN, 'GNUTLS_SO_PIN=12345678')


class Tpm:
    """`with Tpm(l, kind) as t`: a TPM with a token of the service's user; t.crt is the certificate of its key."""

    def __init__(self, l, kind='ec'):
        if not (MODULE and shutil.which('swtpm') and shutil.which('p11tool')):
            raise Skipped('swtpm, libtpm2-pkcs11-1 or gnutls-bin is not installed')
        self.l, self.kind, self.proc = l, kind, None
        self.dir = l.scratch + '/tpm-' + kind

    def __enter__(self):
        l = self.l
        fresh = not os.path.isdir(self.dir)
        for name in ('state', 'store'):
            os.makedirs('%s/%s' % (self.dir, name), exist_ok=True)
        os.chown(self.dir + '/store', 64211, 64211)
        os.chmod(self.dir + '/store', 0o700)
        l.run('mount', '--bind', self.dir + '/store', STORE)
        try:
            self.start()
            self.crt = self.dir + '/me.crt'
            if fresh:
                self.make_key()
            return self
        except BaseException:
            self.__exit__()
            raise

    def start(self):
        """Without a TPM of the machine, the libraries look for one at this port."""
        listen = 'type=tcp,bindaddr=127.0.0.1,port='
        self.proc, self.pid = self.l.start('swtpm', 'socket', '--tpm2', '--tpmstate', 'dir=%s/state' % self.dir, '--server',
                                           listen + '2321', '--ctrl', listen + '2322', '--flags',
                                           'not-need-init,startup-clear', log=self.dir + '/swtpm.log')
        wait_for('swtpm', lambda: self.l.run('ss', '-ltn').count(':232') == 2)

    def stop(self):
        if self.proc:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 9)
            stop(self.proc)
        self.proc = None

    def tool(self, *args):
        return self.l.run(*AS_SERVICE, 'p11tool', '--batch', '--provider', MODULE, *args)

    def make_key(self):
        first = [x for x in self.tool('--list-token-urls').splitlines() if x.startswith('pkcs11:')]
        self.tool('--initialize', '--label', 'lab', first[-1])
        self.tool('--initialize-pin', 'pkcs11:token=lab')
        kind = ['ecc', '--curve', 'secp256r1'] if self.kind == 'ec' else ['rsa', '--bits', '2048']
        out = self.tool('--login', '--generate-privkey', *kind, '--label', 'me', '--id', '01', 'pkcs11:token=lab')
        public = re.search(r'-----BEGIN PUBLIC KEY-----.*-----END PUBLIC KEY-----\n', out, re.S)
        check(public, out)
        with open(self.dir + '/public', 'w') as f:
            f.write(public.group())
        ca = self.l.pki.ca(self.kind)
        subprocess.run(['openssl', 'x509', '-new', '-subj', '/CN=client.test', '-force_pubkey', self.dir + '/public', '-CA',
                        ca.crt, '-CAkey', ca.dir + '/ca.key', '-days', '30', '-extfile', ca.dir + '/openssl.cnf',
                        '-extensions', 'client', '-out', self.crt], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def lines(self):
        return ['!cert', '!key', 'pkcs11-providers ' + MODULE, 'cert ' + self.crt, 'key "%s"' % URI]

    def __exit__(self, *_):
        self.stop()
        self.l.run('umount', STORE, ok=False)


def in_tpm(l, kind, pins, lines=(), then=None):
    with Tpm(l, kind) as tpm:
        s = l.server('tpm-' + kind, ca=kind)
        mark = l.mark()
        with asking(l, s, tpm.lines() + list(lines), {'data': 'cert-pass-flags=2'}) as (name, t):
            for pin in pins:
                t.expect('PIN.*:')
                t.answer(pin)
            t.expect('successfully activated')
            l.ping(s)
            if then:
                then(name, s, tpm)
        check(PIN not in l.log_since(mark), 'the PIN is in the log')


@scenario
def tpm_ec(l):
    in_tpm(l, 'ec', [PIN])


@scenario
def tpm_rsa_wrong_pin_then_right(l):
    in_tpm(l, 'rsa', ['000000', PIN])


@scenario
def tpm_tls12(l):
    in_tpm(l, 'rsa', [PIN], ['tls-version-max 1.2'])


@scenario
def tpm_away_for_a_while(l):
    """The TPM does not answer when new keys are due: the log says so, and with the TPM the connection is back."""
    def then(name, s, tpm):
        mark = l.mark()
        tpm.stop()
        wait_for('the reason', lambda: 'token that holds the private key did not sign' in l.log_since(mark), 15)
        tpm.start()
        l.works(s, 30)
        check('asking' not in l.log_since(mark), l.log_since(mark))
    in_tpm(l, 'ec', [PIN], ['reneg-sec 3'], then)


@scenario
def bad_tpm_store_of_somebody(l):
    """The folder of tpm2-pkcs11 is not the service's: the sentence names it."""
    with Tpm(l) as tpm:
        os.chown(tpm.dir + '/store', 0, 0)
        try:
            s = l.server('tpm-ec', ca='ec')
            text = l.profile(s, tpm.lines())
            l.refused(s, cause='TPM cannot be used: the user nm-ovpn may not open or change ' + STORE, text=text,
                      secrets={'cert-pass': PIN})
        finally:
            os.chown(tpm.dir + '/store', 64211, 64211)


TSS2 = """-----BEGIN TSS2 PRIVATE KEY-----
MIHyBgZngQUKAQOgAwEBAQIEQAAAAQRaAFgAIwALAAQAcgAAABAAGAALAAMAEAAg
4AXPJ6ey8m/uwKUIx/5AqW+IyXwpEPFfyu8dYBofB50AIKWqbORExxFwqLiFQfl7
537mC9p5UvUhrSkVx8G6v6fnBIGAAH4AIKag1SGk2aL9PCkfBut4ixYOey+LAL5N
2VvZ4kAc7rHFABBgKIYxA/jh5gSOgVAd1kDBOfq+3LszM4UiXy4tKpiSSmqnus34
S51X1OS34g/fB8vd7Z8PdCPVOvJOGVfNk3hdwv5ceCw0hTwVo/DbQYZ9ylYubXeH
KUDCPoc=
-----END TSS2 PRIVATE KEY-----
"""


@scenario
def bad_tpm_key_file(l):
    """A key file of another TPM, or of any where GnuTLS cannot use them: a file of its own, and inside of the profile."""
    s = l.server('tpm-ec', ca='ec')
    path = l.scratch + '/tss2.key'
    with open(path, 'w') as f:
        f.write(TSS2)
    cert = l.pki.client('ec')[0]
    for key in ('key %s\n' % path, '<key>\n%s</key>\n' % TSS2):
        text = l.profile(s, cert=None) + 'cert %s\n' % cert + key
        l.refused(s, cause='private key is a file for a TPM, which the GnuTLS|The key on the security token cannot be used: '
                  '(there is no /dev/tpmrm0|TPM error)', text=text)


@scenario
def bad_tpm_of_old(l):
    """TPM 1.2, by address and by file."""
    s = l.server('tpm-ec', ca='ec')
    path = l.scratch + '/tss.key'
    with open(path, 'w') as f:
        f.write('-----BEGIN TSS KEY BLOB-----\nAAAA\n-----END TSS KEY BLOB-----\n')
    cert = l.pki.client('ec')[0]
    for key in ('tpmkey:uuid=7f468c16-cb7f-11e1-824d-b3a4f4b20343;storage=user', path):
        l.refused(s, cause='TPM 1.2', text=l.profile(s, cert=None) + 'cert %s\nkey %s\n' % (cert, key))
