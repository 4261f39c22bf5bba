# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds and uses controls of a program over AT-SPI, as a screen reader does.

Names differ little between versions of GTK, roles do: match by name and accept several roles. A control that is
found without a name, or that has no action, is a finding about the program, not about the test."""
import time

import gi
gi.require_version('Atspi', '2.0')
from gi.repository import Atspi, GLib  # noqa: E402

BUTTONS = ('push button', 'button', 'toggle button')
TEXTS = ('text', 'entry', 'password text')
SWITCHES = ('check box', 'switch', 'toggle button')


class Missing(Exception):
    """A control, or a state of it, that did not come."""


def wait(what, cond, timeout=20.0):
    """Polls cond() and returns its first true value. The limit is that of an idle machine."""
    timeout *= 2
    end = time.monotonic() + timeout
    while True:
        try:
            value = cond()
        except GLib.Error:  # the control went away meanwhile
            value = None
        if value:
            return value
        if time.monotonic() > end:
            raise Missing('timed out after %gs: %s' % (timeout, what))
        time.sleep(0.05)


LEAVES = ('label', 'image', 'separator', 'scroll bar', 'text', 'password text', 'entry')
CLOSED = ('Settings categories', 'Connection', 'Security', 'Server identity', 'Proxy', 'Routing and DNS', 'Timeouts')


def walk(node, depth=0, closed=False):
    """All nodes below, first the node itself; those that vanish meanwhile are left out. Each node costs several
    messages: what has no children of interest, and closed sections unless `closed`, are not looked into."""
    if depth > 60:
        return
    try:
        node.clear_cache()
        yield node
        what = node.get_role_name()
        if what in LEAVES or (what in ('list item', 'list') and not closed and node.get_name() in CLOSED):
            return
        n = node.get_child_count()
    except GLib.Error:
        return
    for i in range(n):
        try:
            child = node.get_child_at_index(i)
        except GLib.Error:
            continue
        if child:
            yield from walk(child, depth + 1, closed)


def role(node):
    return node.get_role_name()


def name(node):
    return node.get_name() or ''


def has(node, state):
    return node.get_state_set().contains(state)


def sensitive(node):
    return has(node, Atspi.StateType.SENSITIVE)


def visible(node):
    """Of the control and of all that is around it; on GTK 4.8 SHOWING is set for windows only."""
    while node and role(node) not in ('application', 'frame', 'dialog', 'window'):
        if not has(node, Atspi.StateType.VISIBLE):
            return False
        node = node.get_parent()
    return True


def matches(top, wanted=None, roles=None, prefix=None, closed=False):
    for node in walk(top, closed=closed):
        try:
            if (not roles or role(node) in roles) and (wanted is None or name(node) == wanted) and (
                    prefix is None or name(node).startswith(prefix)):
                yield node
        except GLib.Error:
            pass


def find_all(top, wanted=None, roles=None, prefix=None):
    return list(matches(top, wanted, roles, prefix))


def find(top, wanted=None, roles=None, prefix=None, timeout=20.0, closed=False):
    """The first one that is visible; `closed` looks into the sections too."""
    what = 'control “%s” %s' % (wanted or prefix, roles or '')

    def look():
        nodes = matches(top() if callable(top) else top, wanted, roles, prefix, closed)
        return next((x for x in nodes if visible(x)), None)
    try:
        return wait(what, look, timeout)
    except Missing as e:
        near = find_all(top() if callable(top) else top, wanted, None, prefix)
        raise Missing('%s; of that name: %s' % (e, ['%s%s' % (role(x), '' if visible(x) else ' (hidden)')
                                                    for x in near]))


def application(wanted, timeout=30.0):
    def look():
        desktop = Atspi.get_desktop(0)
        desktop.clear_cache()
        for i in range(desktop.get_child_count()):
            app = desktop.get_child_at_index(i)
            if app and name(app) == wanted:
                return app
        return None
    return wait('program ' + wanted, look, timeout)


def press(node):
    """Does the first action: press a button, turn a switch, open a list."""
    action = node.get_action_iface()
    if not action or not action.get_n_actions():
        raise Missing('“%s” (%s) has no action' % (name(node), role(node)))
    action.do_action(0)


def is_field(node):
    return node.get_editable_text_iface() is not None


def set_text(node, text):
    editable = node.get_editable_text_iface()
    if not editable:
        raise Missing('“%s” (%s) is no text field' % (name(node), role(node)))
    editable.set_text_contents(text)


def text(node):
    iface = node.get_text_iface()
    # by its class: the object itself may have another method of that name
    return Atspi.Text.get_text(iface, 0, Atspi.Text.get_character_count(iface)) if iface else ''


def tree(top):
    """For messages: every node with role, name and states."""
    lines = []

    def add(node, depth):
        try:
            node.clear_cache()
            states = [s for s in ('sensitive', 'visible', 'invalid-entry', 'checked', 'expanded', 'focused')
                      if has(node, getattr(Atspi.StateType, s.upper().replace('-', '_')))]
            lines.append('%s%s “%s” %s %s' % ('  ' * depth, role(node), name(node), node.get_description() or '',
                                              ' '.join(states)))
            for i in range(node.get_child_count()):
                child = node.get_child_at_index(i)
                if child:
                    add(child, depth + 1)
        except GLib.Error:
            pass
    add(top, 0)
    return '\n'.join(lines)
