# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS versions, key types and containers, and every check of the server's certificate, good and bad."""
import base64
import os
import re
import shutil

from lab import S4, check
from pki import fingerprint, read, run
from registry import add, scenario


def good(server_lines, client_lines, want='', **kw):
    """want: what the server says of the control channel."""
    def f(l):
        lines = [x.format(**names(l)) for x in client_lines]
        key = 'tls' + '|'.join(server_lines) + kw.get('ca', '')
        s = l.server(key, server_lines, ca=kw.get('ca', 'ec'))
        before = len(s.log())
        l.cycle(s, lines, then=lambda n: check(re.search('Control Channel: ' + want, s.log()[before:]),
                                               'the server does not say “%s”' % want))
        if server_lines or 'ca' in kw:
            l.drop_server(key)
    return f


def names(l):
    ca, server = l.pki.ca('ec'), l.pki.server('ec')
    return {'fp': fingerprint(server[0]), 'cafp': fingerprint(ca.crt), 'zero': ':'.join(['00'] * 32),
            'crl': ca.crl(), 'crldir': empty_dir(l)}


def empty_dir(l):
    d = l.scratch + '/crls'
    os.makedirs(d, exist_ok=True)
    return d


def bad(cause, client_lines, cert=None, **kw):
    """cert: (name, extensions, options of Pki.pair) of the server's certificate."""
    def f(l):
        lines = [x.format(**names(l)) for x in client_lines]
        key, pair = 'tls', None
        if cert:
            key = 'bad-' + cert[0]
            pair = l.pki.pair(cert[0], cert[1], cn='server.test', **cert[2])
        s = l.server(key, kw.get('server', ()), cert=pair) if not kw.get('server') else \
            l.server(key + str(kw['server']), kw['server'], cert=pair)
        l.refused(s, lines, cause=cause, within=kw.get('within', 15))
        if cert or kw.get('server'):
            l.drop_server(s.name)
    return f


GOOD = (
    ('tls12', ['tls-version-max 1.2'], [], 'TLSv1.2'),
    ('tls13', ['tls-version-min 1.3'], [], 'TLSv1.3'),
    ('tls12-by-client', [], ['tls-version-max 1.2'], 'TLSv1.2'),
    ('tls13-by-client', [], ['tls-version-min 1.3'], 'TLSv1.3'),
    ('tls-version-or-highest', [], ['tls-version-min 1.2 or-highest']),
    ('remote-cert-tls', [], ['remote-cert-tls server']),
    ('remote-cert-eku', [], ['remote-cert-eku "TLS Web Server Authentication"']),
    ('remote-cert-eku-oid', [], ['remote-cert-eku 1.3.6.1.5.5.7.3.1']),
    ('remote-cert-ku', [], ['remote-cert-ku a0']),
    ('verify-x509-name', [], ['verify-x509-name server.test name']),
    ('verify-x509-name-prefix', [], ['verify-x509-name server. name-prefix']),
    ('verify-x509-subject', [], ['verify-x509-name CN=server.test subject']),
    ('tls-remote', [], ['tls-remote server.test']),
    ('peer-fingerprint', [], ['peer-fingerprint {fp}']),
    ('peer-fingerprint-without-ca', [], ['!ca', 'peer-fingerprint {fp}']),
    ('verify-hash', [], ['verify-hash {cafp} SHA256']),
    ('crl-file', [], ['crl-verify {crl}']),
    ('crl-directory', [], ['crl-verify {crldir} dir']),
    ('tls-cipher', [], ['tls-version-max 1.2', 'tls-cipher TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256'],
     '.*ECDHE-ECDSA-AES128-GCM-SHA256'),
    ('tls-ciphersuites', [], ['tls-version-min 1.3', 'tls-ciphersuites TLS_AES_128_GCM_SHA256'],
     '.*TLS_AES_128_GCM_SHA256'),
    ('tls-cert-profile-preferred', [], ['tls-cert-profile preferred']),
    ('tls-cert-profile-suiteb', [], ['tls-cert-profile suiteb']),
)
for _n, *_args in GOOD:
    add('tls', _n, good(*_args))
for _ca in ('rsa', 'ed25519'):
    add('tls', _ca, good([], ['remote-cert-tls server'], ca=_ca))
    add('tls', _ca + '-tls12', good(['tls-version-max 1.2'], [], ca=_ca))

SERVER = ('server', 'server', {})
BAD = (
    ('wrong-ca', 'unknown|CERT_UNKNOWN_CA|authority', [], ('other', 'server', {'ca': 'other'})),
    ('expired', 'expired', [], ('expired', 'server', {'start': '20200101000000Z', 'end': '20200201000000Z'})),
    ('not-yet-valid', 'not yet valid|not valid before|NOT_YET', [],
     ('future', 'server', {'start': '20380101000000Z', 'end': '20380201000000Z'})),
    ('usage-missing', 'usage|remote-cert', ['remote-cert-tls server'], ('plain', 'plain', {})),
    ('usage-of-a-client', 'usage|remote-cert', ['remote-cert-tls server'], ('clientish', 'client', {})),
    ('wrong-eku', 'usage|remote-cert', ['remote-cert-eku "TLS Web Client Authentication"'], None),
    ('wrong-ku', 'usage|remote-cert', ['remote-cert-ku 06'], None),
    ('ns-cert-type', 'usage|ns-?cert', ['ns-cert-type server'], None),
    ('wrong-name', 'name', ['verify-x509-name other.test name'], None),
    ('wrong-prefix', 'name', ['verify-x509-name other name-prefix'], None),
    ('wrong-tls-remote', 'name', ['tls-remote other.test'], None),
    ('wrong-subject', 'name|subject', ['verify-x509-name CN=other.test subject'], None),
    ('wrong-fingerprint', 'fingerprint', ['peer-fingerprint {zero}'], None),
    ('wrong-hash', 'fingerprint|hash', ['verify-hash {zero} SHA256'], None),
    ('profile-insecure-key', 'weak|too short|insecure|bits|profile', ['tls-cert-profile preferred'],
     ('weak', 'server', {'kind': 'rsa1024'})),
)
for _n, _cause, _lines, _cert in BAD:
    add('tls', 'bad-' + _n, bad(_cause, _lines, _cert))
# servers before 2.7 send no TLS alert: the client can only say that the handshake did not finish
SILENT = 'alert|version|not finished in time'
add('tls', 'bad-tls-version', bad(SILENT, ['tls-version-min 1.3', 'hand-window 4'], within=25,
                                  server=['tls-version-max 1.2']))
add('tls', 'bad-tls-cipher', bad(SILENT, ['hand-window 4', 'tls-version-max 1.2', 'tls-cipher '
                                 'TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256'], within=25,
                                 server=['tls-cipher TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256']))


@scenario
def bad_revoked_file(l):
    pair = l.pki.pair('revoked', 'server', cn='server.test')
    l.pki.ca().revoke(pair[0])
    s = l.server('revoked', cert=pair)
    l.refused(s, ['crl-verify ' + l.pki.ca().crl()], cause='revoked', within=15)


@scenario
def bad_revoked_directory(l):
    pair = l.pki.pair('revoked', 'server', cn='server.test')
    serial = run('openssl', 'x509', '-in', pair[0], '-noout', '-serial').strip().split('=')[1]
    d = empty_dir(l)
    open('%s/%d' % (d, int(serial, 16)), 'w').close()
    s = l.server('revoked', cert=pair)
    l.refused(s, ['crl-verify %s dir' % d], cause='revoked', within=15)


@scenario
def compat_mode(l):
    """A server with TLS 1.0 only, as before 2.3.7: compat-mode lets it in."""
    s = l.server('tls10', ['tls-version-min 1.0', 'tls-version-max 1.0', 'tls-cipher DEFAULT:@SECLEVEL=0'])
    try:
        l.cycle(s, ['compat-mode 2.3.6'])
    finally:
        l.drop_server('tls10')


@scenario
def tls_exit(l):
    """The first server refuses the TLS version: with tls-exit the second one is not asked."""
    first, second = l.server('tls13only', ['tls-version-min 1.3']), l.server('tls')
    lines = ['tls-version-max 1.2', 'hand-window 3', 'remote %s %d' % (S4, second.port)]
    try:
        l.cycle(first, lines, ping=False)
        l.refused(first, lines + ['tls-exit'], cause='handshake|TLS', within=25)
    finally:
        l.drop_server('tls13only')


def hashed(l, name, *files):
    """A directory as openssl rehash makes it, with things in it that are no certificates."""
    d = '%s/capath-%s' % (l.scratch, name)
    os.makedirs(d, exist_ok=True)
    for i, f in enumerate(files):
        shutil.copy(f, '%s/%d.pem' % (d, i))
    with open(d + '/deadbeef.1', 'w') as f:
        f.write('no certificate\n')
    open(d + '/0badc0de.0', 'w').close()
    os.symlink('/nowhere', d + '/cafecafe.7')
    os.makedirs(d + '/00000000.0', exist_ok=True)
    run('openssl', 'rehash', d)
    return d


@scenario
def capath(l):
    """A directory of authorities, the right one among others; beside ca as well."""
    d = hashed(l, 'good', l.pki.ca('rsa').crt, l.pki.ca('ec').crt)
    s = l.server('tls')
    l.cycle(s, ['!ca', 'capath ' + d])
    text = l.profile(s, ['capath ' + d]).replace(read(l.pki.ca('ec').crt), read(l.pki.ca('rsa').crt))
    name = l.import_profile(text)
    try:
        rc, out, _ = l.up(name)
        check(rc == 0, 'with another ca: ' + out)
    finally:
        l.down(name)
        l.delete(name)


@scenario
def bad_capath(l):
    """Not the authority of the server; none at all; a directory that is not there."""
    s = l.server('tls')
    empty = hashed(l, 'empty')
    for name in os.listdir(empty):
        if not os.path.isdir(empty + '/' + name):
            os.unlink(empty + '/' + name)
    for d, cause in ((hashed(l, 'other', l.pki.ca('rsa').crt), '(?i)authority|not trusted|unknown'),
                     (empty, 'holds no certificate'), ('/nowhere', '/nowhere')):
        l.refused(s, ['!ca', 'capath ' + d], cause=cause, within=15)


@scenario
def bad_capath_revoked(l):
    """The revocation list beside the authority counts, without crl-verify."""
    pair = l.pki.pair('revoked', 'server', cn='server.test')
    l.pki.ca().revoke(pair[0])
    s = l.server('revoked', cert=pair)
    l.refused(s, ['!ca', 'capath ' + hashed(l, 'crl', l.pki.ca().crt, l.pki.ca().crl())], cause='revoked', within=15)


@scenario
def tls_cert_profile_insecure(l):
    s = l.server('weak', cert=l.pki.pair('weak', 'server', cn='server.test', kind='rsa1024'))
    l.cycle(s, ['tls-cert-profile insecure'])
    l.drop_server('weak')


@scenario
def ns_cert_type(l):
    s = l.server('nstype', cert=l.pki.pair('nstype', 'nstype', cn='server.test'))
    l.cycle(s, ['ns-cert-type server'])


@scenario
def encrypted_key(l):
    crt, _ = l.pki.client()
    l.cycle(l.server('tls'), cert=(crt, l.pki.encrypted_key('lab phrase')), inline=False,
            secrets={'cert-pass': 'lab phrase'})


@scenario
def encrypted_key_inline(l):
    crt, _ = l.pki.client()
    l.cycle(l.server('tls'), cert=(crt, l.pki.encrypted_key('lab phrase')),
            secrets={'cert-pass': 'lab phrase'})


@scenario
def encrypted_key_traditional(l):
    crt, _ = l.pki.client()
    l.cycle(l.server('tls'), cert=(crt, l.pki.encrypted_key('lab phrase', traditional=True)), inline=False,
            secrets={'cert-pass': 'lab phrase'})


@scenario
def bad_key_encrypted_with_scrypt(l):
    """The pass phrase is right, and nobody is asked for it again."""
    crt, key = l.pki.client()
    path = l.scratch + '/scrypt.key'
    run('openssl', 'pkcs8', '-topk8', '-scrypt', '-in', key, '-out', path, '-passout', 'pass:lab phrase')
    mark = l.mark()
    l.refused(l.server('tls'), cert=(crt, path), inline=False, cause='encrypted with scrypt', secrets={'cert-pass': 'lab phrase'})
    check('asking' not in l.log_since(mark), l.log_since(mark))


@scenario
def bad_key_on_a_foreign_curve(l):
    """Curves of OpenSSL that GnuTLS does not have are named."""
    crt, _ = l.pki.client()
    for curve in 'secp256k1', 'brainpoolP256r1':
        path = '%s/%s.key' % (l.scratch, curve)
        run('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:' + curve, '-out', path)
        l.refused(l.server('tls'), cert=(crt, path), inline=False, cause='the elliptic curve ' + curve[:9])


@scenario
def bad_pass_phrase(l):
    crt, _ = l.pki.client()
    l.refused(l.server('tls'), cert=(crt, l.pki.encrypted_key('lab phrase')), inline=False, cause='pass',
              secrets={'cert-pass': 'wrong'})


@scenario
def pkcs12_with_password(l):
    l.cycle(l.server('tls'), ['pkcs12 ' + l.pki.p12('lab')], cert=None, secrets={'cert-pass': 'lab'})


@scenario
def pkcs12_without_password(l):
    """As with OpenVPN, nobody is asked when an empty password opens it."""
    with open(l.pki.p12(''), 'rb') as f:
        text = base64.encodebytes(f.read()).decode()
    l.cycle(l.server('tls'), ['pkcs12 ' + l.pki.p12('')], cert=None)
    l.cycle(l.server('tls'), ['<pkcs12>\n%s</pkcs12>' % text], cert=None)


@scenario
def pkcs12_inline(l):
    with open(l.pki.p12('lab'), 'rb') as f:
        text = base64.encodebytes(f.read()).decode()
    l.cycle(l.server('tls'), ['<pkcs12>\n%s</pkcs12>' % text], cert=None, secrets={'cert-pass': 'lab'})


@scenario
def bad_key_of_another_certificate(l):
    crt, _ = l.pki.client()
    l.refused(l.server('tls'), cert=(crt, l.pki.server()[1]), cause='match|belong|KEY_MISMATCH')


@scenario
def bad_certificate_file(l):
    path = l.scratch + '/broken.crt'
    with open(path, 'w') as f:
        f.write(read(l.pki.client()[0])[:200])
    l.refused(l.server('tls'), cert=(path, l.pki.client()[1]), inline=False, cause='cert')


import tls_options  # noqa: E402,F401
