"""What people do besides moving a session from state to state: one verb a function.

Each opens its transaction, locks the session, asks for permission, looks at the rules, writes, records and queues, in
this order. ``by`` is who acts, ``now`` an aware instant. A session out of the person's reach is ``SessionNotFound``.
"""
