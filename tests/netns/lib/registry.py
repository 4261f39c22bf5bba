# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of scenarios: a function with @scenario, or add() for rows of a table."""
SCENARIOS = []


def add(group, name, f):
    SCENARIOS.append((group, name, f))


def scenario(f):
    add(f.__module__.rsplit('.', 1)[-1], f.__name__.replace('_', '-'), f)
    return f
