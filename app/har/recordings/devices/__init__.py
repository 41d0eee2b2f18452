"""Files as research devices write them: packed bytes, no text.

A module a device. Each is read part by part, so that a week needs no more memory than a day.
"""
