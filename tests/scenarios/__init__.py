"""Is each rule of docs/rules.md shown by a table a person can read?"""
