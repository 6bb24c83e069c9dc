"""Large data sets for measuring: ``agenda`` lays out who is where when, ``writing`` makes rows of it, in bulk.

Not the demo (``sessions_app.demo``), which goes through every act of its few sessions.
"""
