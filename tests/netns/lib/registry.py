# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of scenarios: a function with @scenario, or add() for rows of a table."""
SCENARIOS = []


def add(group, name, f):
    SCENARIOS.append((group, name, f))


def scenario(f):
    """The group is the module's name up to the first underscore; group.py imports its group_more.py."""
    add(f.__module__.rsplit('.', 1)[-1].split('_')[0], f.__name__.replace('_', '-'), f)
    return f
