# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenarios in the real GNOME Settings. Started by tests/gnome/run inside the client of the lab.

usage: inside.py JOB.json with work (a .ovpn that connects), target (address behind the tunnel), proxy (null, or work,
host, port, user and password), module (whose scenarios to run, null: these), wayland (no keys), shots, log, pattern.
Prints `ok NAME`, `FAIL NAME: why`, and ends with `gnome: N passed, N failed`."""
import importlib
import json
import os
import re
import subprocess
import sys
import time
import traceback

import atspi as A
from session import HOME, NAME, Failed, Session, check, connected, data, nmcli

SCENARIOS = []


def scenario(f):
    SCENARIOS.append((f.__name__.replace('_', '-'), f))
    return f


def take(job, **extra):
    """The profile as nmcli imports it, with what no editor knows."""
    nmcli('connection', 'import', 'type', 'openvpn', 'file', job['work'])
    nmcli('connection', 'modify', NAME, '+vpn.data', 'some-key=kept', '+vpn.data', 'username=alice',
          '+vpn.data', 'password-flags=0', '+vpn.secrets', 'password=secret')


@scenario
def import_save_connect(s, job):
    s.open_settings()
    s.import_file(job['work'])
    w = s.editor_window(NAME)
    A.find(w, 'Imported from “work.ovpn”', ('label',))
    A.wait('what was taken, in short', lambda: [x for x in A.find_all(w, None, ('label',), prefix='1 server, ')
                                                if A.name(x).endswith(' · 1 thing to know')])
    s.picture('imported')
    s.keys('alt+n', 'Tab', 'space')  # the summary is the first thing below “Name”
    A.find(w, prefix='Line ', roles=('label',))
    s.picture('imported-open')
    s.keys('space')
    A.set_text(A.find(w, 'User name', A.TEXTS), 'alice')
    s.choose(w, 'Where the password is kept', 'Save for all users')
    A.set_text(A.find(w, 'Password', A.TEXTS), 'secret')
    save = s.save_button(w)
    A.wait('Add can be pressed', lambda: A.sensitive(save))
    A.press(save)
    A.wait('the connection', lambda: NAME in nmcli('-g', 'NAME', 'connection').splitlines())
    kept = data(NAME)
    check(kept.get('username') == 'alice' and kept.get('password-flags', '0') == '0', 'saved: %s' % kept)
    check(kept.get('remote-cert-tls') == 'server', 'saved: %s' % kept)
    row = s.row(NAME)
    switch = A.wait('switch of the connection', lambda: A.find_all(row, None, A.SWITCHES))[0]
    A.press(switch)
    A.wait('the connection is up', connected, 20)
    s.picture('connected')
    out = subprocess.run(['ping', '-n', '-c', '2', '-i', '0.1', '-W', '2', job['target']], stdout=subprocess.PIPE,
                         text=True).stdout
    check('2 received' in out, out)
    A.press(switch)
    A.wait('the connection is down', lambda: not connected(), 10)


@scenario
def edit_and_save(s, job):
    take(job)
    before = data(NAME)
    s.open_settings()
    w = s.options(NAME)
    save = s.save_button(w)
    check(not A.sensitive(save), 'Apply can be pressed although nothing was changed')
    A.set_text(A.find(w, prefix='Port of server 1', roles=A.TEXTS), '1195')
    A.wait('Apply can be pressed', lambda: A.sensitive(save))
    s.picture('edited')
    A.press(save)
    A.wait('the new port', lambda: data(NAME)['remote'].endswith(':1195'))
    after = data(NAME)
    before['remote'] = after['remote']
    check(before == after, 'other keys became others: %s' % {k: (before.get(k), after.get(k)) for k in
                                                             set(before) | set(after)
                                                             if before.get(k) != after.get(k)})
    secret = nmcli('-s', '-g', 'vpn.secrets', 'connection', 'show', NAME)
    check(secret == 'password = secret', 'secrets: ' + secret)


@scenario
def through_a_proxy(s, job):
    """Its rows are filled in; the server cannot be reached without it."""
    proxy = job['proxy']
    nmcli('connection', 'import', 'type', 'openvpn', 'file', proxy['work'])
    s.open_settings()
    w = s.options(NAME)
    A.set_text(next(x for x in A.matches(w, 'Search all options') if A.is_field(x)), 'proxy')
    section = A.find(w, 'Proxy', ('list item', 'list'), closed=True)

    def row(name):
        return A.find(section, name, ('list item',), closed=True)
    s.choose(row('Kind of proxy'), 'Kind of proxy', 'HTTP')
    for name, value in (('Host name of the proxy', proxy['host']), ('Port of the proxy', proxy['port']),
                        ('Proxy user name', proxy['user'])):
        A.set_text(A.find(row(name), name, A.TEXTS), value)
    s.choose(row('Proxy password'), 'Where the password is kept', 'Save for all users')
    A.set_text(A.find(row('Proxy password'), 'Proxy password', A.TEXTS), proxy['password'])
    s.picture('proxy')
    save = s.save_button(w)
    A.wait('Apply can be pressed', lambda: A.sensitive(save))
    A.press(save)
    A.wait('the proxy is saved', lambda: data(NAME).get('proxy-server') == proxy['host'])
    kept = {k: v for k, v in data(NAME).items() if 'proxy' in k and k != 'http-proxy-password-flags'}
    check(kept == {'proxy-type': 'http', 'proxy-server': proxy['host'], 'proxy-port': proxy['port'],
                   'http-proxy-username': proxy['user']}, 'saved: %s' % kept)
    nmcli('--wait', '30', 'connection', 'up', NAME)
    nmcli('connection', 'down', NAME)


@scenario
def open_and_cancel(s, job):
    take(job)
    before = nmcli('-s', 'connection', 'show', NAME)
    s.open_settings()
    w = s.options(NAME)
    A.press(s.button(w, 'Cancel'))
    time.sleep(0.5)
    check(nmcli('-s', 'connection', 'show', NAME) == before, 'the connection changed')


@scenario
def save_as_ovpn(s, job):
    take(job)
    s.open_settings()
    w = s.options(NAME)
    A.press(A.find(w, 'Save as .ovpn…', A.BUTTONS))
    dialog = A.wait('the file dialog', lambda: s.window('Save as .ovpn'))
    s.keys('ctrl+a')  # the name that was suggested
    s.give_path(dialog, HOME + '/saved.ovpn')
    A.press(s.button(dialog, 'Save'))
    A.find(w, prefix='Saved as ', roles=('label',))
    with open(HOME + '/saved.ovpn') as f:
        text = f.read()
    check('<ca>' in text and 'remote-cert-tls server' in text, text)
    check(os.stat(HOME + '/saved.ovpn').st_mode & 0o777 == 0o600, 'the file can be read by others')
    s.picture('saved')


@scenario
def wrong_input(s, job):
    take(job)
    s.open_settings()
    w = s.options(NAME)
    host, save = A.find(w, prefix='Host of server 1', roles=A.TEXTS), s.save_button(w)
    A.set_text(host, 'not valid')
    sentence = '“not valid” is not a host name or address'
    A.find(w, sentence, ('label',))
    check(not A.sensitive(save), 'Apply can be pressed with a wrong host')
    # GTK 4.8 tells the state only in a signal; the sentence is there for all
    check(host.get_description() == sentence, 'the field is described as ' + host.get_description())
    s.picture('wrong')
    A.set_text(host, 'vpn.example.org')
    A.wait('Apply can be pressed', lambda: A.sensitive(save))
    check(host.get_description() != sentence, 'the field is still described as wrong')


@scenario
def new_connection(s, job):
    s.open_settings()
    s.add('OpenVPN')
    w = s.editor_window('Add VPN')
    s.picture('new')
    check(not A.sensitive(s.save_button(w)), 'Add can be pressed without a server')
    bad = [A.name(x) for x in A.walk(w) if A.has(x, A.Atspi.StateType.INVALID_ENTRY)]
    check(not bad, 'marked wrong before anything was typed: %s' % bad)


@scenario
def import_of_something_else(s, job):
    path = s.write('list.txt', 'milk\nbread\n')
    s.open_settings()
    s.import_file(path)
    label = A.find(s.app, None, ('label',), prefix='The file “list.txt” could not be read')
    s.picture('refused')
    check('Error: ' in A.name(label) and not A.name(label).endswith('..'), A.name(label))
    s.close_settings()  # three windows deep


@scenario
def every_control_has_a_name(s, job):
    take(job)
    s.open_settings()
    w = s.options(NAME)
    roles = A.TEXTS + A.SWITCHES + ('combo box', 'push button', 'button')
    page = A.find(w, prefix='Host of server 1', roles=A.TEXTS)
    while A.role(page) not in ('scroll pane', 'page tab', 'dialog', 'frame'):
        page = page.get_parent()
    for node in A.walk(page, closed=True):
        inner = A.role(node.get_parent()) == 'combo box'
        if A.role(node) in roles and not inner:
            n = A.name(node)
            check(n and not n.startswith('Gtk') and not n.startswith('Adw'), 'a %s has no name' % A.role(node))
            half = n[:len(n) // 2]
            check(n != half + ' ' + half, 'a name is said twice: ' + n)
            check('_' not in n, 'a mark in the name: ' + n)


@scenario
def keyboard_only(s, job):
    take(job)
    s.open_settings()
    w = s.options(NAME)
    s.picture('existing')
    s.keys('alt+n')  # the host's mark of “Name”
    seen = []
    for _ in range(20):
        s.keys('Tab')
        node = next((x for x in A.walk(w) if A.has(x, A.Atspi.StateType.FOCUSED) and A.role(x) != 'panel'), None)
        name = A.name(node) if node else '?'
        if not seen or name != seen[-1]:
            seen.append(name)
        if name == 'Search all options':
            break
    wanted = ['Add a server', 'Host of server 1', 'Port of server 1', 'User name', 'Password', 'Search all options']
    where = [seen.index(x) if x in seen else -1 for x in wanted]
    check(where == sorted(where) and where[0] >= 0, 'order of the focus: %s' % seen)


def run(s, name, f, job):
    begin, line = time.monotonic(), 'ok ' + name
    try:
        f(s, job)
    except (Failed, A.Missing) as e:
        line = 'FAIL %s: %s' % (name, e)
    except Exception:  # one scenario must not end the others
        line = 'FAIL %s: %s' % (name, traceback.format_exc())
    if line.startswith('FAIL'):
        s.picture('failed-' + name)
    try:
        if s.settings:
            s.close_windows()
        good = line.startswith('ok')
    except (A.Missing, AttributeError, A.GLib.Error):
        good = False
    if not good:
        s.close_settings()
    nmcli('connection', 'delete', NAME, ok=False)
    print('%s (%.1fs)' % (line, time.monotonic() - begin), flush=True)
    return line.startswith('ok')


WITHOUT_KEYS = (edit_and_save, open_and_cancel, wrong_input, every_control_has_a_name)


def main():
    with open(sys.argv[1]) as f:
        job = json.load(f)
    s = Session(job['shots'], job['log'])
    if job['module']:
        SCENARIOS[:] = importlib.import_module(job['module']).SCENARIOS
    chosen = [x for x in SCENARIOS if re.search(job['pattern'], x[0])]
    if job['wayland'] and not job['module']:
        chosen = [x for x in chosen if x[1] in WITHOUT_KEYS]
    able = [x for x in chosen if job['proxy'] or x[1] is not through_a_proxy]
    passed = [run(s, name, f, job) for name, f in able]
    print('gnome: %d passed, %d failed, %d skipped' % (sum(passed), len(passed) - sum(passed), len(chosen) - len(able)))
    s.close_settings()
    return 0 if all(passed) else 1


sys.exit(main())
