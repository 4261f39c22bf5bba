# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys and certificates for the lab, made by the openssl and openvpn programs in a scratch folder."""
import os
import subprocess

CONFIG = """
[ca]
default_ca = lab
[lab]
dir = {dir}
database = {dir}/index.txt
new_certs_dir = {dir}
serial = {dir}/serial
crlnumber = {dir}/crlnumber
certificate = {dir}/ca.crt
private_key = {dir}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = dn
prompt = no
[dn]
[v3_ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:false
keyUsage = digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:server.test
[client]
basicConstraints = CA:false
keyUsage = digitalSignature
extendedKeyUsage = clientAuth
[plain]
basicConstraints = CA:false
[nstype]
basicConstraints = CA:false
nsCertType = server
"""

KEYS = {
    'ec': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    'rsa': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
    'rsa1024': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
    'ed25519': ['-algorithm', 'ED25519'],
}


def run(*args, data=None):
    p = subprocess.run(args, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        raise RuntimeError('%s: %s' % (' '.join(args), p.stderr.strip()))
    return p.stdout


class Ca:
    """One certificate authority in its own folder."""

    def __init__(self, folder, kind='ec', name='Lab CA'):
        self.dir, self.kind, self.revoked = folder, kind, set()
        os.makedirs(folder)
        with open(folder + '/openssl.cnf', 'w') as f:
            f.write(CONFIG.format(dir=folder))
        open(folder + '/index.txt', 'w').close()
        for n in ('serial', 'crlnumber'):
            with open(folder + '/' + n, 'w') as f:
                f.write('1000\n')
        run('openssl', 'genpkey', *KEYS[kind], '-out', folder + '/ca.key')
        run('openssl', 'req', '-x509', '-new', '-key', folder + '/ca.key', '-days', '30', '-subj',
            '/CN=' + name, '-config', folder + '/openssl.cnf', '-extensions', 'v3_ca', '-out', self.crt)

    @property
    def crt(self):
        return self.dir + '/ca.crt'

    def issue(self, name, ext, kind=None, cn=None, start=None, end=None):
        """Returns (certificate file, key file); start and end are YYYYMMDDHHMMSSZ."""
        base = self.dir + '/' + name
        run('openssl', 'genpkey', *KEYS[kind or self.kind], '-out', base + '.key')
        os.chmod(base + '.key', 0o600)
        run('openssl', 'req', '-new', '-key', base + '.key', '-subj', '/CN=' + (cn or name), '-config',
            self.dir + '/openssl.cnf', '-out', base + '.csr')
        dates = (['-startdate', start] if start else []) + (['-enddate', end] if end else [])
        run('openssl', 'ca', '-batch', '-notext', '-config', self.dir + '/openssl.cnf', '-extensions', ext,
            '-in', base + '.csr', '-out', base + '.crt', *dates)
        return base + '.crt', base + '.key'

    def revoke(self, crt):
        if crt not in self.revoked:
            run('openssl', 'ca', '-config', self.dir + '/openssl.cnf', '-revoke', crt)
            self.revoked.add(crt)

    def crl(self):
        run('openssl', 'ca', '-config', self.dir + '/openssl.cnf', '-gencrl', '-out', self.dir + '/crl.pem')
        return self.dir + '/crl.pem'


class Pki:
    """Everything the scenarios name, made on first use."""

    def __init__(self, folder):
        self.dir = folder
        os.makedirs(folder, exist_ok=True)
        self.cas, self.issued = {}, {}

    def ca(self, kind='ec'):
        if kind not in self.cas:
            real = {'other': 'ec'}.get(kind, kind)
            self.cas[kind] = Ca('%s/ca-%s' % (self.dir, kind), real, 'Lab CA ' + kind)
        return self.cas[kind]

    def pair(self, name, ext, ca='ec', **kw):
        if (ca, name) not in self.issued:
            self.issued[ca, name] = self.ca(ca).issue(name, ext, **kw)
        return self.issued[ca, name]

    def server(self, ca='ec'):
        return self.pair('server', 'server', ca, cn='server.test')

    def client(self, ca='ec'):
        return self.pair('client', 'client', ca, cn='client.test')

    def static_key(self, name):
        path = '%s/%s.key' % (self.dir, name)
        if not os.path.exists(path):
            run('openvpn', '--genkey', 'secret', path)
        return path

    def v2_server(self):
        path = self.dir + '/v2-server.key'
        if not os.path.exists(path):
            run('openvpn', '--genkey', 'tls-crypt-v2-server', path)
        return path

    def v2_client(self):
        path = self.dir + '/v2-client.key'
        if not os.path.exists(path):
            run('openvpn', '--tls-crypt-v2', self.v2_server(), '--genkey', 'tls-crypt-v2-client', path)
        return path

    def encrypted_key(self, password, ca='ec', traditional=False):
        path = '%s/client-encrypted%s.key' % (self.dir, '-old' if traditional else '')
        args = ['openssl', 'pkey', '-in', self.client(ca)[1], '-aes256', '-passout', 'pass:' + password,
                '-out', path]
        if not os.path.exists(path):
            run(*(args + (['-traditional'] if traditional else [])))
        return path

    def p12(self, password, ca='ec'):
        path = '%s/client-%s.p12' % (self.dir, 'pass' if password else 'plain')
        crt, key = self.client(ca)
        if not os.path.exists(path):
            run('openssl', 'pkcs12', '-export', '-in', crt, '-inkey', key, '-certfile', self.ca(ca).crt,
                '-passout', 'pass:' + password, '-out', path)
        return path


def read(path):
    with open(path) as f:
        return f.read()


def fingerprint(crt):
    out = run('openssl', 'x509', '-in', crt, '-noout', '-fingerprint', '-sha256')
    return out.strip().split('=', 1)[1]
