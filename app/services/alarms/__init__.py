"""Alarms: what is noticed, their life, and who is told of it.

``watching`` turns what is recognised into notices; ``alarms`` moves each alarm on by the table in ``life``, as the
person's ``rules`` say; in the same transaction ``outbox`` keeps what is to be sent, which ``sending`` does in threads
of its own, by ``mail``, ``webhook`` or ``push``.
"""
