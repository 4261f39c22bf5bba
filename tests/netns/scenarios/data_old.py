# SPDX-License-Identifier: GPL-2.0-or-later
"""Old ciphers, digests and compression: a server of today with everything old switched on."""
import os
import shutil

from data_sizes import on_wire
from lab import C4, check
from registry import add, scenario

LEGACY = 'providers legacy default'


def cipher(name, digest='SHA1'):
    def f(l):
        extra = ['auth ' + digest]
        s = l.server('old', [LEGACY, 'data-ciphers ' + name] + extra)
        try:
            l.cycle(s, ['cipher ' + name] + extra, size=1300)
        finally:
            l.drop_server('old')
    return f


for _c in ('BF-CBC', 'CAST5-CBC', 'DES-CBC', 'DES-EDE-CBC', 'DES-EDE3-CBC', 'DESX-CBC', 'RC2-CBC',
           'RC2-64-CBC', 'RC2-40-CBC', 'CAMELLIA-256-CBC', 'AES-256-CFB', 'AES-128-CFB8', 'AES-192-CFB1',
           'AES-128-OFB', 'BF-CFB', 'DES-EDE3-OFB', 'CAMELLIA-128-CFB'):
    add('data', 'old-' + _c.lower(), cipher(_c))
for _d in ('MD5', 'MD4', 'RIPEMD160', 'SHA224', 'SHA512-256', 'SHA3-256', 'SM3', 'none'):
    add('data', 'old-auth-' + _d.lower(), cipher('AES-128-CBC', _d))


@scenario
def bf_cbc_by_default(l):
    """Neither side names a cipher, and nothing is negotiated, as before 2.4."""
    s = l.server('bf', [LEGACY, '!server', '!topology', '!duplicate-cn', '!management', 'tls-server',
                        'ifconfig 10.60.250.1 10.60.250.2', 'ping 1', 'cipher BF-CBC', 'data-ciphers BF-CBC',
                        'data-ciphers-fallback BF-CBC'])
    s.tun4, s.net4 = '10.60.250.1', '10.60.250.0'
    mark = l.mark()

    def then(name):
        l.works(s)
        l.ping(s)
    try:
        l.cycle(s, ['!client', 'tls-client', 'ifconfig 10.60.250.2 10.60.250.1'], ping=False, then=then)
        check('weak: cipher BF-CBC' in l.log_since(mark), 'no warning about BF-CBC')
    finally:
        l.drop_server('bf')


def ignorant(l):
    """An openvpn that knows nothing of IV_PROTO, as all before 2.4: no peer-id, no exported keys, no negotiation between
    peers. It is the installed one with that word changed in a copy, in what it says as in what it looks for."""
    path = l.scratch + '/openvpn-ignorant'
    if not os.path.exists(path):
        with open(shutil.which('openvpn', path='/usr/sbin:/usr/bin:/sbin'), 'rb') as f:
            program = f.read()
        check(b'IV_PROTO=' in program, 'openvpn has no IV_PROTO')
        with open(path, 'wb') as f:
            f.write(program.replace(b'IV_PROTO=', b'IV_PROTX='))
        os.chmod(path, 0o755)
    return [path]


def packets_v1_and_prf(cipher, pull):
    """The first packet format, without peer-id, and keys by the TLS PRF."""
    def f(l):
        lines, client = ['verb 7', 'data-ciphers ' + cipher, 'cipher ' + cipher], ['cipher ' + cipher]
        if not pull:
            lines += ['!server', '!topology', '!duplicate-cn', '!management', 'tls-server', 'ping 1',
                      'ifconfig 10.60.250.1 10.60.250.2', 'data-ciphers-fallback ' + cipher]
            client += ['!client', 'tls-client', 'ifconfig 10.60.250.2 10.60.250.1']
        s = l.server('v1', lines, program=ignorant(l))
        if not pull:
            s.tun4, s.net4 = '10.60.250.1', '10.60.250.0'

        def then(name):
            l.works(s)
            l.ping(s, 20, size=1300)
            check('P_DATA_V1' in s.log() and 'P_DATA_V2' not in s.log(), 'packets are not of the first format')
        try:
            l.cycle(s, client, ping=False, then=then)
        finally:
            l.drop_server('v1')
    return f


for _c in ('AES-256-GCM', 'AES-128-CBC'):
    for _pull in (True, False):
        add('data', 'v1-and-prf-%s%s' % (_c.lower(), '' if _pull else '-without-pull'), packets_v1_and_prf(_c, _pull))


@scenario
def missing_cipher(l):
    """One that no library of ours has: a sentence with its name."""
    s = l.server('seed', [LEGACY, 'data-ciphers SEED-CBC', 'cipher SEED-CBC'])
    try:
        l.refused(s, ['cipher SEED-CBC'], cause='encrypts with SEED-CBC', within=25)
    finally:
        l.drop_server('seed')


def compressed(server, client, push=None):
    def f(l):
        lines = ['allow-compression yes', server] + (['push "%s"' % push] if push else [])
        s = l.server('comp', lines)

        def then(name):
            l.ping(s, 5, size=1200)  # ping's pattern compresses well, so the server does compress
        try:
            l.cycle(s, [client] if client else [], then=then, size=900)
        finally:
            l.drop_server('comp')
    return f


for _n, _a in (('comp-lzo', ('comp-lzo yes', 'comp-lzo')), ('comp-lzo-adaptive', ('comp-lzo adaptive', 'comp-lzo adaptive')),
               ('comp-lzo-no', ('comp-lzo no', 'comp-lzo no')), ('compress-lzo', ('compress lzo', 'compress lzo')),
               ('compress-lz4', ('compress lz4', 'compress lz4')), ('compress-lz4-v2', ('compress lz4-v2', 'compress lz4-v2')),
               ('compress', ('compress', 'compress')), ('stub-v2', ('compress stub-v2', 'compress stub-v2')),
               ('pushed-lzo', ('comp-lzo yes', '', 'comp-lzo yes')), ('pushed-lz4-v2', ('compress lz4-v2', '', 'compress lz4-v2')),
               ('migrate', ('compress migrate', 'comp-lzo'))):
    add('data', 'framing-' + _n, compressed(*_a))


def compressed_out(line, more=(), push=None):
    """What we send is compressed when, and only when, the profile insists; noise goes plain."""
    def f(l):
        s = l.server('comp', ['allow-compression yes', line] + (['push "%s"' % push] if push else []))
        largest = {}

        def pings(asked):
            def then(name):
                with on_wire(l) as w:
                    l.ping(s, 5, size=1200)
                largest[asked] = max(p['size'] for p in w.udp(s.port) if p['src'] == C4)
            return then
        mark = l.mark()
        try:
            own = [] if push else [line]
            l.cycle(s, own, ping=False, then=pings(False))
            said = l.log_since(mark)
            check(largest[False] > 1200, 'packets of %d bytes without being asked' % largest[False])
            check('VORACLE' in said and 'packets are sent uncompressed' in said, 'nothing is said about it')
            l.cycle(s, own + ['allow-compression yes'] + list(more), size=900, then=pings(True))
            check(largest[True] < 600, 'packets of %d bytes' % largest[True])
        finally:
            l.drop_server('comp')
    return f


for _n, _a in (('comp-lzo', ('comp-lzo yes',)), ('comp-lzo-adaptive', ('comp-lzo',)), ('lz4', ('compress lz4',)),
               ('comp-noadapt', ('comp-lzo adaptive', ['comp-noadapt'])), ('lz4-v2', ('compress lz4-v2',)),
               ('pushed', ('compress lz4-v2', [], 'compress lz4-v2'))):
    add('data', 'compressed-out-' + _n, compressed_out(*_a))


def missing_digest(l):
    """A digest that no library of ours has is named when it is needed, and only then."""
    s = l.server('blake', ['auth BLAKE2b512', 'data-ciphers AES-256-GCM:AES-256-CBC'])
    try:
        l.cycle(s, ['auth BLAKE2b512'])
        l.refused(s, ['auth BLAKE2b512', 'data-ciphers AES-256-CBC'], cause='BLAKE2B512.*not available', within=25)
    finally:
        l.drop_server('blake')


add('data', 'old-auth-missing', missing_digest)


@scenario
def tap_with_addresses_of_the_server(l):
    s = l.server('tap', ['!dev', 'dev tap'])
    try:
        l.cycle(s, ['!dev', 'dev tap'], size=1300)
    finally:
        l.drop_server('tap')
