"""Budgets and limits: reserve, extend, settle. Money is integer nano-USD; the clock is an argument."""
