# SPDX-License-Identifier: GPL-2.0-or-later
"""User name and password, asking again, tokens, profiles of one user."""
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time

from lab import Failed, PATIENCE, check, wait_for
from registry import scenario

VERIFY = """#!/bin/sh
{ read -r user; read -r pass; } < "$1"
echo try >> "%(dir)s/tries"
if [ "$user" = alice ] && [ "$pass" = "$(cat %(dir)s/password)" ]; then exit 0; fi
[ -z "$auth_failed_reason_file" ] || echo "Account of $user is locked" > "$auth_failed_reason_file"
exit 1
"""


def password_server(l, name='pw', lines=(), password='secret word', **kw):
    d = '%s/verify-%s' % (l.scratch, name)
    if not os.path.isdir(d):
        os.makedirs(d)
        with open(d + '/verify', 'w') as f:
            f.write(VERIFY % {'dir': d})
        os.chmod(d + '/verify', 0o755)
    with open(d + '/password', 'w') as f:
        f.write(password + '\n')
    s = l.server(name, ['script-security 2', 'auth-user-pass-verify %s/verify via-file' % d] + list(lines), **kw)
    s.verify_dir = d
    return s


ALICE = {'data': 'username=alice'}
ASKED = {'data': 'username=alice, password-flags=2'}


@scenario
def password(l):
    l.cycle(password_server(l), ['auth-user-pass'], secrets={'password': 'secret word'}, settings=ALICE)


@scenario
def password_only(l):
    """No client certificate at all."""
    s = password_server(l, 'pw-only', ['verify-client-cert none', 'username-as-common-name'])
    l.cycle(s, ['auth-user-pass'], cert=None, secrets={'password': 'secret word'}, settings=ALICE)


@scenario
def password_stored(l):
    l.cycle(password_server(l), ['auth-user-pass'], inline=False,  # +vpn.secrets replaces all secrets
            settings={'data': 'username=alice, password-flags=0', 'secrets': 'password=secret word'})


@scenario
def password_inline(l):
    l.cycle(password_server(l), ['<auth-user-pass>\nalice\nsecret word\n</auth-user-pass>'])


def with_file(l, s, line, content, secrets=None, cert=None, inline=True):
    """A profile whose line names a file beside it; the name is relative."""
    path = l.scratch + '/login-file'
    with open(path, 'wb') as f:
        f.write(content)
    os.chmod(path, 0o600)
    try:
        l.cycle(s, [line + ' login-file'], cert=cert, secrets=secrets, inline=inline)
    except Failed as e:
        raise Failed('%r: %s' % (content, e))


@scenario
def password_from_a_file(l):
    """What is missing in it is asked for."""
    s = password_server(l, 'pw-only', ['verify-client-cert none', 'username-as-common-name'])
    for content in (b'alice\nsecret word\n', b'alice\r\nsecret word\r\n', b'alice\nsecret word', b'alice\nsecret word\nand more\n'):
        with_file(l, s, 'auth-user-pass', content)
    for content in (b'alice\n', b'alice\n\n'):
        with_file(l, s, 'auth-user-pass', content, {'password': 'secret word'})
    for content in (b'\nsecret word\n', b''):
        with_file(l, s, 'auth-user-pass', content, {'username': 'alice', 'password': 'secret word'})
    l.cycle(s, ['<auth-user-pass>\n</auth-user-pass>'], cert=None, secrets={'username': 'alice', 'password': 'secret word'})


@scenario
def pass_phrase_from_a_file(l):
    s, crt = l.server('pw-none'), l.pki.client()[0]
    for content in (b'lab phrase\n', b'lab phrase\r\n', b'lab phrase', b'lab phrase\nand more\n'):
        with_file(l, s, 'askpass', content, cert=(crt, l.pki.encrypted_key('lab phrase')))


@scenario
def file_of_the_password_is_gone(l):
    s = password_server(l, 'pw-only', ['verify-client-cert none', 'username-as-common-name'])
    l.refused(s, ['auth-user-pass nowhere/login'], cert=None, cause='auth-user-pass: The file “.*/nowhere/login” does not exist')


@scenario
def password_over_tcp(l):
    s = password_server(l, 'pw-tcp', proto='tcp')
    l.cycle(s, ['auth-user-pass'], secrets={'password': 'secret word'}, settings=ALICE)


@scenario
def bad_password_names_the_servers_reason(l):
    l.refused(password_server(l), ['auth-user-pass'], cause='Account of alice is locked',
              secrets={'password': 'wrong'}, settings=ALICE)


@scenario
def bad_no_secret(l):
    l.refused(password_server(l), ['auth-user-pass'], nm_reason='secret', cause='',
              settings={'data': 'username=alice, password-flags=2'})


class Asking:
    """`nmcli --ask connection up` on a pseudo terminal; at the end of the `with` block the terminal is closed."""

    @classmethod
    def agent(cls, l):
        """`nmcli agent secret` instead, for what comes later."""
        return cls(l, None)

    def __init__(self, l, name, wait=40):
        pid, self.fd = pty.fork()
        if pid == 0:
            cmd = l.enter('nmcli', '--ask', '--wait', str(wait), 'connection', 'up', name) if name else \
                l.enter('nmcli', 'agent', 'secret')
            os.execvpe(cmd[0], cmd, {'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8', 'TERM': 'dumb',
                                     'HOME': '/run/state'})
        self.pid, self.text = pid, ''

    def expect(self, pattern, timeout=15):
        end = time.monotonic() + timeout * PATIENCE
        while not re.search(pattern, self.text, re.I):
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                check(False, 'nmcli --ask did not say /%s/: %s' % (pattern, self.text[-300:]))
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b''
            check(data, 'nmcli --ask ended without /%s/: %s' % (pattern, self.text[-300:]))
            self.text += data.decode(errors='replace')

    def answer(self, line):
        self.expect(r': ?$')  # the whole prompt: what is typed before is shown by the terminal itself
        self.text = ''
        os.write(self.fd, line.encode() + b'\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


@contextlib.contextmanager
def asking(l, s, lines=('auth-user-pass',), settings=None, wait=40):
    """A profile whose secrets are asked for, on its way up: (its name, the terminal); taken down and deleted at the end."""
    name = l.import_profile(l.profile(s, lines), **(settings or ASKED))
    try:
        with Asking(l, name, wait) as t:
            yield name, t
    finally:
        l.down(name)
        l.delete(name)


def ask(l, answers):
    s = password_server(l)
    with asking(l, s) as (_, t):
        for a in answers:
            t.expect('password')
            t.answer(a)
        t.expect('successfully activated')
        l.ping(s)


@scenario
def asked_on_the_terminal(l):
    ask(l, ['secret word'])


@scenario
def asked_again_after_a_wrong_one(l):
    ask(l, ['wrong', 'secret word'])


@scenario
def token_survives_a_changed_password(l):
    """The server hands out a token; renegotiation works although the password is no longer valid."""
    s = password_server(l, 'token', ['auth-gen-token 600 120', 'reneg-sec 5 5', 'hand-window 2'])

    def then(name):
        with open(s.verify_dir + '/password', 'w') as f:
            f.write('another word\n')
        seen = s.log().count('Control Channel: TLS')
        wait_for('two renegotiations', lambda: s.log().count('Control Channel: TLS') >= seen + 2 or
                 'TLS Auth Error' in s.log(), 20, 0.2)
        l.ping(s)
        check('TLS Auth Error' not in s.log(), 'the token was not used')
    try:
        l.cycle(s, ['auth-user-pass', 'reneg-sec 0'], secrets={'password': 'secret word'}, settings=ALICE,
                then=then)
    finally:
        l.drop_server('token')


def private(l, owner, mode):
    """Certificate files of `owner`, used by a connection of alice's."""
    crt, key = l.pki.client()
    d = '%s/home-%s-%o' % (l.scratch, owner, mode)
    os.makedirs(d)
    uid = {'alice': 64213, 'bob': 64214, 'root': 0}[owner]
    for src, dst in ((crt, 'c.crt'), (key, 'c.key')):
        subprocess.run(['install', '-m', '%o' % mode, '-o', str(uid), '-g', str(uid), src, d + '/' + dst],
                       check=True)
    os.chown(d, uid, uid)
    os.chmod(d, 0o700)
    return d + '/c.crt', d + '/c.key'


PRIVATE = {'connection__permissions': 'user:alice'}


@scenario
def private_profile_own_files(l):
    l.cycle(l.server('pw-none'), inline=False, cert=private(l, 'alice', 0o600), settings=PRIVATE)


@scenario
def private_profile_files_of_root(l):
    l.refused(l.server('pw-none'), inline=False, cert=private(l, 'root', 0o600), settings=PRIVATE,
              cause=r'may not read.*c\.(crt|key)|c\.(crt|key).*permission denied')


@scenario
def private_profile_files_of_another(l):
    l.refused(l.server('pw-none'), inline=False, cert=private(l, 'bob', 0o600), settings=PRIVATE,
              cause=r'may not read.*c\.(crt|key)|c\.(crt|key).*permission denied')


@scenario
def shared_profile_private_files(l):
    """A connection for all users is read as root, as before."""
    l.cycle(l.server('pw-none'), inline=False, cert=private(l, 'bob', 0o400))


import auth_challenge  # noqa: E402,F401
import auth_token  # noqa: E402,F401
import auth_tpm  # noqa: E402,F401
import auth_web  # noqa: E402,F401
