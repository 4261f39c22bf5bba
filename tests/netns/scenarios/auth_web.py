# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that take their time: sign-in with a browser, questions and confirmations in a live session."""
import base64
import os
import re
import subprocess
import threading
import time

from auth import ALICE, Terminal
from auth_challenge import Clients
from lab import check, wait_for
from registry import scenario

PAGE = 'https://login.example.org/vpn?ticket=a%20b&x=1'


class Pending(Clients):
    """Answers every sign-in with client-pending-auth; then decides `after` seconds later (None: never by itself).
    decide(self, ids) is called then, or with the text of a CR_RESPONSE."""

    def __init__(self, server, extra, timeout=60, after=2.0, verdict='client-auth-nt %s %s'):
        self.extra, self.timeout, self.after, self.verdict = extra, timeout, after, verdict
        self.responses, self.infos, self.env = [], [], {}
        super().__init__(server, None)

    def run(self):
        ids, kind = None, None
        try:
            for line in self.sock.makefile():
                m = re.match(r'>CLIENT:(CONNECT|REAUTH|CR_RESPONSE),(\d+),(\d+)(?:,(.*))?', line.rstrip())
                if m:
                    kind, ids, self.answer_text = m[1], m.groups()[1:3], m[4]
                m = re.match(r'>CLIENT:ENV,(\w+)(?:=(.*))?$', line.rstrip())
                if m and m[1] != 'END':
                    self.env[m[1]] = m[2]
                elif m and ids:
                    self.on_client(kind, ids)
                    ids = None
        except OSError:
            pass

    def say(self, text):
        self.sock.sendall(text.encode() + b'\n')

    def on_client(self, kind, ids):
        if kind == 'CR_RESPONSE':
            self.responses.append(base64.b64decode(self.answer_text).decode())
            right = self.responses[-1] == '123456'
            self.say(('client-auth-nt %s %s' if right else 'client-deny %s %s "no" "The code is wrong"') % ids)
            return
        self.infos.append(dict(self.env))
        if kind == 'REAUTH':
            self.say('client-auth-nt %s %s' % ids)
            return
        if self.extra is not None:
            self.say('client-pending-auth %s %s "%s" %d' % (ids + (self.extra, self.timeout)))
        self.begun = time.monotonic()
        if self.after is not None:
            t = threading.Timer(self.after, lambda: self.say(self.verdict % ids))
            t.daemon = True
            t.start()


def pending(l, f, *args, lines=(), **kw):
    s = l.server('web', ['management-client-auth'] + list(lines))
    c = Pending(s, *args, **kw)
    try:
        f(s, c)
    finally:
        c.close()
        l.drop_server('web')


def stored_secrets(l, name):
    """The secrets part of the profile as NetworkManager keeps it."""
    path = '/proc/%d/root/run/connections/%s.nmconnection' % (l.init, name)
    with open(path) as f:
        text = f.read()
    return text[text.index('[vpn-secrets]'):] if '[vpn-secrets]' in text else ''


def signs_in(l, s, steps, lines=(), settings=None, within=20, then=None):
    """nmcli --ask: steps are (pattern, answer or None); then it must come up by itself."""
    name = l.import_profile(l.profile(s, ['auth-user-pass'] + list(lines)),
                            **(settings or {'data': 'username=alice, password-flags=2'}))
    mark = l.mark()
    t = Terminal(l, '--ask', '--wait', str(within + 10), 'connection', 'up', name)
    try:
        for pattern, answer in steps:
            t.expect(pattern)
            if answer is not None:
                t.answer(answer)
        t.expect('successfully activated', within)
        l.ping(s)
        if then:
            then(name, l.log_since(mark))
        return l.log_since(mark)
    finally:
        t.close()
        l.down(name)
        l.delete(name)


@scenario
def web_auth_on_the_terminal(l):
    """The page is printed; the connection comes up when the server says so, without a key being pressed."""
    def f(s, c):
        def then(name, log):
            check('login.example.org' in log and 'ticket' not in log, 'log: ' + log[-600:])
            check('https' not in stored_secrets(l, name), 'stored: ' + stored_secrets(l, name))
        signs_in(l, s, [('password.*:', 'x'), (re.escape(PAGE), None)], then=then)
        check(c.infos[0]['IV_SSO'] == 'webauth,openurl,crtext', c.infos[0])
    pending(l, f, 'WEB_AUTH::' + PAGE)


@scenario
def open_url_and_a_key_pressed_early(l):
    def f(s, c):
        def then(name, log):
            check('web' not in stored_secrets(l, name), 'stored: ' + stored_secrets(l, name))
        signs_in(l, s, [('password.*:', 'x'), (re.escape(PAGE), ''), ], then=then)
    pending(l, f, 'OPEN_URL:' + PAGE, after=4.0)
