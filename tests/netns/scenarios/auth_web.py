# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that take their time: sign-in with a browser, questions and confirmations in a live session."""
import base64
import os
import re
import subprocess
import threading
import time

from auth import ALICE, asking
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
    mark = l.mark()
    with asking(l, s, ['auth-user-pass'] + list(lines), settings, within + 10) as (name, t):
        for pattern, answer in steps:
            t.expect(pattern)
            if answer is not None:
                t.answer(answer)
        t.expect('successfully activated', within)
        l.ping(s)
        if then:
            then(name, l.log_since(mark))
        return l.log_since(mark)


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


@scenario
def confirmation_elsewhere(l):
    """AUTH_PENDING alone, as for a confirmation on a phone: the time is shown."""
    class Silent(Pending):
        def on_client(self, kind, ids):
            if kind == 'CONNECT':
                self.say('client-pending-auth %s %s "CR_NONE:" 45' % ids)
                t = threading.Timer(5, lambda: self.say('client-auth-nt %s %s' % ids))
                t.daemon = True
                t.start()

    s = l.server('web', ['management-client-auth'])
    c = Silent(s, None)
    try:
        signs_in(l, s, [('password.*:', 'x'), (r'waits 4\d seconds', None)])
    finally:
        c.close()
        l.drop_server('web')


@scenario
def question_in_the_session(l):
    def f(s, c):
        def then(name, log):
            check('123456' not in log and '123456' not in stored_secrets(l, name), 'the answer was kept')
        signs_in(l, s, [('password.*:', 'x'), ('Enter the code: now', '123456')], then=then)
        check(c.responses == ['123456'], c.responses)
    pending(l, f, 'CR_TEXT:R,E:Enter the code: now', after=None)


@scenario
def question_answered_wrongly_then_right(l):
    def f(s, c):
        signs_in(l, s, [('password.*:', 'x'), ('Enter the code', '999'),
                        ('The code is wrong.*Enter the code', '123456')])
        check(c.responses == ['999', '123456'], c.responses)
        check([i['password'] for i in c.infos] == ['x', 'x'], 'asked for the password again')
    pending(l, f, 'CR_TEXT:R:Enter the code', after=None)


def fails(l, s, cause, within=20, lines=()):
    before, mark = l.snapshot(), l.mark()
    with asking(l, s, ['auth-user-pass'] + list(lines), wait=within + 10) as (_, t):
        t.expect('password.*:')
        t.answer('x')
        t.expect('Error', within)
        check(re.search(cause, l.log_since(mark)), 'cause /%s/ not in %s' % (cause, l.log_since(mark)[-500:]))
        check(not l.tunnels(), 'a tunnel device is left')
    before['programs'] = sorted(l.programs().values())
    l.clean(before)


@scenario
def bad_web_auth_refused(l):
    pending(l, lambda s, c: fails(l, s, 'Not in the group'), 'WEB_AUTH::' + PAGE,
            verdict='client-deny %s %s "no" "Not in the group"')


@scenario
def bad_web_auth_never_finished(l):
    pending(l, lambda s, c: fails(l, s, 'sign-in was not finished within 4 seconds'), 'WEB_AUTH::' + PAGE,
            timeout=4, after=None)


@scenario
def bad_web_auth_no_web_page(l):
    """Nothing but http and https is ever shown or opened."""
    pending(l, lambda s, c: fails(l, s, 'no web page; ignored'), 'WEB_AUTH::file:///etc/passwd', timeout=4, after=None)


@scenario
def web_auth_longer_than_networkmanager_waits(l):
    """The button was pressed at once, the page is done after 66 s; NetworkManager's limit is 60 s."""
    def f(s, c):
        signs_in(l, s, [('password.*:', 'x'), (re.escape(PAGE), '')], within=80)
        check(time.monotonic() - c.begun > 60, 'too early')
    pending(l, f, 'WEB_AUTH::' + PAGE, timeout=120, after=66.0)


class Temporary(Clients):
    """AUTH_FAILED,TEMP a few times, then yes."""

    def __init__(self, server, flags, times=1):
        self.left, self.times, self.flags = times, [], flags
        super().__init__(server, self.judge)

    def judge(self, user, password):
        self.times.append(time.monotonic())
        self.left -= 1
        return None if self.left < 0 else '"busy" "TEMP%s:Busy, come back"' % self.flags


def temporary(l, flags, times, least, most):
    s = l.server('temp', ['management-client-auth'])
    c = Temporary(s, flags, times)
    try:
        mark = l.mark()
        l.cycle(s, ['auth-user-pass'], secrets={'password': 'x'}, settings=ALICE)
        took = c.times[-1] - c.times[0]
        check(len(c.times) == times + 1 and least <= took <= most, '%d tries in %.1f s' % (len(c.times), took))
        check('Busy, come back' in l.log_since(mark), 'the reason is not in the log')
    finally:
        c.close()
        l.drop_server('temp')


@scenario
def temporary_failure(l):
    temporary(l, '', 1, 0.9, 15)


@scenario
def temporary_failure_back_off(l):
    temporary(l, '[backoff 4,advance no]', 1, 3.9, 20)


@scenario
def bad_temporary_failure_too_long(l):
    """Longer than NetworkManager waits: told at once."""
    s = l.server('temp', ['management-client-auth'])
    c = Temporary(s, '[backoff 300]', 9)
    try:
        l.refused(s, ['auth-user-pass'], cause='Busy, come back', secrets={'password': 'x'}, settings=ALICE)
    finally:
        c.close()
        l.drop_server('temp')


@scenario
def token_with_a_name_of_its_own(l):
    """auth-token and auth-token-user: used in the next renegotiation, nobody is asked."""
    user = base64.b64encode(b'session of alice').decode()
    def f(s, c):
        def then(name):
            wait_for('a renegotiation', lambda: len(c.seen) > 1, 20, 0.2)
            check(c.seen[1] == ('session of alice', 'ticket-17'), str(c.seen))  # 2.6 then refuses the new name
        l.cycle(s, ['auth-user-pass', 'reneg-sec 0'], secrets={'password': 'x'}, settings=ALICE, then=then)
    s = l.server('tok', ['management-client-auth', 'push "auth-token ticket-17"',
                         'push "auth-token-user %s"' % user, 'reneg-sec 5 5', 'hand-window 2'])
    c = Clients(s, lambda user, password: None)
    try:
        f(s, c)
    finally:
        c.close()
        l.drop_server('tok')


def peer_info(l, lines):
    s = l.server('info', ['management-client-auth'])
    c = Pending(s, None, after=0)
    try:
        name = l.import_profile(l.profile(s, ['auth-user-pass'] + lines), **ALICE)
        rc, out, _ = l.up(name, {'password': 'x'})
        check(rc == 0, out)
        l.down(name)
        l.delete(name)
        return c.infos[0]
    finally:
        c.close()
        l.drop_server('info')


@scenario
def peer_information(l):
    got = peer_info(l, ['setenv UV_TAG blue'])
    check(got['IV_SSO'] == 'webauth,openurl,crtext', str(got))
    check(not [k for k in got if k.startswith('UV_') or k in ('IV_HWADDR', 'IV_PLAT_VER', 'IV_SSL')], str(got))
    got = peer_info(l, ['push-peer-info', 'setenv UV_TAG blue', 'setenv IV_SSO nonsense'])
    mac = l.run('cat', '/sys/class/net/veth0/address').strip()
    check(got['UV_TAG'] == 'blue' and got['IV_HWADDR'] == mac and got['IV_SSL'].startswith('GnuTLS') and
          got['IV_PLAT_VER'] and got['IV_SSO'] == 'webauth,openurl,crtext', str(got))


@scenario
def client_cert_0(l):
    """A certificate is in no case sent or needed."""
    from auth import password_server
    s = password_server(l, 'pw-only', ['verify-client-cert none', 'username-as-common-name'])
    l.cycle(s, ['auth-user-pass', 'setenv CLIENT_CERT 0'], cert=None, secrets={'password': 'secret word'},
            settings=ALICE)
