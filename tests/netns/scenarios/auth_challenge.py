# SPDX-License-Identifier: GPL-2.0-or-later
"""Static and dynamic challenges, and tokens that expire."""
import base64
import os
import re
import signal
import socket
import threading
import time

from auth import ALICE, asking, password_server
from lab import check, wait_for
from pki import read
from registry import scenario

ECHO = None  # nmcli 1.42 hides every answer, newer ones show those that may be seen

# Takes the password apart as a server with a one-time password does.
VERIFY_SCRV1 = """#!/bin/sh
{ read -r user; read -r pass; } < "$1"
printf '%%s\\n' "$pass" >> "%(dir)s/seen"
[ "$pass" = "SCRV1:%(password)s:%(answer)s" ]
"""
VERIFY_CONCAT = """#!/bin/sh
{ read -r user; read -r pass; } < "$1"
[ "$pass" = "secret word123456" ]
"""


def b64(text):
    return base64.b64encode(text.encode()).decode()


def static_server(l, name, script=VERIFY_SCRV1):
    d = '%s/verify-%s' % (l.scratch, name)
    os.makedirs(d, exist_ok=True)
    with open(d + '/verify', 'w') as f:
        f.write(script % {'dir': d, 'password': b64('secret word'), 'answer': b64('123456')}
                if script is VERIFY_SCRV1 else script)
    os.chmod(d + '/verify', 0o755)
    return l.server(name, ['script-security 2', 'auth-user-pass-verify %s/verify via-file' % d])


def dialog(l, data, *hints):
    """What the auth-dialog tells an agent about the answer to a challenge."""
    path = l.run('sh', '-c', 'find /usr/libexec /usr/lib -name nm-ovpn-auth-dialog | head -1').strip()
    lines = ''.join('DATA_KEY=%s\nDATA_VAL=%s\n' % x for x in data.items()) + 'DONE\n'
    args = ''.join(" --hint '%s'" % h for h in hints)
    out = l.run('sh', '-c', "printf '%%s' '%s' | %s -u 1 -n vpn -s x -i --external-ui-mode%s" % (lines, path, args))
    group = out[out.index('challenge-response]'):].split('\n[')[0]
    return dict(x.split('=', 1) for x in group.splitlines() if '=' in x)


def asked(l, s, lines, steps, settings=None, after=None):
    """nmcli --ask; steps are (pattern of the prompt, answer, whether the answer may be seen)."""
    with asking(l, s, lines, settings) as (name, t):
        for pattern, answer, visible in steps:
            t.expect(pattern)
            prompt = t.text
            t.answer(answer)
            time.sleep(0.2)
            t.expect(r'\n')
            if visible is not None:
                check((answer in t.text) == visible, 'the answer to “%s” is %s: %s' % (
                    prompt.strip(), 'shown' if not visible else 'hidden', t.text))
        t.expect('successfully activated')
        l.ping(s)
        if after:
            after(name)


@scenario
def static_challenge_echo(l):
    asked(l, static_server(l, 'scrv'), ['auth-user-pass', 'static-challenge "Enter the code" 1'],
          [('password.*:', 'secret word', False), ('Enter the code', '123456', ECHO)])
    for flag in '01':  # newer agents obey this
        got = dialog(l, {'connection-type': 'password', 'username': 'alice',
                         'extra-options': 'static-challenge "Enter the code" ' + flag})
        check(got['Label'] == 'Enter the code' and got['ForceEcho'] == {'0': 'false', '1': 'true'}[flag], str(got))


@scenario
def static_challenge_hidden(l):
    asked(l, static_server(l, 'scrv'), ['auth-user-pass', 'static-challenge "Enter the code" 0'],
          [('password.*:', 'secret word', False), ('Enter the code', '123456', False)])


@scenario
def static_challenge_wrong_then_right(l):
    asked(l, static_server(l, 'scrv'), ['auth-user-pass', 'static-challenge "Enter the code" 1'],
          [('password.*:', 'secret word', None), ('Enter the code', '654321', None),
           ('password.*:', 'secret word', None), ('Enter the code', '123456', None)])


@scenario
def static_challenge_passwd_file(l):
    l.cycle(static_server(l, 'scrv'), ['auth-user-pass', 'static-challenge "Enter the code" 0'], settings=ALICE,
            secrets={'password': 'secret word', 'challenge-response': '123456'})


@scenario
def static_challenge_concat(l):
    l.cycle(static_server(l, 'concat', VERIFY_CONCAT), ['auth-user-pass', 'static-challenge "Code" 0 concat'],
            settings=ALICE, secrets={'password': 'secret word', 'challenge-response': '123456'})


@scenario
def static_challenge_token_expired(l):
    """The token is over: the answer that was given once is what there is, and never the password without it."""
    name = 'scrv-token'
    d = '%s/verify-%s' % (l.scratch, name)
    os.makedirs(d, exist_ok=True)
    with open(d + '/verify', 'w') as f:
        f.write(VERIFY_SCRV1 % {'dir': d, 'password': b64('secret word'), 'answer': b64('123456')})
    os.chmod(d + '/verify', 0o755)
    s = l.server(name, ['script-security 2', 'auth-user-pass-verify %s/verify via-file' % d, 'auth-gen-token 6',
                        'reneg-sec 4 4', 'hand-window 2', 'tran-window 2'])

    def then(_):
        wait_for('a sign-in without the token', lambda: read(d + '/seen').count('\n') > 1, 30, 0.2)
        l.works(s)
        lines = read(d + '/seen').splitlines()
        check(set(lines) == {lines[0]} and lines[0].startswith('SCRV1:'), lines)
    try:
        l.cycle(s, ['auth-user-pass', 'static-challenge "Enter the code" 1', 'reneg-sec 0'], settings=ALICE,
                secrets={'password': 'secret word', 'challenge-response': '123456'}, then=then)
    finally:
        l.drop_server(name)


@scenario
def static_challenge_of_a_stored_password(l):
    """Only the answer is asked for, and the stored password stays what it is."""
    from auth import Asking
    from auth_web import stored_secrets
    s = static_server(l, 'scrv')
    name = l.import_profile(l.profile(s, ['auth-user-pass', 'static-challenge "Enter the code" 1'], inline=False),
                            data='username=alice, password-flags=0', secrets='password=secret word')
    try:
        before = stored_secrets(l, name)
        with Asking(l, name) as t:
            t.expect('Enter the code.*: ?$')
            check('assword' not in t.text, t.text)
            t.answer('123456')
            t.expect('successfully activated')
        l.ping(s)
        check('password=secret word' in before and stored_secrets(l, name) == before, stored_secrets(l, name))
    finally:
        l.down(name)
        l.delete(name)


@scenario
def dynamic_challenge_after_the_server_restarts(l):
    """A person with an agent is asked once more for the code only."""
    from auth import Asking
    from auth_web import stored_secrets

    def f(s, c):
        name = l.import_profile(l.profile(s, ['auth-user-pass', 'ping 1', 'ping-restart 6'], inline=False),
                                data='username=alice, password-flags=0', secrets='password=secret word')
        try:
            rc, out, _ = l.up(name, {'challenge-response': '123456'})
            check(rc == 0, out)
            before = stored_secrets(l, name)
            with Asking.agent(l) as t:
                t.expect('registered')
                c.close()
                s.stop(signal.SIGKILL)
                s.start()
                again = Clients(s, dynamic('R,E'))
                t.expect('Enter the code: now', 30)
                t.answer('123456')
                l.works(s, 30)
                check(again.seen == [('alice', 'secret word'), ('alice', 'CRV1::St@te1::123456')], again.seen)
                check(stored_secrets(l, name) == before, stored_secrets(l, name))
                again.close()
        finally:
            l.down(name)
            l.delete(name)
    with_decision(l, dynamic('R,E'), f)


@scenario
def bad_static_challenge_not_answered(l):
    l.refused(static_server(l, 'scrv'), ['auth-user-pass', 'static-challenge "Enter the code" 0'], settings=ALICE,
              secrets={'password': 'secret word'}, nm_reason='secret', cause='')


class Clients(threading.Thread):
    """Decides about clients on the management interface: decide(user, password) gives None (yes) or the
    arguments of client-deny."""

    def __init__(self, server, decide):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(server.management)
        self.decide, self.seen = decide, []
        self.start()

    def run(self):
        ids, env = None, {}
        try:
            for line in self.sock.makefile():
                m = re.match(r'>CLIENT:(CONNECT|REAUTH),(\d+),(\d+)', line)
                if m:
                    ids, env = m.groups()[1:], {}
                m = re.match(r'>CLIENT:ENV,(\w+)(?:=(.*))?$', line)
                if m and m[1] != 'END':
                    env[m[1]] = m[2]
                elif m and ids:
                    self.answer(ids, env)
                    ids = None
        except OSError:
            pass

    def answer(self, ids, env):
        self.seen.append((env.get('username'), env.get('password')))
        no = self.decide(*self.seen[-1])
        self.sock.sendall((('client-deny %s %s %s\n' if no else 'client-auth-nt %s %s%s\n') %
                           (ids + (no or '',))).encode())

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.join(2)


def dynamic(flags, text='Enter the code: now', right='123456'):
    def decide(user, password):
        if password == 'secret word':
            return '"challenge" "CRV1:%s:St@te1:%s:%s"' % (flags, b64('alice'), text)
        return None if password == 'CRV1::St@te1::' + right else '"wrong code" "The code is wrong"'
    return decide


def with_decision(l, decide, f, lines=()):
    s = l.server('crv', ['management-client-auth'] + list(lines))
    c = Clients(s, decide)
    try:
        f(s, c)
    finally:
        c.close()
        l.drop_server('crv')


@scenario
def dynamic_challenge_hidden(l):
    def f(s, c):
        asked(l, s, ['auth-user-pass'], [('password.*:', 'secret word', False),
                                         ('Enter the code: now', '123456', False)])
        check(c.seen[-1] == ('alice', 'CRV1::St@te1::123456'), c.seen)
    with_decision(l, dynamic('R'), f)


@scenario
def dynamic_challenge_echo(l):
    with_decision(l, dynamic('R,E'), lambda s, c: asked(l, s, ['auth-user-pass'], [
        ('password.*:', 'secret word', False), ('Enter the code: now', '123456', ECHO)]))
    got = dialog(l, {'connection-type': 'password', 'username': 'alice'}, 'x-vpn-message:Say it',
                 'x-dynamic-challenge-echo:challenge-response')
    check(got['ForceEcho'] == 'true' and got['ShouldAsk'] == 'true', str(got))


@scenario
def dynamic_challenge_wrong_then_right(l):
    with_decision(l, dynamic('R,E'), lambda s, c: asked(l, s, ['auth-user-pass'], [
        ('password.*:', 'secret word', None), ('Enter the code: now', '999', None),
        ('The code is wrong[^$]*password.*:', 'secret word', None), ('Enter the code: now', '123456', None)]))


@scenario
def dynamic_challenge_answered_late(l):
    """The server has long forgotten the session when the person answers."""
    def f(s, c):
        with asking(l, s, ['auth-user-pass', 'hand-window 3']) as (_, t):
            t.expect('password.*:')
            t.answer('secret word')
            t.expect('Enter the code: now')
            time.sleep(6)
            t.answer('123456')
            t.expect('successfully activated')
            l.ping(s)
    with_decision(l, dynamic('R,E'), f)


@scenario
def dynamic_challenge_passwd_file(l):
    """The answer is known beforehand, as with a script that computes it."""
    with_decision(l, dynamic('R'), lambda s, c: l.cycle(
        s, ['auth-user-pass'], settings=ALICE,
        secrets={'password': 'secret word', 'challenge-response': '123456'}))


@scenario
def bad_dynamic_challenge_nobody_to_ask(l):
    """A password is stored, but nobody can be asked for the code: the server's question is in the log."""
    with_decision(l, dynamic('R'), lambda s, c: l.refused(
        s, ['auth-user-pass'], inline=False, cause='Enter the code: now', nm_reason='secret',
        settings={'data': 'username=alice, password-flags=0', 'secrets': 'password=secret word'}, within=25))


@scenario
def bad_dynamic_challenge_that_only_talks(l):
    """Without R it wants no answer; a server that says so again and again is not hammered."""
    def f(s, c):
        l.refused(s, ['auth-user-pass'], settings=ALICE, secrets={'password': 'secret word'}, cause='Office hours')
        check(len(c.seen) <= 4, '%d tries' % len(c.seen))
    with_decision(l, lambda user, password: '"challenge" "CRV1:E:St@te1:%s:Office hours"' % b64('alice'), f)


@scenario
def token_expired(l):
    """The token is refused in a renegotiation: the stored password gives a new session."""
    s = password_server(l, 'token-end', ['auth-gen-token 6', 'reneg-sec 4 4', 'hand-window 2', 'tran-window 2'])

    def then(name):
        mark = l.mark()
        wait_for('the server refuses the token', lambda: re.search('expired', s.log()), 25, 0.2)
        wait_for('a new session', lambda: 'connected to' in l.log_since(mark), 20, 0.2)
        l.works(s)
        check(l.tunnels(), 'the tunnel is gone')
    try:
        l.cycle(s, ['auth-user-pass', 'reneg-sec 0'], secrets={'password': 'secret word'}, settings=ALICE,
                then=then)
    finally:
        l.drop_server('token-end')
