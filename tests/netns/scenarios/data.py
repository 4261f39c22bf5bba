# SPDX-License-Identifier: GPL-2.0-or-later
"""Data channel: ciphers, digests, packet formats, framing, sizes."""
from registry import add, scenario


def cipher(name, digest=None):
    def f(l):
        extra = ['auth ' + digest] if digest else []
        s = l.server('c-%s-%s' % (name, digest), ['data-ciphers ' + name] + extra)
        l.cycle(s, ['data-ciphers ' + name] + extra, size=1300)
        l.drop_server(s.name)
    return f


for _c in ('AES-128-GCM', 'AES-192-GCM', 'AES-256-GCM', 'CHACHA20-POLY1305'):
    add('data', _c.lower(), cipher(_c))
for _c, _d in (('AES-128-CBC', 'SHA1'), ('AES-192-CBC', 'SHA256'), ('AES-256-CBC', 'SHA384'),
               ('AES-256-CBC', 'SHA512')):
    add('data', '%s-%s' % (_c.lower(), _d.lower()), cipher(_c, _d))


@scenario
def negotiated_by_the_server(l):
    """The client offers three, the server likes the last best."""
    s = l.server('ncp', ['data-ciphers CHACHA20-POLY1305:AES-256-GCM'])
    l.cycle(s, ['data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305'])
    l.drop_server('ncp')


@scenario
def peer_to_peer_tls(l):
    """Two equal peers without pull: cipher, peer-id and exported keys follow from both peer-infos."""
    s = l.server('p2p', ['!server', '!topology', '!duplicate-cn', '!management', 'tls-server',
                         'ifconfig 10.60.250.1 10.60.250.2', 'cipher AES-256-GCM', 'ping 1'])
    s.tun4, s.net4 = '10.60.250.1', '10.60.250.0'

    def then(name):
        # this kind of server takes packets a second after its first key only
        l.works(s)
        l.ping(s)
    l.cycle(s, ping=False, then=then, lines=['!client', 'tls-client', 'ifconfig 10.60.250.2 10.60.250.1', 'cipher AES-256-GCM'])
    l.drop_server('p2p')


@scenario
def tcp_cbc(l):
    s = l.server('tcp-cbc', ['data-ciphers AES-256-CBC', 'auth SHA256'], proto='tcp')
    l.cycle(s, ['data-ciphers AES-256-CBC', 'auth SHA256'], size=1300)
    l.drop_server('tcp-cbc')


@scenario
def stub_compression(l):
    s = l.server('stub', ['compress stub-v2', 'push "compress stub-v2"'])
    l.cycle(s, size=900)
    l.drop_server('stub')


@scenario
def comp_lzo_no(l):
    s = l.server('lzo', ['comp-lzo no', 'push "comp-lzo no"'])
    l.cycle(s, size=900)
    l.drop_server('lzo')


@scenario
def large_packets(l):
    """Bigger than the path: fragments outside, whole packets inside."""
    def then(name):
        l.ping(s, 5, size=8000)
        l.ping(s, 5, size=1)
    s = l.server('big')
    l.cycle(s, then=then, size=1472)


@scenario
def replay_window(l):
    s = l.server('big')
    l.cycle(s, ['replay-window 128 10'], then=lambda n: l.ping(s, 200, interval='0.002'))


@scenario
def tcp_stream_through_the_tunnel(l):
    """16 MB by iperf3 in both directions over UDP: order, sizes, merging."""
    def then(name):
        with l.iperf(s.tun4):
            for more in ([], ['-R']):
                l.run('iperf3', '-c', s.tun4, '-n', '16M', *more)
    s = l.server('big')
    l.cycle(s, then=then)


import data_sizes  # noqa: E402,F401
import data_less  # noqa: E402,F401
import data_old  # noqa: E402,F401
import data_static  # noqa: E402,F401
