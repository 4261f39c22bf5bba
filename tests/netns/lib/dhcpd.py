#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A DHCP server for one client that does as it is told, wrong things included: dhcpd.py INTERFACE ORDERS LOG.

ORDERS is a JSON file, read anew for each message: address, prefix, server, lease, t1, t2 (seconds), options
({code: hex}), offer ("yes", "no", "malformed"), request ("ack", "nak", "no"), others (addresses for a client that
declines). Each message that comes in is a line of
LOG: a JSON object with type, address (ciaddr), requested, server, id, host, mac, to (IPv4 address it was sent to)."""
import json
import socket
import struct
import sys

TYPES = {1: 'DISCOVER', 3: 'REQUEST', 4: 'DECLINE', 7: 'RELEASE', 8: 'INFORM'}


def options(data):
    found = {}
    while data and data[0] != 255:
        if data[0] == 0:
            data = data[1:]
            continue
        n = data[1]
        found[data[0]] = found.get(data[0], b'') + data[2:2 + n]
        data = data[2 + n:]
    return found


def text4(b):
    return socket.inet_ntoa(b) if b and len(b) == 4 and any(b) else ''


def checksum(b):
    b += b'\0' * (len(b) % 2)
    s = sum(struct.unpack('>%dH' % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def frame(me, orders, request, kind, broken):
    mac, xid, flags = request[28:34], request[4:8], request[10:12]
    server = socket.inet_aton(orders['server'])
    mine = b'\0' * 4 if kind == 6 else socket.inet_aton(orders['address'])
    opts = [(53, bytes([kind])), (54, server)]
    if kind != 6:
        opts += [(51, struct.pack('>I', orders['lease'])),
                 (1, struct.pack('>I', 0xffffffff << (32 - orders['prefix']) & 0xffffffff))]
        opts += [(c, struct.pack('>I', orders[k])) for c, k in ((58, 't1'), (59, 't2')) if orders.get(k)]
        opts += [(int(c), bytes.fromhex(v)) for c, v in orders.get('options', {}).items()]
    tail = b''.join(bytes([c, len(v)]) + v for c, v in opts)
    tail += bytes([6, 200, 1, 2]) if broken else b'\xff'  # an option that leaves the message
    bootp = b'\2\1\6\0' + xid + b'\0\0' + flags + request[12:16] + mine + server + b'\0' * 4 + mac + b'\0' * 202 + \
        b'\x63\x82\x53\x63' + tail
    udp = struct.pack('>HHHH', 67, 68, 8 + len(bootp), 0) + bootp
    to = b'\xff' * 4 if flags[0] & 0x80 or kind == 6 else mine
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, server, to)
    ip = ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:]
    return (b'\xff' * 6 if to == b'\xff' * 4 else mac) + me + b'\x08\0' + ip + udp


def choose(orders, declined):
    """The first address that was not declined."""
    return next((a for a in [orders['address']] + orders.get('others', []) if a not in declined), orders['address'])


def answer(orders, kind):
    if kind == 1 and orders.get('offer', 'yes') != 'no':
        return 2
    if kind == 3 and orders.get('request', 'ack') != 'no':
        return 5 if orders.get('request', 'ack') == 'ack' else 6
    return None


def main(interface, path, log):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    s.bind((interface, 0))
    me, declined = s.getsockname()[4], set()
    with open(log, 'a', buffering=1) as out:
        print('ready', flush=True)
        while True:
            p, where = s.recvfrom(4096)
            if where[2] == socket.PACKET_OUTGOING or len(p) < 282 or p[23] != 17 or p[36:38] != b'\0\x43':
                continue
            request = p[42:]
            o = options(request[240:])
            kind = o.get(53, b'\0')[0]
            out.write(json.dumps({'type': TYPES.get(kind, kind), 'address': text4(request[12:16]),
                                  'requested': text4(o.get(50)), 'server': text4(o.get(54)), 'id': o.get(61, b'').hex(),
                                  'host': o.get(12, b'').decode(), 'mac': request[28:34].hex(), 'to': text4(p[30:34])
                                  }) + '\n')
            with open(path) as f:
                orders = json.load(f)
            if kind == 4:
                declined.add(text4(o.get(50)))
            orders['address'] = choose(orders, declined)
            reply = answer(orders, kind)
            if reply:
                s.send(frame(me, orders, request, reply, reply == 2 and orders.get('offer') == 'malformed'))


if __name__ == '__main__':
    main(*sys.argv[1:])
