"""Sending people what they are told, through the services that apprise knows.

Here: channels and the texts of messages. Not here: which facts there are and what was sent (``warehouse``), when
(``pipeline.send_notifications``).
"""
