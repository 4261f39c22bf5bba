# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that are seen at the other end only: extra-certs, tls-groups, the other words for client, port and protocol,
limits of keys and of the session, who is asked again."""
import re

from auth import ALICE, password_server
from data_static import _run as run_static
from data_static import _server as static_server
from lab import S4, check, wait_for
from life import KEYS, Up
from pki import read, run
from registry import add, scenario


@scenario
def extra_certs(l):
    """The server knows the root only: the client sends the authority between along with its certificate."""
    ca, base = l.pki.ca(), l.scratch + '/between'
    with open(base + '.ext', 'w') as f:
        f.write('basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n')
    with open(base + '-leaf.ext', 'w') as f:
        f.write('extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n')
    key = ['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out']
    for name, by, ext in ((base, ca.dir + '/ca', base + '.ext'), (base + '-leaf', base, base + '-leaf.ext')):
        run(*key, name + '.key')
        run('openssl', 'req', '-new', '-key', name + '.key', '-subj', '/CN=' + name.split('/')[-1], '-out', name + '.csr')
        run('openssl', 'x509', '-req', '-in', name + '.csr', '-CA', by + '.crt', '-CAkey', by + '.key', '-CAcreateserial',
            '-days', '5', '-extfile', ext, '-out', name + '.crt')
    s, pair = l.server('tls'), (base + '-leaf.crt', base + '-leaf.key')
    l.cycle(s, ['<extra-certs>\n%s</extra-certs>' % read(base + '.crt')], cert=pair)
    l.cycle(s, ['extra-certs %s.crt' % base], cert=pair, inline=False)


@scenario
def tls_groups(l):
    s = l.server('tls')
    for group, bits in (('secp384r1', '384 bits EC'), ('X25519', '253 bits X25519')):
        before = len(s.log())
        l.cycle(s, ['tls-groups ' + group], ping=False)
        check('temporary key: ' + bits in s.log()[before:], re.findall('temporary key.*', s.log()[before:]))


@scenario
def other_words(l):
    """tls-client and pull are client; rport is the port; proto-force leaves the other servers out."""
    s = l.server('tls')
    l.cycle(s, ['!client', 'tls-client', 'pull'], ping=False)
    l.cycle(s, ['!remote', 'remote ' + S4, 'rport %d' % s.port], ping=False)
    mark = l.mark()
    l.cycle(s, ['!remote', 'remote %s 9 tcp-client' % S4, 'remote %s %d udp' % (S4, s.port), 'proto-force udp'], ping=False)
    check('%s:9 ' % S4 not in l.log_since(mark), 'the server with TCP was tried')


@scenario
def route_gateways(l):
    """The next hop of routes that name none."""
    s = l.server('gateways', ['server-ipv6 fd60:7c::/64', 'push "route 198.18.1.0 255.255.255.0"'])
    gateway = s.net4.rsplit('.', 1)[0] + '.77'

    def then(name):
        out = l.run('ip', 'route', 'show', 'dev', l.device(s))
        check(re.search('198.18.1.0/24 via ' + gateway, out), out)
    try:
        l.cycle(s, ['route-gateway ' + gateway, 'pull-filter ignore route-gateway', 'route-ipv6-gateway fd60:7c::77'],
                then=then)
    finally:
        l.drop_server('gateways')


@scenario
def session_timeout(l):
    with Up(l, l.server('session-timeout'), ['session-timeout 3']) as u:
        u.gone()


def key_limit(line):
    def f(l):
        s = l.server('key-limit', ['reneg-sec 0'])
        with Up(l, s, ['reneg-sec 0', line]):
            seen = s.log().count(KEYS)
            l.ping(s, 60, size=1000)
            wait_for('new keys', lambda: s.log().count(KEYS) > seen, 15)
            l.ping(s)
    return f


for _line in ('reneg-bytes 30000', 'reneg-pkts 30'):
    add('tls', _line.split()[0], key_limit(_line))


@scenario
def disable_occ(l):
    """Neither side tells its options: a tunnel with a shared key is taken on trust, and the log of the server is quiet."""
    lines = ['cipher AES-128-CBC', 'disable-occ']
    s, key = static_server(l, lines)
    run_static(l, s, key, lines + ['key-direction 1'])


def refused(word, tries):
    """The password is wrong: how often the server is asked."""
    def f(l):
        s = password_server(l, 'retry', password='another')
        path = s.verify_dir + '/tries'
        open(path, 'w').close()
        l.refused(s, ['auth-user-pass', 'auth-retry ' + word], cause='refused|sign-in|password', secrets={'password': 'wrong'},
                  settings=ALICE, within=25)
        n = len(read(path).split())
        check(n == tries, '%d tries' % n)
    return f


for _word, _tries in (('none', 1), ('nointeract', 4)):
    add('tls', 'auth-retry-' + _word, refused(_word, _tries))
