"""Programs that are told when something becomes of a person's recordings.

``events`` writes down what has happened, in the transaction in which it does, as messages of the outbox of alarms;
``standard_webhooks`` is how they are signed and sent; ``subscriptions`` who is told of what.
"""
